"""
The text a biLM is trained on: shards of one tokenised sentence a line, and the batches made of them
(docs/training-a-bilm.md).

A corpus is read shard by shard and never held in memory as a whole. Where a reader stands can be saved and taken up
again, so that training goes on with the very next batch.
"""

import glob
import gzip
import io
import lzma
import random
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch

from elmo_tasks.bilm.characters import BEGIN_SENTENCE, END_SENTENCE, words_to_array
from elmo_tasks.errors import InputError

# Target of a place that has none: the end of a text that does not fill the last batch.
NO_TARGET = -100

# Bytes of a shard that deserves a word. Packed text is three to four times as large as its file.
_LARGE, _LARGE_PACKED = 1e9, 0.3e9

_SECONDS_BETWEEN_LINES = 30.0


def numbered_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    r"""
    Lines of a UTF-8 file, plain, ``.gz`` or ``.xz``, with their numbers from 1.

    Only ``\n`` ends a line; it stays part of it, as does a carriage return before it. A byte order mark does not.

    Raises
    ------
    InputError
        With file and line: no such file, a damaged archive, bytes that are not UTF-8.
    """
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8")
                yield number, text.removeprefix("\ufeff") if number == 1 else text
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}:{number}: the line is not UTF-8 ({error.reason} at byte {error.start}).") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{path}:{number + 1}: the file cannot be read from here on ({error}).") from error


def _open(path: str | Path) -> IO[bytes]:
    name = str(path)
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(name))
    if name.endswith(".xz"):
        return cast(IO[bytes], io.BufferedReader(cast(io.RawIOBase, lzma.open(name))))
    return Path(name).open("rb")


def find_shards(patterns: Sequence[str | Path]) -> list[Path]:
    """Files that match the patterns, each pattern's in order of their names; none is an error."""
    shards: list[Path] = []
    for pattern in patterns:
        found = sorted(glob.glob(str(pattern)))
        if not found:
            raise InputError(
                f"{pattern}: no such file; expected the shards of the corpus, one tokenised sentence a line."
            )
        shards.extend(Path(name) for name in found)
    return shards


def large_shards(shards: Sequence[Path]) -> list[Path]:
    """Shards that take more than about a gigabyte of memory in each direction."""
    packed = (".gz", ".xz")
    return [path for path in shards if path.stat().st_size > (_LARGE_PACKED if path.suffix in packed else _LARGE)]


def read_lines(path: str | Path) -> Iterator[str]:
    """
    Lines of a shard that hold a sentence: white space separates its tokens, blank lines are passed over.

    Raises
    ------
    InputError
        As :func:`numbered_lines`; or a shard without a sentence.
    """
    empty = True
    for _, line in numbered_lines(path):
        if not line.isspace():
            empty = False
            yield line
    if empty:
        raise InputError(f"{path}: no sentence in this shard; expected one tokenised sentence a line.")


def read_sentences(path: str | Path) -> Iterator[list[str]]:
    """Sentences of a shard as lists of tokens; see :func:`read_lines`."""
    return (line.split() for line in read_lines(path))


def read_corpus(shards: Sequence[Path], say: Callable[[str], Any]) -> Iterator[list[str]]:
    """Sentences of all shards, one after the other; twice a minute a line says how far it is."""
    started = said = time.monotonic()
    tokens = 0
    for number, shard in enumerate(shards, start=1):
        for sentence in read_sentences(shard):
            yield sentence
            tokens += len(sentence)
            now = time.monotonic()
            if now - said >= _SECONDS_BETWEEN_LINES:
                said = now
                say(f"shard {number} of {len(shards)}: {tokens:,} tokens, {tokens / (now - started):,.0f} tokens/s")


def count_corpus(shards: Sequence[Path], say: Callable[[str], Any]) -> tuple[int, int]:
    """Number of sentences and of tokens; ``say`` as in :func:`read_corpus`."""
    sentences = tokens = 0
    for sentence in read_corpus(shards, say):
        sentences += 1
        tokens += len(sentence)
    return sentences, tokens


def shuffled(sentence: Sequence[str]) -> list[str]:
    """The words in a random order that follows from the sentence alone: the same wherever and whenever it is read."""
    words = list(sentence)
    random.Random(" ".join(words)).shuffle(words)
    return words


class SentenceStream:
    """
    Endless sentences of a corpus: shards in random order, the sentences of a shard shuffled, again and again.

    Parameters
    ----------
    shards : files, see :func:`find_shards`.
    seed : of the shuffling; the two directions of a biLM have streams with different seeds.
    shuffle_words : hand out :func:`shuffled` sentences.
    """

    def __init__(self, shards: Sequence[Path], seed: int, shuffle_words: bool = False) -> None:
        self.shards = list(shards)
        self._shuffle_words = shuffle_words
        self._random = random.Random(seed)
        self._queue: list[int] = []
        # Lines, not lists of tokens: a shard of a few million words takes a tenth of the memory.
        self._lines: list[str] = []
        self._position = 0
        # Shard and state of the generator before its sentences were shuffled: enough to have them again.
        self._current: int | None = None
        self._state_before: Any = None

    def __next__(self) -> list[str]:
        while self._position >= len(self._lines):
            self._next_shard()
        line = self._lines[self._position]
        self._position += 1
        return shuffled(line.split()) if self._shuffle_words else line.split()

    def __iter__(self) -> "SentenceStream":
        return self

    def _next_shard(self) -> None:
        if not self._queue:
            self._queue = list(range(len(self.shards)))
            self._random.shuffle(self._queue)
        self._current = self._queue.pop()
        self._state_before = self._random.getstate()
        self._load()
        self._position = 0

    def _load(self) -> None:
        assert self._current is not None
        self._lines = []  # before the next shard is read: one of them is in memory at a time
        self._lines = list(read_lines(self.shards[self._current]))
        self._random.shuffle(self._lines)

    def state(self) -> dict[str, Any]:
        """Where the stream stands, in plain types."""
        return {
            "queue": list(self._queue),
            "current": self._current,
            "position": self._position,
            "random": self._state_before,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`state` was taken."""
        self._queue = list(state["queue"])
        self._current = state["current"]
        self._state_before = state["random"]
        self._lines, self._position = [], state["position"]
        if self._current is not None:
            self._random.setstate(state["random"])
            self._load()


@dataclass
class Batch:
    """
    One step's text, time first.

    Parameters
    ----------
    character_ids : int64 ``(num_words, max_characters_per_token)``, the distinct words of the batch.
    index : int64 ``(2, unroll_steps, batch_size)``, which of them stands where, forward and backward.
    targets : int64, same shape: the next word's id in the direction of reading, ``NO_TARGET`` behind the text's end.
    """

    character_ids: torch.Tensor
    index: torch.Tensor
    targets: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""
        return Batch(*(on_device(part, device) for part in (self.character_ids, self.index, self.targets)))

    def split(self, num_parts: int) -> "list[Batch]":
        """The batch in parts of as many rows each, every one with its own words."""
        if num_parts == 1:
            return [self]
        parts = []
        pieces = (values.chunk(num_parts, dim=2) for values in (self.index, self.targets))
        for index, targets in zip(*pieces, strict=True):
            words, inverse = torch.unique(index, return_inverse=True)
            parts.append(Batch(self.character_ids[words], inverse, targets))
        return parts


def on_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The values there; what comes from the CPU to a GPU is copied while both go on with their work."""
    if device.type != "cuda" or values.is_cuda:
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


class PackedRows:
    """
    One direction's rows: each row a stream of sentences without padding between them (bilm-tf ``data.py``).

    A sentence of n words is n + 1 pairs of input and next word: ``<S> w1 … wn`` and ``w1 … wn </S>``; backward the
    words are reversed and the markers exchanged. What does not fit a row's ``unroll_steps`` goes on in the next batch.
    """

    def __init__(self, sentences: Iterator[list[str]], batch_size: int, backward: bool) -> None:
        self._sentences = sentences
        self._backward = backward
        # Words of the sentence each row is reading, markers included, from the place it has reached.
        self.rows: list[list[str]] = [[] for _ in range(batch_size)]

    def take(self, row: int, num_steps: int) -> list[str]:
        """
        The next words of a row: pairs as (input, target), flattened to one list of ``2 * num_steps``; fewer at the end
        of a finite text.
        """
        inputs: list[str] = []
        targets: list[str] = []
        current = self.rows[row]
        while len(inputs) < num_steps:
            if len(current) < 2:
                sentence = next(self._sentences, None)
                if sentence is None:
                    break
                current = self._with_markers(sentence)
            steps = min(num_steps - len(inputs), len(current) - 1)
            inputs.extend(current[:steps])
            targets.extend(current[1 : steps + 1])
            current = current[steps:]
        self.rows[row] = current
        return inputs + targets

    def _with_markers(self, sentence: list[str]) -> list[str]:
        if self._backward:
            return [END_SENTENCE, *reversed(sentence), BEGIN_SENTENCE]
        return [BEGIN_SENTENCE, *sentence, END_SENTENCE]


class Batcher:
    """
    Batches of both directions.

    Parameters
    ----------
    forward, backward : the sentences each direction reads; in training two independent streams.
    word_id : id of a word as a target (``Vocabulary.id``).
    batch_size, unroll_steps : rows of a batch and steps of a row.
    max_characters_per_token : character places of a word.
    """

    def __init__(
        self,
        forward: Iterator[list[str]],
        backward: Iterator[list[str]],
        word_id: Any,
        batch_size: int,
        unroll_steps: int,
        max_characters_per_token: int,
    ) -> None:
        self.directions = (PackedRows(forward, batch_size, False), PackedRows(backward, batch_size, True))
        self._word_id = word_id
        self.batch_size = batch_size
        self.unroll_steps = unroll_steps
        self.max_characters_per_token = max_characters_per_token

    def __iter__(self) -> "Batcher":
        return self

    def __next__(self) -> Batch:
        shape = (len(self.directions), self.unroll_steps, self.batch_size)
        index = np.zeros(shape, dtype=np.int64)
        targets = np.full(shape, NO_TARGET, dtype=np.int64)
        known: dict[str, int] = {}
        any_text = False
        for direction, rows in enumerate(self.directions):
            for row in range(self.batch_size):
                words = rows.take(row, self.unroll_steps)
                steps = len(words) // 2
                any_text = any_text or steps > 0
                index[direction, :steps, row] = [known.setdefault(word, len(known)) for word in words[:steps]]
                targets[direction, :steps, row] = [self._word_id(word) for word in words[steps:]]
        if not any_text:
            raise StopIteration
        ids = words_to_array(list(known), self.max_characters_per_token).astype(np.int64)
        return Batch(torch.from_numpy(ids), torch.from_numpy(index), torch.from_numpy(targets))
