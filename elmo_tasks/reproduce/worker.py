"""
The process of one run: AllenNLP's own `train`, then its `evaluate` on the test file, with one start of Python for both.

`python -m elmo_tasks.reproduce.worker JOB`, JOB being a file that the runner wrote. What it leaves lies beside that
file; see `RunFolder`.
"""

import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elmo_tasks.reproduce.results import write_json
from elmo_tasks.user_mistakes import user_mistake


@dataclass(frozen=True)
class RunFolder:
    """The files of one run's folder."""

    path: Path

    @property
    def job(self) -> Path:
        """What is to be done: a `Job`."""
        return self.path / "job.json"

    @property
    def made_from(self) -> Path:
        """The run's key, and the fingerprints of the code of its attempts."""
        return self.path / "made_from.json"

    @property
    def log(self) -> Path:
        """All that the process printed, of all attempts."""
        return self.path / "log.txt"

    @property
    def model(self) -> Path:
        """AllenNLP's serialization directory."""
        return self.path / "model"

    @property
    def archive(self) -> Path:
        """The trained model."""
        return self.model / "model.tar.gz"

    @property
    def trained(self) -> Path:
        """Written when training is over and the archive complete; says whether a time limit ended it."""
        return self.path / "trained.json"

    @property
    def test_metrics(self) -> Path:
        """The metrics on the test file."""
        return self.path / "test.json"

    @property
    def predictions(self) -> Path:
        """The predictions on the test file, one JSON object a batch."""
        return self.path / "predictions.jsonl"

    @property
    def mixes(self) -> Path:
        """The learned mixes of the biLM's layers."""
        return self.path / "mixes.json"

    @property
    def error(self) -> Path:
        """What ended a failed run, in one line."""
        return self.path / "error.json"

    @property
    def attempts(self) -> Path:
        """When the run was started and when it ended, for each attempt."""
        return self.path / "attempts.json"


@dataclass(frozen=True)
class Job:
    """
    What a worker does.

    Attributes
    ----------
    train, evaluate
        Arguments of the two `allennlp` commands.
    seconds_left
        Time limit of the training, None for none.
    watch_parent
        Whether to end when standard input does: the runner holds its other end, and so no worker outlives it, however
        it dies.
    """

    train: tuple[str, ...]
    evaluate: tuple[str, ...]
    seconds_left: float | None = None
    watch_parent: bool = False

    def write(self, path: Path) -> None:
        """Writes the job's file."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> "Job":
        """Reads the job's file."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            tuple(content["train"]), tuple(content["evaluate"]), content["seconds_left"], content["watch_parent"]
        )


def main(job_file: Path) -> None:
    """Does what a job's file says; what goes wrong is put into `RunFolder.error` before it is raised."""
    job, folder = Job.read(job_file), RunFolder(job_file.parent)
    if job.watch_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        if not folder.trained.exists():
            cut_short = _train(job, folder)
            write_json(folder.mixes, _mixes(folder.model / "best.th"))
            write_json(folder.trained, {"cut_short": cut_short, "device": _device_name(folder)})
        _run_allennlp([*job.evaluate, "--cuda-device", str(_device(folder))])
    except BaseException as error:
        write_json(folder.error, {"error": _one_line(error)})
        raise


def _train(job: Job, folder: RunFolder) -> bool:
    """Trains, and returns whether the time limit ended it."""
    # The command's module turns SIGTERM into an exception on which AllenNLP keeps its best epoch.
    from allennlp.common.util import SigTermReceived
    from allennlp.models.archival import archive_model

    expired = threading.Event()
    try:
        with _alarm(job.seconds_left, expired):
            _run_allennlp(job.train)
    except SigTermReceived:
        if not expired.is_set():
            raise
        if not (folder.model / "best.th").exists():
            raise TimeoutError("the time limit was over before the first epoch") from None
        # The signal may have come while AllenNLP was writing its archive.
        archive_model(str(folder.model))
        return not (folder.model / "metrics.json").exists()
    return False


@contextmanager
def _alarm(seconds: float | None, expired: threading.Event) -> Iterator[None]:
    """Sends this process SIGTERM when the time is over."""
    if seconds is None:
        yield
        return

    def expire() -> None:
        expired.set()
        os.kill(os.getpid(), signal.SIGTERM)

    timer = threading.Timer(max(seconds, 0.0), expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _run_allennlp(arguments: Sequence[str]) -> None:
    """Runs a command of AllenNLP as its console script does."""
    from allennlp.__main__ import run

    sys.argv = ["allennlp", *arguments]
    sys.stdout.write(f"$ {shlex.join(sys.argv)}\n")
    sys.stdout.flush()
    run()


def _device(folder: RunFolder) -> int:
    """The device that `train` took; `evaluate` takes the CPU unless it is told the same."""
    import torch

    trainer = json.loads((folder.model / "config.json").read_text(encoding="utf-8")).get("trainer", {})
    device = trainer.get("cuda_device")
    if device is None:
        return 0 if torch.cuda.is_available() else -1
    return int(device)


def _device_name(folder: RunFolder) -> str:
    import torch

    device = _device(folder)
    return "cpu" if device < 0 else torch.cuda.get_device_name(device)


def _mixes(weights_file: Path) -> dict[str, Any]:
    """The learned mixes in a model's state, by the name of the module that owns them."""
    import torch

    state = torch.load(weights_file, map_location="cpu", weights_only=True, mmap=True)
    mixes = {}
    for name, gamma in state.items():
        if name.endswith("mix.gamma"):
            weights = state.get(f"{name.removesuffix('gamma')}weights")
            shares = [] if weights is None else torch.softmax(weights.double(), dim=0).tolist()
            mixes[name.removesuffix(".mix.gamma")] = {"weights": shares, "gamma": float(gamma)}
    return mixes


def _end_with_parent() -> None:
    """Ends this process and its children when standard input is at its end: the runner is gone."""
    # Not through `sys.stdin`, whose lock a thread must not hold when Python ends.
    while os.read(0, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _one_line(error: BaseException) -> str:
    """An exception as one line: the sentence of a user's mistake, else the last line of its trace."""
    if isinstance(error, SystemExit) and error.__context__ is not None:
        error = error.__context__
    sentence = user_mistake(error)
    if sentence is not None:
        return sentence
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


if __name__ == "__main__":
    main(Path(sys.argv[1]))
