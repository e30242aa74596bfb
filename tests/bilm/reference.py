"""
The biLM once more, independent of the package: plain loops in float64 numpy over an HDF5 file.

Written from the description of the model alone (character ids with 261 entries, no shift; one sentence at a time; gates
in the file's order), so that it shares neither code nor layout with what it checks.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

BEGIN_OF_SENTENCE, END_OF_SENTENCE, BEGIN_OF_WORD, END_OF_WORD, NO_CHARACTER = range(256, 261)

# For each direction and layer: the projected output and the cell.
States = list[list[tuple[np.ndarray, np.ndarray]]]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def clip(x: np.ndarray, bound: float | None) -> np.ndarray:
    return x if bound is None else np.clip(x, -bound, bound)


class ReferenceBiLM:
    """`run` gives all layers of one sentence, its two markers included."""

    def __init__(self, options: dict[str, Any], weights: Path) -> None:
        self.lstm, self.cnn = options["lstm"], options["char_cnn"]
        self.weights: dict[str, np.ndarray] = {}
        with h5py.File(weights) as file:
            file.visititems(
                lambda name, item: (
                    self.weights.update({name: item[...].astype(np.float64)}) if hasattr(item, "shape") else None
                )
            )
        # Largest magnitudes met before a bound was applied: whether a test reaches the bounds at all.
        self.largest_cell = self.largest_output = 0.0
        self._vectors: dict[str, np.ndarray] = {}

    def zero_states(self) -> States:
        sizes = self.lstm["projection_dim"], self.lstm["dim"]
        return [[(np.zeros(sizes[0]), np.zeros(sizes[1])) for _ in range(self.lstm["n_layers"])] for _ in range(2)]

    def characters(self, word: str) -> list[int]:
        places = self.cnn["max_characters_per_token"]
        if word == "<S>":
            inner = [BEGIN_OF_SENTENCE]
        elif word == "</S>":
            inner = [END_OF_SENTENCE]
        else:
            inner = list(word.encode("utf-8", "ignore"))[: places - 2]
        ids = [BEGIN_OF_WORD, *inner, END_OF_WORD]
        return ids + [NO_CHARACTER] * (places - len(ids))

    def word_vector(self, word: str) -> np.ndarray:
        if word not in self._vectors:
            self._vectors[word] = self._word_vector(word)
        return self._vectors[word]

    def _word_vector(self, word: str) -> np.ndarray:
        weights = self.weights
        characters = weights["char_embed"][self.characters(word)]
        pieces = []
        for i, (width, _) in enumerate(self.cnn["filters"]):
            kernel = weights[f"CNN/W_cnn_{i}"][0]
            windows = [
                np.einsum("wd,wdn->n", characters[start : start + width], kernel)
                for start in range(len(characters) - width + 1)
            ]
            strongest = np.max(windows, axis=0) + weights[f"CNN/b_cnn_{i}"]
            pieces.append(np.tanh(strongest) if self.cnn["activation"] == "tanh" else np.maximum(strongest, 0.0))
        x = np.concatenate(pieces)
        for k in range(self.cnn["n_highway"]):
            group = f"CNN_high_{k}"
            gate = sigmoid(x @ weights[f"{group}/W_carry"] + weights[f"{group}/b_carry"])
            changed = np.maximum(x @ weights[f"{group}/W_transform"] + weights[f"{group}/b_transform"], 0.0)
            x = gate * changed + (1.0 - gate) * x
        if "CNN_proj/W_proj" in weights:
            x = x @ weights["CNN_proj/W_proj"] + weights["CNN_proj/b_proj"]
        return x

    def step(self, direction: int, layer: int, x: np.ndarray, state: tuple[np.ndarray, np.ndarray]):
        cell_weights = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/"
        output, cell = state
        gates = np.concatenate([x, output]) @ self.weights[cell_weights + "W_0"] + self.weights[cell_weights + "B"]
        i, j, f, o = np.split(gates, 4)
        cell = sigmoid(f + 1.0) * cell + sigmoid(i) * np.tanh(j)
        self.largest_cell = max(self.largest_cell, np.abs(cell).max())
        cell = clip(cell, self.lstm["cell_clip"])
        output = sigmoid(o) * np.tanh(cell)
        if cell_weights + "W_P_0" in self.weights:
            output = output @ self.weights[cell_weights + "W_P_0"]
        self.largest_output = max(self.largest_output, np.abs(output).max())
        output = clip(output, self.lstm["proj_clip"])
        return output, cell

    def run(self, words: list[str], states: States | None = None) -> tuple[np.ndarray, States]:
        """All layers `(num_layers, num_words + 2, 2 * projection_dim)`, and the states after the sentence."""
        states = self.zero_states() if states is None else [list(layers) for layers in states]
        vectors = [self.word_vector(word) for word in ["<S>", *words, "</S>"]]
        layers = [np.stack([np.concatenate([vector, vector]) for vector in vectors])]
        halves: list[list[np.ndarray]] = [[], []]
        for direction in (0, 1):
            inputs = vectors[::-1] if direction else vectors
            for layer in range(self.lstm["n_layers"]):
                outputs = []
                for x in inputs:
                    states[direction][layer] = self.step(direction, layer, x, states[direction][layer])
                    output = states[direction][layer][0]
                    outputs.append(output + x if layer and self.lstm["use_skip_connections"] else output)
                halves[direction].append(np.stack(outputs[::-1] if direction else outputs))
                inputs = outputs
        layers += [np.concatenate(pair, axis=1) for pair in zip(*halves, strict=True)]
        return np.stack(layers), states
