"""Held-out perplexity against a plain loop over tokens that reads the exported files."""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.perplexity import Perplexity, perplexity
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.errors import InputError
from tests.bilm.reference import ReferenceBiLM

MakeConfig = Callable[..., TrainingConfig]

# Words that the vocabulary lacks, one of them longer than the model's words; sentences of very different lengths.
TEXT = [
    "dogs eat fish .",
    "a cat sees unbelievably large elephants .",
    "fish",
    "a dog chases mice . " * 9,
    "cats drink milk .",
]


@pytest.fixture
def trainer(make_config: MakeConfig) -> Trainer:
    trainer = Trainer(make_config(), say=lambda line: None)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            if "bias" in name:
                parameter.normal_(std=0.5)
            elif "lstm" in name:
                parameter.mul_(3.0)
    trainer.finish()
    return trainer


class PlainLanguageModel:
    """One direction of the exported model, one token after the other, in float64."""

    def __init__(self, folder: Path, direction: int) -> None:
        self.reference = ReferenceBiLM(json.loads((folder / "options.json").read_text()), folder / "weights.hdf5")
        self.direction = direction
        self.words = (folder / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
        with h5py.File(folder / "softmax.hdf5") as file:
            self.weight, self.bias = file["W"][...].astype(np.float64), file["b"][...].astype(np.float64)

    def zero_states(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return self.reference.zero_states()[self.direction]

    def pairs(self, sentence: list[str]) -> list[tuple[str, str]]:
        words = ["</S>", *sentence[::-1], "<S>"] if self.direction else ["<S>", *sentence, "</S>"]
        return list(pairwise(words))

    def loss(self, word: str, following: str, states: list) -> float:
        """Minus the logarithm of the probability of `following`; `states` is moved on."""
        inputs = self.reference.word_vector(word)
        for layer in range(len(states)):
            states[layer] = self.reference.step(self.direction, layer, inputs, states[layer])
            output = states[layer][0]
            inputs = output + inputs if layer else output
        logits = self.weight @ inputs + self.bias
        target = self.words.index(following if following in self.words else "<UNK>")
        return float(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[target])


def plain_reset(folder: Path, sentences: list[list[str]]) -> list[float]:
    totals = []
    for direction in (0, 1):
        model = PlainLanguageModel(folder, direction)
        total = 0.0
        for sentence in sentences:
            states = model.zero_states()
            total += sum(model.loss(word, following, states) for word, following in model.pairs(sentence))
        totals.append(total)
    return totals


def plain_carry(folder: Path, sentences: list[list[str]]) -> list[float]:
    """32 rows, or as many as there are sentences; each takes 20 pairs at a time, and the next sentence when out."""
    totals = []
    for direction in (0, 1):
        model = PlainLanguageModel(folder, direction)
        rows = min(32, len(sentences))
        waiting = [model.pairs(sentence) for sentence in sentences]
        reading: list[list[tuple[str, str]]] = [[] for _ in range(rows)]
        states = [model.zero_states() for _ in range(rows)]
        total = 0.0
        while waiting or any(reading):
            for row in range(rows):
                for _ in range(20):
                    if not reading[row]:
                        if not waiting:
                            break
                        reading[row] = waiting.pop(0)
                    total += model.loss(*reading[row].pop(0), states[row])
        totals.append(total)
    return totals


@pytest.mark.parametrize("policy", ["reset", "carry"])
@pytest.mark.parametrize("repeat", [1, 9], ids=["fewer sentences than rows", "more"])
def test_against_a_plain_loop(policy: str, repeat: int, trainer: Trainer, tmp_path: Path) -> None:
    lines = TEXT * repeat
    (tmp_path / "text.txt").write_text("\n".join(lines), encoding="utf-8")
    sentences = [line.split() for line in lines]
    measured = perplexity(trainer.model, trainer.vocabulary, tmp_path / "text.txt", policy)
    totals = {"reset": plain_reset, "carry": plain_carry}[policy](trainer.folder, sentences)
    count = sum(len(sentence) + 1 for sentence in sentences)
    unknown = sum(word not in trainer.vocabulary.words for sentence in sentences for word in sentence)
    assert unknown == 4 * repeat
    assert measured.num_targets == count
    assert measured.unknown_share == pytest.approx(unknown / count)
    assert (measured.vocabulary_size, measured.state_policy) == (len(trainer.vocabulary), policy)
    assert measured.forward == pytest.approx(math.exp(totals[0] / count), rel=1e-5)
    assert measured.backward == pytest.approx(math.exp(totals[1] / count), rel=1e-5)
    assert measured.mean == pytest.approx(math.exp(sum(totals) / 2 / count), rel=1e-5)


def test_the_policies_differ_and_neither_drops_anything_out(trainer: Trainer, corpus: Path) -> None:
    trainer.model.train()
    measure = [
        perplexity(trainer.model, trainer.vocabulary, corpus / "heldout.txt", policy)
        for policy in ("reset", "carry", "reset", "carry")
    ]
    assert measure[:2] == measure[2:]
    assert measure[0].mean != measure[1].mean
    assert trainer.model.training, "the mode is left as it was"


def test_the_first_sentences_alone(trainer: Trainer, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join(TEXT))
    (tmp_path / "two.txt").write_text("\n".join(TEXT[:2]))
    for policy in ("reset", "carry"):
        first = perplexity(trainer.model, trainer.vocabulary, tmp_path / "text.txt", policy, max_sentences=2)
        assert first == perplexity(trainer.model, trainer.vocabulary, tmp_path / "two.txt", policy)


def test_a_text_without_a_sentence(trainer: Trainer, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n")
    with pytest.raises(InputError, match=r"text.txt: no sentence"):
        perplexity(trainer.model, trainer.vocabulary, tmp_path / "text.txt")


def test_the_line_says_what_the_figure_depends_on() -> None:
    measured = Perplexity(30.0, 28.0, 28.98, 12345, 0.0404, 50000, "carry")
    assert str(measured) == (
        "perplexity 28.98 (forward 30.00, backward 28.00; full softmax, V = 50,000, <UNK> 4.04 % of 12,345 targets, "
        "state carry)"
    )
    assert json.loads(json.dumps(measured.to_dict()))["unknown_share"] == 0.0404
