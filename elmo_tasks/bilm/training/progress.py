"""What a training run says while it runs: lines, and a bar where somebody watches."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None


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


def summary_writer(folder: Path, first_step: int) -> Any:
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
