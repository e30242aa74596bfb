"""Files that appear under their name only when they are complete, and the folders they go to."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from elmo_tasks.errors import InputError


def make_folder(path: str | Path) -> Path:
    """
    The folder, made where it is missing, and known to take files.

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
        tempfile.TemporaryFile(dir=path).close()
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
        # HDF5 and torch report a full disk as a RuntimeError.
        reason = getattr(error, "strerror", None) or (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: the file cannot be written ({reason}).") from error
    finally:
        # Where there is no such folder there is nothing to remove either.
        with suppress(OSError):
            aside.unlink()
