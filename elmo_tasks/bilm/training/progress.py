"""What a training run says while it runs: lines, a log with curves, and a bar where somebody watches."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from elmo_tasks.bilm.writing import written_aside
from elmo_tasks.errors import InputError

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None


LOG_NAME = "log.jsonl"
BOARD_NAME = "tensorboard"


def print_line(line: str) -> None:
    """Write a line to standard error at once, above a bar if there is one."""
    if tqdm is None:
        sys.stderr.write(line + "\n")
    else:
        tqdm.write(line, file=sys.stderr)
    sys.stderr.flush()


def resident_memory() -> float | None:
    """Memory that this process takes now, in GB (10^9 bytes); ``None`` where the system does not say (not Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (OSError, ValueError, IndexError):
        return None


class TrainingLog:
    """
    The figures of a run as lines of ``log.jsonl``, and as curves of TensorBoard while a board is open.

    Parameters
    ----------
    folder : of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._board: Any = None

    def open_board(self, first_step: int) -> None:
        """Draw from now on, where TensorBoard can be written; ``first_step`` as in :func:`_summary_writer`."""
        self._board = _summary_writer(self._folder / BOARD_NAME, first_step)

    def close_board(self) -> None:
        """Draw no more."""
        if self._board is not None:
            # The log has the same figures, and says what is wrong with the disk.
            with suppress(OSError):
                self._board.close()
            self._board = None

    def keep(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """
        Take all other lines out of the file, and one that a killed program or a full disk has left unfinished.

        Raises
        ------
        InputError
            If the file cannot be read or written.
        """
        path = self._folder / LOG_NAME
        try:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        except OSError as error:
            raise InputError(f"{path}: the file cannot be read ({error.strerror}).") from error
        kept = [line for line in lines if (entry := _entry(line)) is not None and wanted(entry)]
        if kept != lines:
            with written_aside(path) as aside:
                aside.write_text("".join(kept), encoding="utf-8")

    def write(self, batch: int, entry: Mapping[str, Any], curves: Mapping[str, float]) -> None:
        """
        Add a line, and a point to each curve.

        Raises
        ------
        InputError
            If the line cannot be written.
        """
        path = self._folder / LOG_NAME
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"batch": batch, **entry}) + "\n")
        except OSError as error:
            raise InputError(f"{path}: the file cannot be written ({error.strerror}).") from error
        if self._board is not None:
            for name, value in curves.items():
                self._board.add_scalar(name, value, batch)
            self._board.flush()


def _entry(line: str) -> Any:
    """What a line of the log holds; ``None`` of one that is not whole."""
    with suppress(ValueError):
        return json.loads(line) if line.endswith("\n") else None
    return None


def _summary_writer(folder: Path, first_step: int) -> Any:
    """
    Writes TensorBoard's files to the folder; ``None`` where neither tensorboardX nor tensorboard is installed.

    What a run that was cut short has written from ``first_step`` on does not count.
    """
    for needed, module in (("tensorboardX", "tensorboardX"), ("tensorboard", "torch.utils.tensorboard")):
        if find_spec(needed) is not None:
            return import_module(module).SummaryWriter(str(folder), purge_step=first_step)
    return None


@contextmanager
def progress_bar(total: int, done: int) -> Iterator[Callable[[], Any]]:
    """
    A bar of batches on a terminal where tqdm is installed, elsewhere nothing; gives what to call after each batch.

    Parameters
    ----------
    total, done : batches of the whole run, and those behind it.
    """
    if tqdm is None or not sys.stderr.isatty():
        yield lambda: None
        return
    with tqdm(total=total, initial=done, unit="batch", dynamic_ncols=True, file=sys.stderr) as bar:
        yield bar.update


def clock(seconds: float) -> str:
    """A duration as a progress line has it: ``1:05 h`` or ``4:30 min``."""
    minutes = int(seconds // 60)
    return f"{minutes // 60}:{minutes % 60:02d} h" if minutes >= 60 else f"{minutes}:{int(seconds) % 60:02d} min"
