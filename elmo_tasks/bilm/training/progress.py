"""What a training run says while it runs: lines, and a bar where somebody watches."""

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


def summary_writer(folder: Path) -> Any:
    """Writes TensorBoard's files to the folder; ``None`` where neither tensorboardX nor tensorboard is installed."""
    for needed, module in (("tensorboardX", "tensorboardX"), ("tensorboard", "torch.utils.tensorboard")):
        if find_spec(needed) is not None:
            return import_module(module).SummaryWriter(str(folder))
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
