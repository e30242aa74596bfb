"""Files that appear under their name only when they are complete, and the folders they go to."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from elmo_tasks.errors import InputError

# Free bytes of a disk that is called full.
_FULL = 2**20

# Bytes that a folder must take before anything begins.
_PROBE = 2**16


def make_folder(path: str | Path) -> Path:
    """
    The folder, made where it is missing, and known to take files and bytes.

    Raises
    ------
    InputError
        If it cannot be made, or nothing can be written in it.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: the output folder cannot be made ({error.strerror}); name another one.") from error
    try:
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(bytes(_PROBE))
    except OSError as error:
        raise InputError(
            f"{path}: nothing can be written in this folder ({error.strerror}); name another one."
        ) from error
    return path


@contextmanager
def written_aside(path: str | Path) -> Iterator[Path]:
    """
    Give a name to write to, which takes the place of ``path`` when the block ends; if it does not, ``path`` stays.

    Raises
    ------
    InputError
        If the file cannot be written: no such folder, no permission, a full disk.
    """
    path = Path(path)
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(aside, path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: the file cannot be written ({_reason(error, path.parent)}).") from error
    finally:
        # Where there is no such folder there is nothing to remove either.
        with suppress(OSError):
            aside.unlink()


def _reason(error: Exception, folder: Path) -> str:
    if reason := getattr(error, "strerror", None):
        return str(reason)
    # HDF5 and torch report a full disk in words of their own, as a RuntimeError or an OSError.
    with suppress(OSError):
        if shutil.disk_usage(folder).free < _FULL:
            return "the disk is full"
    return (str(error) or type(error).__name__).splitlines()[0]
