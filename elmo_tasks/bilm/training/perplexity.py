"""Held-out perplexity of a biLM: full softmax, both directions, everything said that the figure depends on."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from elmo_tasks.bilm.training.corpus import NO_TARGET, Batcher, find_shards, read_sentences
from elmo_tasks.bilm.training.language_model import BidirectionalLanguageModel
from elmo_tasks.bilm.training.vocabulary import Vocabulary

# Padded tokens, or rows times steps, run at once.
_BATCH_TOKENS = 2048
_CARRY_ROWS = 32
_CARRY_STEPS = 20


@dataclass(frozen=True)
class Perplexity:
    """
    What was measured.

    Parameters
    ----------
    forward, backward : exponential of the mean loss per target in one direction.
    mean : exponential of the mean of the two losses (bilm-tf's "average perplexity").
    num_targets : targets in one direction: words and one marker a sentence.
    unknown_share : share of them that are ``<UNK>``.
    vocabulary_size : words in the softmax, V.
    state_policy : ``reset`` (zero states before each sentence) or ``carry``.
    """

    forward: float
    backward: float
    mean: float
    num_targets: int
    unknown_share: float
    vocabulary_size: int
    state_policy: str

    def __str__(self) -> str:
        return (
            f"perplexity {self.mean:.2f} (forward {self.forward:.2f}, backward {self.backward:.2f}; full softmax, "
            f"V = {self.vocabulary_size:,}, <UNK> {100 * self.unknown_share:.2f} % of {self.num_targets:,} targets, "
            f"state {self.state_policy})"
        )

    @classmethod
    def over_all(cls, parts: "Sequence[Perplexity]") -> "Perplexity":
        """That of several texts together, measured each for itself with one model and state policy."""
        count = sum(part.num_targets for part in parts)

        def mean(values: Iterable[float]) -> float:
            return sum(value * part.num_targets for value, part in zip(values, parts, strict=True)) / count

        losses = [
            mean(map(math.log, figures)) for figures in zip(*((p.forward, p.backward) for p in parts), strict=True)
        ]
        return cls(
            forward=math.exp(losses[0]),
            backward=math.exp(losses[1]),
            mean=math.exp(sum(losses) / 2),
            num_targets=count,
            unknown_share=mean(part.unknown_share for part in parts),
            vocabulary_size=parts[0].vocabulary_size,
            state_policy=parts[0].state_policy,
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


@torch.no_grad()
def perplexity(
    model: BidirectionalLanguageModel,
    vocabulary: Vocabulary,
    path: str | Path,
    state_policy: str = "reset",
    max_sentences: int | None = None,
) -> Perplexity:
    """
    Perplexity on a file of tokenised sentences.

    With ``carry`` the text is dealt out to 32 rows as in training, unshuffled, and every target is counted.
    """
    shards = find_shards([path])
    sentences = list(islice((s for shard in shards for s in read_sentences(shard)), max_sentences))
    was_training = model.training
    model.eval()
    try:
        measure = _carried if state_policy == "carry" else _reset
        sums, count, unknown = measure(model, vocabulary, sentences)
    finally:
        model.train(was_training)
    losses = [total / count for total in sums]
    return Perplexity(
        forward=math.exp(losses[0]),
        backward=math.exp(losses[1]),
        mean=math.exp(sum(losses) / 2),
        num_targets=count,
        unknown_share=unknown / count,
        vocabulary_size=len(vocabulary),
        state_policy=state_policy,
    )


def measure_files(
    model: BidirectionalLanguageModel,
    vocabulary: Vocabulary,
    files: Sequence[str],
    policies: Sequence[str],
    max_sentences: int | None = None,
) -> Iterator[tuple[str | None, Perplexity]]:
    """Each file's name and perplexity by each policy; of several files also that of all together, under ``None``."""
    for file in files:
        # Better known now than after the first file.
        next(read_sentences(find_shards([file])[0]))
    measured: dict[str, list[Perplexity]] = {policy: [] for policy in policies}
    for file in files:
        for policy, parts in measured.items():
            parts.append(perplexity(model, vocabulary, file, policy, max_sentences))
            yield file, parts[-1]
    if len(files) > 1:
        for parts in measured.values():
            yield None, Perplexity.over_all(parts)


_Sums = tuple[list[float], int, int]


def _reset(model: BidirectionalLanguageModel, vocabulary: Vocabulary, sentences: Sequence[list[str]]) -> _Sums:
    device = model.softmax.weight.weight.device
    sums, count, unknown = [0.0, 0.0], 0, 0
    ordered = sorted(sentences, key=len, reverse=True)
    start = 0
    while start < len(ordered):
        longest = len(ordered[start])
        batch = ordered[start : start + max(1, _BATCH_TOKENS // (longest + 2))]
        start += len(batch)
        targets = torch.full((len(batch), longest + 2), NO_TARGET, dtype=torch.long)
        for row, sentence in enumerate(batch):
            ids = [vocabulary.begin_id, *(vocabulary.id(word) for word in sentence), vocabulary.end_id]
            targets[row, : len(ids)] = torch.tensor(ids)
        losses = model.sentence_losses(batch, targets.to(device))
        sums = [total + float(part.sum(dtype=torch.float64)) for total, part in zip(sums, losses, strict=True)]
        count += int((targets[:, 1:] >= 0).sum())
        unknown += int((targets == vocabulary.unknown_id).sum())
    return sums, count, unknown


def _carried(model: BidirectionalLanguageModel, vocabulary: Vocabulary, sentences: Sequence[list[str]]) -> _Sums:
    device = model.softmax.weight.weight.device
    rows = min(_CARRY_ROWS, len(sentences))
    batcher = Batcher(
        iter(sentences),
        iter(sentences),
        vocabulary.id,
        rows,
        _CARRY_STEPS,
        model.bilm.options.max_characters_per_token,
    )
    sums, count, unknown = [0.0, 0.0], 0, 0
    state = model.initial_state(rows)
    for batch in batcher:
        outputs, state = model.outputs(batch.to(device), state)
        for direction in (0, 1):
            targets = batch.targets[direction].flatten()
            losses = model.softmax.full(outputs[direction], targets.to(device))
            sums[direction] += float(losses.sum(dtype=torch.float64))
        count += int((batch.targets[0] >= 0).sum())
        unknown += int((batch.targets[0] == vocabulary.unknown_id).sum())
    return sums, count, unknown
