"""Result files: one small JSON file a run, with all that its figure needs to be believed or repeated."""

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from elmo_tasks.errors import InputError

FORMAT = 1
"""Version of the files' layout."""


def pack_bits(bits: Sequence[bool] | np.ndarray) -> str:
    """Truth values as hexadecimal digits, four a digit, the first value the highest bit; zeros fill the last byte."""
    return np.packbits(np.asarray(bits, dtype=bool)).tobytes().hex()


def unpack_bits(digits: str, count: int) -> np.ndarray:
    """
    The truth values that `pack_bits` wrote, as `(count,)`.

    Raises
    ------
    ValueError
        If the digits are none, or are too many or too few for that count.
    """
    packed = np.frombuffer(bytes.fromhex(digits), dtype=np.uint8)
    if len(packed) != (count + 7) // 8:
        raise ValueError(f"{len(packed)} bytes hold no {count} bits")
    return np.unpackbits(packed, count=count).astype(bool)


def pack_numbers(numbers: Sequence[float] | np.ndarray) -> str:
    """
    Numbers as hexadecimal digits of their compressed bytes.

    Whole ones from 0 to 65,535 have two bytes each; if there is any other, all have the eight of a float64.
    """
    values = np.asarray(numbers, dtype=float)
    counts = np.clip(values, 0, 65_535).astype("<u2")
    kept = counts if (counts == values).all() else values.astype("<f8")
    return zlib.compress(kept.tobytes(), level=9).hex()


def unpack_numbers(digits: str, count: int) -> np.ndarray:
    """
    The numbers that `pack_numbers` wrote, as `(count,)`.

    Raises
    ------
    ValueError
        If the digits are none, or are too many or too few for that count.
    """
    try:
        packed = zlib.decompress(bytes.fromhex(digits))
    except zlib.error as error:
        raise ValueError(f"the digits are no compressed numbers ({error})") from None
    for kind in ("<u2", "<f8"):
        if len(packed) == count * np.dtype(kind).itemsize:
            return np.frombuffer(packed, dtype=kind)
    raise ValueError(f"{len(packed)} bytes hold no {count} numbers")


@dataclass(frozen=True)
class TestItems:
    """
    What became of each test item, for paired tests.

    A score over items, accuracy or F1, is the sum of what they have gained over the sum of what there was to gain. Of
    an accuracy an item's parts are 1 or 0 over 1; of an F1 of phrases twice its correct ones over its gold and found
    ones; of a mean of scores from 0 to 1 the item's own score over 1.

    Attributes
    ----------
    count
        Number of items, in the order of the test file.
    correct
        Of an accuracy: which of them the model got right, as `pack_bits` writes it. Empty otherwise.
    gained, possible
        Of another score: its two parts, as `pack_numbers` writes them.
    groups
        Named subsets of the items ("ambiguous"), as `pack_bits` writes it.
    """

    __test__ = False  # not a test, whatever pytest thinks of the name

    count: int
    correct: str = ""
    gained: str = ""
    possible: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, scores: np.ndarray, groups: Mapping[str, np.ndarray]) -> "TestItems":
        """From `(2, num_items)`, what each item gained and what there was to gain; and truth values for each group."""
        gained, possible = scores
        packed = {name: pack_bits(members) for name, members in groups.items()}
        if (possible == 1).all() and np.isin(gained, (0, 1)).all():
            return cls(len(gained), correct=pack_bits(gained == 1), groups=packed)
        return cls(len(gained), gained=pack_numbers(gained), possible=pack_numbers(possible), groups=packed)

    def scores(self) -> np.ndarray:
        """What each item gained, and what there was to gain, as `(2, count)`."""
        if self.correct:
            return np.stack([unpack_bits(self.correct, self.count), np.ones(self.count)]).astype(float)
        parts = [unpack_numbers(part, self.count) for part in (self.gained, self.possible)]
        return np.stack(parts).astype(float)

    def members(self, group: str) -> np.ndarray:
        """Which items belong to a group, as `(count,)`."""
        return unpack_bits(self.groups[group], self.count)


@dataclass(frozen=True)
class Mix:
    """A learned mix of the biLM's layers: its weights after the softmax (none with a single layer), and gamma."""

    weights: tuple[float, ...]
    gamma: float


@dataclass(frozen=True)
class Result:
    """
    What came out of a run.

    Attributes
    ----------
    suite, task, arm, seed, profile
        Which run it was.
    status
        `done`, or `failed`.
    key
        The run's identity; see `identity.Identity`.
    config_file, overrides, budget
        What was trained: the config, relative to the repository, what was laid over it, and the budget in words.
    profile_changes
        Sizes and training settings that the profile laid over the config.
    command
        The commands that repeat it, in the order in which they ran.
    code
        Fingerprint of the code that made it, see `identity.code_fingerprint`; several with `+` between them if it was
        resumed by other code.
    versions, machine
        What it ran on.
    files
        The data files, with size and sha256.
    date
        When it ended, in UTC.
    seconds
        Wall-clock seconds, those before an interruption included.
    attempts
        How many times it was started: more than 1 if it was interrupted and went on.
    metric
        The metric that chose the best epoch, and that the table shows.
    dev, test
        All metrics of the best epoch on development data, and of its model on test data.
    curve
        The metric on development data after each epoch; empty in results of older programs.
    epochs, epoch_limit, best_epoch
        Epochs trained, the most there could have been, and the best on development data, counted from 1.
    cut_short
        Whether a time limit ended the training before its schedule did.
    parameters
        Number of trainable parameters, as AllenNLP's log gives it.
    mixes
        The learned mixes by their place in the model.
    items
        What became of each test item, where the task says so.
    error, log
        Why a failed run failed, and where its log lies.
    earlier_failures
        Errors of earlier tries of this run: a seed that was run again is not one that never failed.
    """

    suite: str
    task: str
    arm: str
    seed: int
    profile: str
    status: Literal["done", "failed"]
    key: str
    config_file: str
    overrides: Mapping[str, Any]
    budget: str
    profile_changes: Mapping[str, Any]
    command: Sequence[str]
    code: str
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    date: str
    seconds: float
    attempts: int
    metric: str | None = None
    dev: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[float] = ()
    epochs: int | None = None
    epoch_limit: int | None = None
    best_epoch: int | None = None
    cut_short: bool = False
    parameters: int | None = None
    mixes: Mapping[str, Mix] = field(default_factory=dict)
    items: TestItems | None = None
    error: str | None = None
    log: str | None = None
    earlier_failures: Sequence[str] = ()

    @property
    def done(self) -> bool:
        """Whether the run came to its end and has figures."""
        return self.status == "done"

    @property
    def title(self) -> str:
        """The run as messages name it."""
        return f"{self.task} {self.arm} seed {self.seed}"

    @property
    def test_score(self) -> float:
        """The table's figure of a run that is done, in percent."""
        return 100.0 * self.test[str(self.metric)]

    @property
    def dev_score(self) -> float:
        """The same metric on development data, in percent."""
        return 100.0 * self.dev[str(self.metric)]

    @property
    def still_improving(self) -> bool:
        """Whether the last epoch was the best, so that a longer schedule might have given more."""
        return self.done and self.best_epoch == self.epochs


def write_text(path: Path, text: str) -> None:
    """Writes a file so that a killed program leaves the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON as `write_text` does."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_result(path: Path, result: Result) -> None:
    """Writes a result file, whole or not at all."""
    write_json(path, {"format": FORMAT, **asdict(result)})


def read_result(path: Path) -> Result | None:
    """
    The result in a file; None if there is no such file.

    Raises
    ------
    InputError
        If the file is no result of this layout.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"result {path} cannot be read ({error}); remove it to have its run done again") from None
    try:
        return _from_json(content)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"result {path}: {error}; remove it to have its run done again") from None


def _from_json(content: Any) -> Result:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else content
        raise ValueError(f"expected a result file of format {FORMAT}, found {found!r}")
    entries = {key: value for key, value in content.items() if key != "format"}
    names = {entry.name for entry in fields(Result)}
    if unknown := sorted(set(entries) - names):
        raise ValueError(f"unknown entry {unknown[0]!r}")
    if entries.get("status") not in ("done", "failed"):
        raise ValueError(f"status is {entries.get('status')!r}, expected 'done' or 'failed'")
    entries["mixes"] = {
        place: Mix(tuple(mix["weights"]), mix["gamma"]) for place, mix in entries.get("mixes", {}).items()
    }
    if (items := entries.get("items")) is not None:
        entries["items"] = TestItems(**items)
        entries["items"].scores()
    result = Result(**entries)
    if result.done and result.metric not in result.test:
        raise ValueError(f"the metric {result.metric!r} is not among its test metrics")
    return result
