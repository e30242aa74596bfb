"""A fix of how AllenNLP unpacks archives."""

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from elmo_tasks.errors import InputError

# Python before 3.11.4 has no filters; there, `unpack` looks at the members itself.
_REFUSED: type[Exception] | tuple[()] = getattr(tarfile, "FilterError", ())


def unpack(archive_file: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """
    Unpacks a `.tar.gz` into a folder, and nothing outside it.

    Raises InputError for a file that is no such archive, and for one with a member that would lie elsewhere: an
    absolute name, a way up, a link out of the folder, a device.
    """
    try:
        with tarfile.open(archive_file, "r:gz") as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(folder, filter="data")
            else:
                for member in archive.getmembers():
                    inside = (Path(folder) / member.name).resolve().is_relative_to(Path(folder).resolve())
                    if not inside or not (member.isfile() or member.isdir()):
                        raise InputError(f"{archive_file}: refused to unpack {member.name!r}, which leaves the folder")
                archive.extractall(folder)
    except _REFUSED as error:
        raise InputError(f"{archive_file}: refused to unpack it, since {error}") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{archive_file}: found no complete .tar.gz archive of a model ({error})") from error


@contextmanager
def contained_extraction(module: ModuleType) -> Iterator[None]:
    """
    What: an archive is unpacked without leaving its folder.

    Where: models/archival.py, `extracted_archive`, which `load_archive` and all commands go through.
    Why: it unpacks every member where its name says, `../../.bashrc` too; Python 3.12 and 3.13 warn of that, 3.14
    has the safe way as its default.
    Until: Python 3.14 is the oldest that is supported.
    """
    yield
    logger = module.logger

    @contextmanager
    def extracted_archive(resolved_archive_file: str | os.PathLike[str], cleanup: bool = True) -> Iterator[str]:
        folder = tempfile.mkdtemp()
        done = False
        try:
            logger.info("extracting archive file %s to temp dir %s", resolved_archive_file, folder)
            unpack(resolved_archive_file, folder)
            done = True
            yield folder
        finally:
            if cleanup or not done:
                logger.info("removing temporary unarchived model dir at %s", folder)
                shutil.rmtree(folder, ignore_errors=True)

    module.extracted_archive = extracted_archive  # type: ignore[attr-defined]
