"""Files that appear under their name only when they are complete."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elmo_tasks.errors import InputError


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
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{path}: the file cannot be written ({reason}).") from error
    finally:
        aside.unlink(missing_ok=True)
