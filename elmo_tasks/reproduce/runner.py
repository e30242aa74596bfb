"""Runs what a plan still lacks: each run a process of its own, several at a time, stopped together, resumed later."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.identity import code_fingerprint
from elmo_tasks.reproduce.outcome import begin_attempt, end_attempt, outcome
from elmo_tasks.reproduce.plan import PlannedRun
from elmo_tasks.reproduce.progress import Display, Pace, Progress, duration, read_progress, seconds_left
from elmo_tasks.reproduce.results import Result, write_json, write_result
from elmo_tasks.reproduce.worker import Job, RunFolder

WORKER = (sys.executable, "-m", "elmo_tasks.reproduce.worker")
"""The command of a worker; it gets the path of its job."""
_POLL_SECONDS = 0.2


@dataclass
class _Active:
    """A run that is going on."""

    planned: PlannedRun
    process: "subprocess.Popen[bytes]"
    log: BinaryIO
    before: float
    started: float
    progress: Progress
    share_before: float
    gpu: str | None
    training_since: float | None = None

    def look(self) -> None:
        """Sees how far the run is."""
        planned = self.planned
        self.progress = read_progress(planned.folder, planned.epoch_limit, planned.metric)
        if self.training_since is None and self.progress.phase != "starting":
            self.training_since = time.monotonic()

    @property
    def pace(self) -> Pace:
        """How it fares."""
        now = time.monotonic()
        training = None if self.training_since is None else now - self.training_since
        return Pace(self.before + now - self.started, training, self.share_before, self.progress.share)


class Runner:
    """
    Runs planned runs.

    Parameters
    ----------
    jobs
        Runs at a time.
    display
        Where progress is shown.
    time_limit
        Seconds of training after which a run is ended with the epochs it has, and marked as cut short.
    worker
        The command of a worker.
    gpus
        Names of GPUs for ``CUDA_VISIBLE_DEVICES``. A run whose config names no device sees one of them alone, the one
        that fewest others have.
    """

    def __init__(
        self,
        jobs: int,
        display: Display,
        time_limit: float | None = None,
        worker: Sequence[str] = WORKER,
        gpus: Sequence[str] = (),
    ) -> None:
        self._jobs = jobs
        self._display = display
        self._time_limit = time_limit
        self._worker = tuple(worker)
        self._gpus = tuple(gpus)
        self._active: list[_Active] = []
        self._waiting: deque[PlannedRun] = deque()
        self._seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._total = 0
        self._ended = 0

    def run(self, runs: Sequence[PlannedRun], known: Sequence[Result] = ()) -> None:
        """
        Runs them all and writes their results.

        Whatever ends this, be it Ctrl-C or an error, no process of a run is left behind, and a run that was going on
        is resumed the next time.

        Parameters
        ----------
        runs
            The runs, none of which has an obstacle.
        known
            Results of like runs, from which the time left is guessed.

        Raises
        ------
        InputError
            If a run has an obstacle, or its folder is in use by another such command.
        """
        for planned in runs:
            if planned.obstacle is not None:
                raise InputError(planned.obstacle)
        for result in known:
            self._seconds[result.task, result.arm].append(result.seconds)
        self._waiting = deque(runs)
        self._total, self._ended = len(runs), 0
        with _alone({planned.places.work for planned in runs}), _terminable():
            try:
                while self._waiting or self._active:
                    while self._waiting and len(self._active) < self._jobs:
                        self._start(self._waiting.popleft())
                    time.sleep(_POLL_SECONDS)
                    self._look()
            finally:
                self._stop()
                self._display.close()

    def _start(self, planned: PlannedRun) -> None:
        folder = planned.folder
        resumed = _prepare(planned)
        before = begin_attempt(folder)
        left = None if self._time_limit is None else self._time_limit - before
        job = Job(tuple(planned.train_arguments(resumed)), tuple(planned.evaluate_arguments()), left, watch_parent=True)
        job.write(folder.job)
        log = folder.log.open("ab")
        gpu = self._free_gpu() if planned.takes_any_gpu else None
        process = subprocess.Popen(
            [*self._worker, str(folder.job)],
            cwd=planned.places.root,
            env=_environment(planned, gpu),
            # Nothing is ever written to it: its end tells the worker that we are gone.
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        progress = read_progress(folder, planned.epoch_limit, planned.metric)
        self._active.append(_Active(planned, process, log, before, time.monotonic(), progress, progress.share, gpu))
        self._display.event(f"{planned.run.title}: {'resumed' if resumed else 'started'}")

    def _free_gpu(self) -> str | None:
        taken = Counter(active.gpu for active in self._active)
        return min(self._gpus, key=lambda gpu: taken[gpu], default=None)

    def _look(self) -> None:
        for active in list(self._active):
            planned = active.planned
            epochs_before = active.progress.epochs_done
            active.look()
            progress = active.progress
            if progress.epochs_done > epochs_before and progress.dev_score is not None:
                self._display.epoch(
                    f"{planned.run.title}: epoch {progress.epochs_done}/{progress.epoch_limit}, "
                    f"dev {planned.metric} {progress.dev_score:.1f}"
                )
            returncode = active.process.poll()
            if returncode is not None:
                self._finish(active, returncode)
        running = {active.planned.run.label: active.progress for active in self._active}
        self._display.status(self._ended, self._total, running, self._left())

    def _finish(self, active: _Active, returncode: int) -> None:
        planned = active.planned
        self._active.remove(active)
        _close(active)
        result = outcome(planned, returncode)
        write_result(planned.result_file, result)
        self._ended += 1
        if result.done:
            self._seconds[result.task, result.arm].append(result.seconds)
            _discard_checkpoints(planned.folder)
            shortened = ", cut short" if result.cut_short else ""
            self._display.event(
                f"{planned.run.title}: test {result.metric} {result.test_score:.1f}, {result.epochs} of at most "
                f"{result.epoch_limit} epochs, {duration(result.seconds)}{shortened}"
            )
        else:
            self._display.event(f"{planned.run.title}: failed: {result.error} (log: {result.log})")

    def _left(self) -> float | None:
        paces = [active.pace for active in self._active]
        expected = [self._expected(planned) for planned in self._waiting]
        return seconds_left(paces, expected, self._jobs)

    def _expected(self, planned: PlannedRun) -> float | None:
        seconds = self._seconds.get((planned.run.task, planned.run.arm.name))
        return sum(seconds) / len(seconds) if seconds else None

    def _stop(self) -> None:
        """Ends what is going on. A checkpoint is whole or not there, so that nothing needs to be said before."""
        for active in self._active:
            _kill_group(active.process)
        for active in self._active:
            active.process.wait()
            _close(active)
        self._active.clear()


def _prepare(planned: PlannedRun) -> bool:
    """Makes a run's folder ready, and returns whether there is something in it to go on from."""
    assert planned.identity is not None
    folder, key, code = planned.folder, planned.identity.key, code_fingerprint(planned.run.task)
    made_from = json.loads(folder.made_from.read_text(encoding="utf-8")) if folder.made_from.exists() else {}
    checkpoint = folder.trained.exists() or any(folder.model.glob("training_state_*.th"))
    # A run that has a result and is to be run again begins anew, and so does one that failed.
    fresh = planned.current is not None or folder.error.exists()
    resumed = made_from.get("key") == key and checkpoint and not fresh
    if not resumed:
        shutil.rmtree(folder.path, ignore_errors=True)
        made_from = {"key": key, "code": []}
    folder.path.mkdir(parents=True, exist_ok=True)
    # Hours of training are not thrown away over a changed comment, but the result will say that two codes made it.
    if code not in made_from["code"]:
        made_from["code"].append(code)
    write_json(folder.made_from, made_from)
    return resumed


def _environment(planned: PlannedRun, gpu: str | None) -> dict[str, str]:
    """Several runs share the cores: one thread each is faster for all of them, and repeatable."""
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    device = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
    return {**os.environ, **threads, **device, **planned.environment(), "PYTHONUNBUFFERED": "1"}


def _discard_checkpoints(folder: RunFolder) -> None:
    """Of a run that is done, the archive has all that anyone needs; checkpoints may be gigabytes."""
    for pattern in ("*_state_e*_b*.th*", "best.th"):
        for path in folder.model.glob(pattern):
            path.unlink()


def _close(active: _Active) -> None:
    # A worker's children, data loading processes for one, may have outlived it.
    _kill_group(active.process)
    if active.process.stdin is not None:
        active.process.stdin.close()
    active.log.close()
    end_attempt(active.planned.folder)


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    # Nobody may be left; macOS says PermissionError of a group of zombies.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _terminable() -> Iterator[None]:
    """Lets a polite request to end (SIGTERM) end the runs as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _alone(folders: set[Path]) -> Iterator[None]:
    """Keeps two commands from doing the same runs into the same folders at once."""
    with ExitStack() as locks:
        for folder in sorted(folders):
            folder.mkdir(parents=True, exist_ok=True)
            file = locks.enter_context((folder / ".lock").open("w", encoding="utf-8"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(f"another command is doing the runs in {folder}: wait for it, or use --out") from None
        yield
