"""
The layers of a frozen biLM on disk, so that each text is run once: for all epochs, arms, seeds and tasks.

A store is an LMDB database, one for each biLM: many processes may read while one writes, a read is a view of
a memory map, and a writer that is killed leaves the database as it was before its last transaction.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elmo_tasks.bilm.characters import words_to_array
from elmo_tasks.bilm.model import BiLM, BiLMOutput, batches_by_length
from elmo_tasks.errors import InputError
from elmo_tasks.extras import require

STORE_DTYPES = ("float16", "float32")

# Part of every store's name: another layout, or another way to compute the vectors, needs another number.
_FORMAT = 1
# Address space, neither memory nor disk: the most that one store can ever hold.
_MAP_BYTES = 2**38
# What LMDB's pages and keys take beside the vectors.
_OVERHEAD = 1.1
# Padded positions that are run at once, and written in one transaction.
_BATCH_TOKENS = 4096

# LMDB wants a database opened once in a process.
_databases: dict[Path, Any] = {}


def _close_all() -> None:
    while _databases:
        _databases.popitem()[1].close()


# Nor may one that is open be used behind a fork. What needs it opens it again, here as there.
os.register_at_fork(before=_close_all)


class StoreFullError(Exception):
    """What is to be stored does not fit; the text says how much it is and how much room there is."""


@dataclass(frozen=True)
class Estimate:
    """
    What some texts need.

    Parameters
    ----------
    num_texts : different texts.
    num_new : those of them that the store does not have.
    num_positions : tokens and sentence markers of the new ones.
    num_bytes : what these take on disk.
    """

    num_texts: int
    num_new: int
    num_positions: int
    num_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.num_texts:,} different texts, {self.num_new:,} of them new: {self.num_positions:,} positions, "
            f"{_size(self.num_bytes)}"
        )


class LayerStore:
    """
    All layers of a biLM for the texts it has been run on, sentence markers included.

    A store belongs to one set of weights, one shape of model and one number type: its folder's name is a hash of them.
    A text is found by a hash of its character ids, which are all that the biLM sees of it, whatever text mapping made
    them. So no vector of another biLM or another text is ever handed out. The state policy must be ``reset``, where a
    text's vectors depend on it alone, and the biLM must stay as it is while the store is in use.

    Parameters
    ----------
    bilm : the biLM, in evaluation mode.
    root : folder of all stores.
    dtype : ``float16`` or ``float32``, of the numbers on disk.
    max_bytes : what the stores in ``root`` may take together, whoever fills them.

    Attributes
    ----------
    folder : this store's own.

    Raises
    ------
    InputError
        If the state policy is ``carry``, or ``dtype`` another one.
    MissingPackageError
        If lmdb is not installed.
    """

    def __init__(self, bilm: BiLM, root: str | Path, dtype: str = "float16", max_bytes: float = 20e9) -> None:
        if bilm.state_policy != "reset":
            raise InputError(
                f"state_policy is {bilm.state_policy!r}; only with 'reset' can vectors be stored, since they do not "
                "depend on the texts before."
            )
        if dtype not in STORE_DTYPES:
            raise InputError(f"the store's dtype is {dtype!r}, expected {' or '.join(map(repr, STORE_DTYPES))}.")
        require("lmdb", extra="store")
        self.bilm = bilm
        self.dtype = np.dtype(dtype)
        self.max_bytes = max_bytes
        self.root = Path(root)
        self.folder = self.root / _fingerprint(bilm, dtype)
        options = bilm.options
        # Numbers of a position: the token vector, which is the same in both halves of layer 0, and the LSTM layers.
        self._token_dim = options.projection_dim
        self._width = options.projection_dim + (options.num_layers - 1) * options.layer_dim

    def estimate(self, sentences: Iterable[Sequence[str]]) -> Estimate:
        """What storing tokenised sentences would take."""
        return self._estimate(self._by_key(sentences))

    def fill(
        self,
        sentences: Iterable[Sequence[str]],
        progress: Callable[[list[list[int]]], Iterable[list[int]]] = iter,
        say: Callable[[str], Any] = print,
    ) -> Estimate:
        """
        Run the biLM on all tokenised sentences that the store does not have, those of like length together.

        Of several processes that fill a store one works while the others wait; then they do what is left. One that is
        killed leaves what it has written.

        Parameters
        ----------
        progress : gets the list of batches and hands them back one by one.
        say : gets a sentence on what there is to do, and one if another process has to be waited for.

        Returns
        -------
        What there was to do.

        Raises
        ------
        StoreFullError
            If it does not fit under ``max_bytes`` or on the disk. Said before anything is computed, or on the way if
            others have taken the room meanwhile; what is written by then stays.
        InputError
            If the folder cannot be written.
        """
        texts = self._by_key(sentences)
        with self._alone(say):
            estimate = self._estimate(texts)
            if not estimate.num_new:
                return estimate
            say(f"{estimate} in {self.folder}")
            self._require_room(estimate.num_bytes)
            # Sorted, so that a batch does not depend on the order in which the texts were read.
            keys = sorted(key for key, known in zip(texts, self._has(texts), strict=True) if not known)
            with torch.no_grad():
                for batch in progress(batches_by_length([len(texts[key]) for key in keys], _BATCH_TOKENS)):
                    self._compute({keys[number]: texts[keys[number]] for number in batch})
        return estimate

    def layers(self, character_ids: torch.Tensor) -> BiLMOutput:
        """
        What ``bilm(character_ids, keep_sentence_boundaries=True)`` gives, rounded to the store's type.

        Texts that the store does not have are run now, and not stored.

        Parameters
        ----------
        character_ids : int64 ``(batch_size, num_tokens, max_characters_per_token)``.
        """
        ids = character_ids.cpu().numpy().astype(np.int16)
        batch_size, num_tokens = ids.shape[:2]
        lengths = (ids > 0).any(axis=2).sum(axis=1)
        packed = np.zeros((batch_size, num_tokens + 2, self._width), dtype=self.dtype)
        missing = []
        with self._reading() as transaction:
            for row, length in enumerate(lengths):
                found = transaction and transaction.get(_key(ids[row, :length]))
                if found is None:
                    missing.append(row)
                else:
                    packed[row, : length + 2] = np.frombuffer(found, self.dtype).reshape(length + 2, self._width)
        if missing:
            rows = torch.tensor(missing, device=character_ids.device)
            with torch.no_grad():
                packed[missing] = self._pack(self.bilm(character_ids[rows], keep_sentence_boundaries=True))
        numbers = torch.from_numpy(packed).to(character_ids.device, torch.float32)
        tokens, rest = numbers[..., : self._token_dim], numbers[..., self._token_dim :]
        layers = [torch.cat([tokens, tokens], dim=-1), *rest.split(self.bilm.options.layer_dim, dim=-1)]
        positions = torch.arange(num_tokens + 2, device=character_ids.device)
        ends = torch.from_numpy(lengths + 2).to(character_ids.device)
        return BiLMOutput(torch.stack(layers), positions < ends.unsqueeze(1))

    def is_of(self, bilm: BiLM) -> bool:
        """Whether its vectors are those of this biLM as it is now."""
        return self.folder.name == _fingerprint(bilm, self.dtype.name)

    def __len__(self) -> int:
        """Texts stored."""
        with self._reading() as transaction:
            return 0 if transaction is None else int(transaction.stat()["entries"])

    def _by_key(self, sentences: Iterable[Sequence[str]]) -> dict[bytes, Sequence[str]]:
        size = self.bilm.options.max_characters_per_token
        # The empty text stands for all padding rows of a batch.
        texts: dict[bytes, Sequence[str]] = {_key(words_to_array([], size)): []}
        for sentence in sentences:
            texts.setdefault(_key(words_to_array(sentence, size)), sentence)
        return texts

    def _has(self, keys: Iterable[bytes]) -> list[bool]:
        with self._reading() as transaction:
            return [transaction is not None and transaction.get(key) is not None for key in keys]

    def _estimate(self, texts: dict[bytes, Sequence[str]]) -> Estimate:
        known = self._has(texts)
        new = [len(text) + 2 for text, there in zip(texts.values(), known, strict=True) if not there]
        return Estimate(len(texts), len(new), sum(new), self._num_bytes(sum(new)))

    def _num_bytes(self, num_positions: int) -> int:
        return int(_OVERHEAD * num_positions * self._width * self.dtype.itemsize)

    def _require_room(self, num_bytes: int) -> None:
        taken = sum(file.stat().st_size for file in self.root.glob("*/data.mdb"))
        if taken + num_bytes > self.max_bytes:
            raise StoreFullError(
                f"{_size(num_bytes)} are needed, {_size(taken)} are taken in {self.root}, and at most "
                f"{_size(self.max_bytes)} may be"
            )
        free = shutil.disk_usage(self.folder).free
        if num_bytes > free:
            raise StoreFullError(f"{_size(num_bytes)} are needed, {_size(free)} are free at {self.folder}")

    def _compute(self, texts: dict[bytes, Sequence[str]]) -> None:
        size = self.bilm.options.max_characters_per_token
        ids = np.zeros((len(texts), max(map(len, texts.values())), size), dtype=np.int64)
        for row, text in enumerate(texts.values()):
            ids[row, : len(text)] = words_to_array(text, size)
        device = self.bilm.markers.device
        packed = self._pack(self.bilm(torch.from_numpy(ids).to(device), keep_sentence_boundaries=True))
        # Other stores may be filled at the same time: room that was there before may be taken.
        with _locked(self.root / "writing.lock"):
            self._require_room(self._num_bytes(sum(len(text) + 2 for text in texts.values())))
            self._write({key: packed[row, : len(text) + 2] for row, (key, text) in enumerate(texts.items())})

    def _write(self, vectors: dict[bytes, np.ndarray]) -> None:
        import lmdb

        try:
            with self._database().begin(write=True) as transaction:
                for key, values in vectors.items():
                    transaction.put(key, values.tobytes())
        except lmdb.MapFullError as error:
            raise StoreFullError(f"{self.folder} holds {_size(_MAP_BYTES)}, the most that one store can") from error
        except lmdb.Error as error:
            raise StoreFullError(f"the disk is full, or its quota used up, at {self.folder} ({error})") from error

    def _pack(self, output: BiLMOutput) -> np.ndarray:
        """``(batch_size, num_tokens + 2, width)`` in the store's type, from layers with sentence markers."""
        first, *others = output.layers.unbind()
        packed: np.ndarray = torch.cat([first[..., : self._token_dim], *others], dim=-1).cpu().numpy()
        if float(np.abs(packed).max(initial=0.0)) > float(np.finfo(self.dtype).max):
            raise InputError(f"{self.folder}: a vector has numbers too large for {self.dtype}; store float32.")
        return packed.astype(self.dtype)

    def _database(self) -> Any:
        import lmdb

        folder = self.folder.resolve()
        if folder not in _databases:
            try:
                _databases[folder] = lmdb.open(str(folder), map_size=_MAP_BYTES, max_readers=512, readahead=False)
            except lmdb.Error as error:
                raise InputError(f"{self.folder}: the store of ELMo's layers cannot be opened ({error}).") from error
        return _databases[folder]

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """A transaction that gives views of the memory map; ``None`` while there is no store."""
        if not (self.folder / "data.mdb").exists():
            yield None
            return
        with self._database().begin(buffers=True) as transaction:
            yield transaction

    @contextmanager
    def _alone(self, say: Callable[[str], Any]) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder}: the store of ELMo's layers cannot be written ({error}).") from error
        with _locked(self.folder / "filling.lock", lambda: say(f"another process fills {self.folder}; waiting for it")):
            yield


@contextmanager
def _locked(path: Path, when_waiting: Callable[[], Any] = lambda: None) -> Iterator[None]:
    try:
        file = path.open("w")
    except OSError as error:
        raise InputError(f"{path.parent}: the store of ELMo's layers cannot be written ({error}).") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            when_waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        # The lock goes with the file, also if the process is killed.
        yield


def _fingerprint(bilm: BiLM, dtype: str) -> str:
    """A name for the biLM's numbers, its shape, and the store's layout."""
    found = hashlib.blake2b(digest_size=16)
    found.update(json.dumps([_FORMAT, dtype, bilm.state_policy, bilm.options.to_dict()], sort_keys=True).encode())
    for name, values in sorted(bilm.state_dict().items()):
        found.update(f"{name} {tuple(values.shape)}".encode())
        found.update(values.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return found.hexdigest()


def _key(ids: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(ids, dtype="<i2").tobytes(), digest_size=16).digest()


def _size(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e7 else f"{num_bytes / 1e6:.2f} MB"
