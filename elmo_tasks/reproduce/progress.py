"""How far the runs are: read from what they write, shown on one line of a terminal or line by line in a log."""

import json
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from elmo_tasks.reproduce.worker import RunFolder

_TAIL_BYTES = 16_384
_BATCHES = re.compile(rb"(\d+)/(\d+) \[")
"""What tqdm writes between its bar and its times."""
_LEAST_SHARE = 0.02
"""Before that much of a run is done its first, slow batches would foretell too much."""
_PHASES = {b"Training": "training", b"Validating": "validating"}


@dataclass(frozen=True)
class Progress:
    """
    How far a run is.

    Attributes
    ----------
    epochs_done
        Epochs that are over, validation included.
    epoch_limit
        The most there can be; patience may end the run before.
    share_of_epoch
        How much of the present epoch's training is done, 0 where that is not known.
    dev_score
        The table's metric after the last finished epoch, in percent.
    phase
        `starting`, `training`, `validating` or `testing`.
    """

    epochs_done: int
    epoch_limit: int
    share_of_epoch: float
    dev_score: float | None
    phase: str

    @property
    def share(self) -> float:
        """The share of the whole run that is done, were it to use all its epochs."""
        return min(1.0, (self.epochs_done + self.share_of_epoch) / max(self.epoch_limit, 1))

    def __str__(self) -> str:
        if self.phase in ("starting", "testing"):
            return self.phase
        epoch = f"epoch {min(self.epochs_done + 1, self.epoch_limit)}/{self.epoch_limit}"
        return f"{epoch} {self.share_of_epoch:.0%}" if self.share_of_epoch else epoch


def read_progress(folder: RunFolder, epoch_limit: int, metric: str) -> Progress:
    """How far a run is, from AllenNLP's files in its folder."""
    done, newest = 0, None
    for path in folder.model.glob("metrics_epoch_*.json"):
        epoch = int(path.stem.rpartition("_")[2]) + 1
        if epoch > done:
            done, newest = epoch, path
    if folder.trained.exists():
        return Progress(done, epoch_limit, 0.0, _dev_score(newest, metric), "testing")
    phase, share = _within_epoch(_tail(folder.log))
    return Progress(done, epoch_limit, share, _dev_score(newest, metric), phase)


def _dev_score(metrics_file: Path | None, metric: str) -> float | None:
    if metrics_file is None:
        return None
    try:
        score = json.loads(metrics_file.read_text(encoding="utf-8")).get(f"validation_{metric}")
    except (OSError, ValueError):  # AllenNLP is writing it just now
        return None
    return None if score is None else 100.0 * score


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read()
    except FileNotFoundError:
        return b""


def _within_epoch(log: bytes) -> tuple[str, float]:
    """The phase that the end of a log is in, and the share of the epoch's training that is done."""
    phase, share = "starting", 0.0
    for line in log.splitlines():
        word = line.rpartition(b" - ")[2].strip()
        if word in _PHASES:
            phase, share = _PHASES[word], 0.0 if word == b"Training" else 1.0
        elif phase != "validating" and (batches := _BATCHES.search(line)) and b"loss" in line:
            done, total = map(int, batches.groups())
            phase, share = "training", done / total if total else 0.0
    return phase, share


def duration(seconds: float) -> str:
    """A time span for people: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@dataclass(frozen=True)
class Pace:
    """
    How a run that is going on has fared.

    Attributes
    ----------
    spent
        Seconds since it was started, what it had in earlier attempts included.
    training
        Seconds since this attempt began to train; None before.
    share_before
        The share of the run that was done then.
    share
        The share that is done now.
    """

    spent: float
    training: float | None
    share_before: float
    share: float

    @property
    def remaining(self) -> float | None:
        """Seconds that it will still take, were it to use all its epochs; None as long as too little is known."""
        if self.training is None or self.share - self.share_before < _LEAST_SHARE:
            return None
        return self.training * (1.0 - self.share) / (self.share - self.share_before)


def seconds_left(active: Sequence[Pace], expected: Sequence[float | None], jobs: int) -> float | None:
    """
    How long a set of runs will still take.

    Parameters
    ----------
    active
        The runs that are going on.
    expected
        Of each run that waits, the seconds it will take; None where no run like it has ended.
    jobs
        Runs at a time.

    Returns
    -------
    float | None
        None as long as nothing is known.
    """
    known = [pace.spent + pace.remaining for pace in active if pace.remaining is not None]
    known += [seconds for seconds in expected if seconds is not None]
    if not known:
        return None
    # What is not known of a run is guessed to be as with the others.
    typical = sum(known) / len(known)
    running = [max(0.0, typical - pace.spent) if pace.remaining is None else pace.remaining for pace in active]
    waiting = [typical if seconds is None else seconds for seconds in expected]
    at_a_time = max(1, min(jobs, len(active) + len(expected)))
    return max([(sum(running) + sum(waiting)) / at_a_time, *running])


class Display(Protocol):
    """Where progress is shown."""

    def event(self, line: str) -> None:
        """Something that stays: a run began or ended."""

    def epoch(self, line: str) -> None:
        """An epoch of a run ended."""

    def status(self, done: int, total: int, running: Mapping[str, Progress], left: float | None) -> None:
        """How things stand; called again and again."""

    def close(self) -> None:
        """Nothing more will come."""


class LineDisplay:
    """For logs and pipes: each event is a line, and nothing is ever taken back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._left: float | None = None

    def event(self, line: str) -> None:
        """A line, with the time that is left behind it."""
        left = "" if self._left is None else f"   ({duration(self._left)} left)"
        print(f"{line}{left}", file=self._stream, flush=True)

    def epoch(self, line: str) -> None:
        """A line likewise."""
        self.event(line)

    def status(self, done: int, total: int, running: Mapping[str, Progress], left: float | None) -> None:
        """Remembers the time left."""
        self._left = left

    def close(self) -> None:
        """Nothing is open."""


class TerminalDisplay:
    """For people: one line that is written anew, and lines above it for runs that have ended."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._shown = ""
        self._next = 0.0

    def event(self, line: str) -> None:
        """A line above the status line."""
        self._write(f"\r\x1b[K{line}\n{self._shown}")

    def epoch(self, line: str) -> None:
        """The status line says it."""

    def status(self, done: int, total: int, running: Mapping[str, Progress], left: float | None) -> None:
        """Writes the status line anew, twice a second at most."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + 0.5
        # What matters most comes first: a narrow terminal cuts off the rest.
        parts = [f"{done}/{total} done" + ("" if left is None else f", {duration(left)} left")]
        parts += [f"{run} {progress}" for run, progress in running.items()]
        line = " | ".join(parts)
        width = shutil.get_terminal_size().columns - 1
        self._shown = line if len(line) <= width else f"{line[: width - 3]}..."
        self._write(f"\r\x1b[K{self._shown}")

    def close(self) -> None:
        """Takes the status line away."""
        self._write("\r\x1b[K")
        self._shown = ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def display_for(stream: TextIO) -> Display:
    """The display that fits a stream."""
    return TerminalDisplay(stream) if stream.isatty() else LineDisplay(stream)
