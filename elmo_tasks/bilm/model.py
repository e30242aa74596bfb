"""The biLM: character ids in, all layers out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from elmo_tasks.bilm.characters import BEGIN_SENTENCE, END_SENTENCE, batch_to_ids, word_to_ids
from elmo_tasks.bilm.encoder import CharacterEncoder
from elmo_tasks.bilm.lstm import BidirectionalLSTM, LSTMState
from elmo_tasks.bilm.options import BiLMOptions
from elmo_tasks.bilm.packing import Packing, distinct_rows
from elmo_tasks.errors import InputError

STATE_POLICIES = ("reset", "carry")

# Padded tokens that `BiLM.embed` runs at once.
DEFAULT_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class BiLMOutput:
    """
    Layers of a batch.

    Parameters
    ----------
    layers : float ``(num_layers, batch_size, num_tokens, layer_dim)``. Layer 0 is the token vector twice, layer j the
        outputs of LSTM layer j, forward then backward. Exactly 0 where there is no token.
    mask : bool ``(batch_size, num_tokens)``, true where there is a token.
    """

    layers: torch.Tensor
    mask: torch.Tensor


class BiLM(nn.Module):
    """
    The bidirectional language model of the paper (section 3), without its softmax.

    Parameters
    ----------
    options : its shape.
    state_policy : ``reset`` starts every sentence from zero states, so that its vectors depend on it alone; ``carry``
        goes on from the states that the same row of the batch before ended with, as the released programs do.
    """

    markers: torch.Tensor

    def __init__(self, options: BiLMOptions, state_policy: str = "reset") -> None:
        super().__init__()
        if state_policy not in STATE_POLICIES:
            raise InputError(f"state_policy is {state_policy!r}, expected 'reset' or 'carry'.")
        self.options = options
        self.state_policy = state_policy
        self.encoder = CharacterEncoder(options)
        self.lstm = BidirectionalLSTM(options)
        markers = [word_to_ids(word, options.max_characters_per_token) for word in (BEGIN_SENTENCE, END_SENTENCE)]
        self.register_buffer("markers", torch.tensor(markers), persistent=False)
        self._carried: LSTMState | None = None

    @property
    def num_layers(self) -> int:
        """Layers handed out: the token vector and each LSTM layer."""
        return self.options.num_layers

    @property
    def layer_dim(self) -> int:
        """Size of one layer's vector of a token."""
        return self.options.layer_dim

    @classmethod
    def from_files(cls, options_file: str | Path, weights_file: str | Path, state_policy: str = "reset") -> "BiLM":
        """
        A biLM from ``options.json`` and its HDF5 weight file, float32, in evaluation mode.

        Raises
        ------
        InputError
            Naming file and field, if one of them cannot be used.
        """
        bilm = cls(BiLMOptions.from_file(options_file), state_policy)
        bilm.load_weights(weights_file)
        return bilm.eval()

    def load_weights(self, weights_file: str | Path) -> None:
        """Take all weights from an HDF5 file of bilm-tf's layout, float16 or float32."""
        from elmo_tasks.bilm.weights import load_weights

        load_weights(self, weights_file)

    def save_weights(self, weights_file: str | Path, dtype: str = "float32") -> None:
        """Write all weights to an HDF5 file of bilm-tf's layout, ``float32`` or ``float16``."""
        from elmo_tasks.bilm.weights import save_weights

        save_weights(self, weights_file, dtype)

    def reset_states(self) -> None:
        """Forget the states that ``carry`` has kept."""
        self._carried = None

    def forward(self, character_ids: torch.Tensor, keep_sentence_boundaries: bool = False) -> BiLMOutput:
        """
        Run a batch of sentences.

        Parameters
        ----------
        character_ids : int64 ``(batch_size, num_tokens, max_characters_per_token)`` without sentence markers, padded
            behind the sentence with zeros; a sentence may be empty.
        keep_sentence_boundaries : hand out the vectors of the two sentence markers too (``num_tokens + 2``).

        Raises
        ------
        ValueError
            If the shape is another one or a sentence has a gap.
        """
        mask = self._check(character_ids)
        batch_size, num_tokens = mask.shape
        rows, inverse = distinct_rows(character_ids[mask])
        # Vectors of the markers and of every distinct word of the batch: each is computed once.
        table = self.encoder(torch.cat([self.markers, rows]))
        # Place of every token in the table, with the markers put in; 0 is the begin marker, 1 the end marker.
        lengths = mask.sum(dim=1)
        index = lengths.new_zeros(batch_size, num_tokens + 2)
        index[:, 1:-1][mask] = inverse + len(self.markers)
        index.scatter_(1, (lengths + 1).unsqueeze(1), 1)
        packing = Packing(lengths + 2, num_tokens + 2)

        first = self.lstm.layers[0].input_gates(table)
        flat = index.flatten()
        first_gates = torch.stack(
            [first[0].index_select(0, flat[packing.forward]), first[1].index_select(0, flat[packing.backward])]
        )
        state = self._initial_state(batch_size, table).rows(packing.order)
        outputs, final = self.lstm(first_gates, packing.batch_sizes, state)
        if self.state_policy == "carry":
            self._carry(final.detach().rows(packing.restore), batch_size)

        tokens = table.index_select(0, flat[packing.forward])
        layers = [torch.cat([packing.unpack(tokens, packing.forward)] * 2, dim=-1)]
        for output in outputs:
            halves = [packing.unpack(output[0], packing.forward), packing.unpack(output[1], packing.backward)]
            layers.append(torch.cat(halves, dim=-1))
        stacked = torch.stack(layers)
        if keep_sentence_boundaries:
            positions = torch.arange(num_tokens + 2, device=mask.device)
            return BiLMOutput(stacked, positions < (lengths + 2).unsqueeze(1))
        inner = stacked[:, :, 1:-1]
        # The end marker of a shorter sentence stands on a padded place of a longer one.
        return BiLMOutput(inner * mask.unsqueeze(-1), mask)

    def embed(self, sentences: Sequence[Sequence[str]], batch_tokens: int = DEFAULT_BATCH_TOKENS) -> list[np.ndarray]:
        """
        Vectors of tokenised sentences, as arrays.

        With ``reset`` sentences of similar length share a batch of at most ``batch_tokens`` padded tokens (a longer
        sentence has its own); with ``carry`` the sentences are one batch, row by row.

        Returns
        -------
        One float32 array ``(num_layers, num_tokens, layer_dim)`` a sentence, in the order given.
        """
        if self.state_policy == "carry":
            batches = [list(range(len(sentences)))] if sentences else []
        else:
            batches = batches_by_length([len(sentence) for sentence in sentences], batch_tokens)
        result: list[np.ndarray] = [np.zeros((0,), dtype=np.float32)] * len(sentences)
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                for batch in batches:
                    ids = batch_to_ids([sentences[i] for i in batch], self.options.max_characters_per_token)
                    layers = self(ids.to(self.markers.device)).layers.float().cpu().numpy()
                    for row, i in enumerate(batch):
                        result[i] = layers[:, row, : len(sentences[i])].copy()
        finally:
            self.train(was_training)
        return result

    def _check(self, character_ids: torch.Tensor) -> torch.Tensor:
        if character_ids.dim() != 3 or character_ids.size(2) != self.options.max_characters_per_token:
            raise ValueError(
                f"character ids have the shape {tuple(character_ids.shape)}, expected "
                f"(batch_size, num_tokens, {self.options.max_characters_per_token})"
            )
        mask = (character_ids > 0).any(dim=2)
        if bool((mask[:, 1:] & ~mask[:, :-1]).any()):
            raise ValueError("a sentence has a token behind a padded place; padding must follow the sentence")
        return mask

    def _initial_state(self, batch_size: int, like: torch.Tensor) -> LSTMState:
        state = LSTMState.zeros(self.options, batch_size, like.detach())
        if self.state_policy == "carry" and self._carried is not None:
            known = min(batch_size, self._carried.hidden.size(2))
            state.hidden[:, :, :known] = self._carried.hidden[:, :, :known].to(like)
            state.cell[:, :, :known] = self._carried.cell[:, :, :known].to(like)
        return state

    def _carry(self, final: LSTMState, batch_size: int) -> None:
        # A smaller batch leaves the states of the further rows as they are.
        if self._carried is not None and self._carried.hidden.size(2) > batch_size:
            final = LSTMState(
                torch.cat([final.hidden, self._carried.hidden[:, :, batch_size:].to(final.hidden)], dim=2),
                torch.cat([final.cell, self._carried.cell[:, :, batch_size:].to(final.cell)], dim=2),
            )
        self._carried = final


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Indices in order of falling length, cut into batches of at most ``batch_tokens`` padded tokens."""
    batches: list[list[int]] = []
    room = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if room == 0:
            batches.append([])
            room = max(1, batch_tokens // max(1, lengths[i]))
        batches[-1].append(i)
        room -= 1
    return batches
