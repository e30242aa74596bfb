"""Text files as all formats read and write them: strictly UTF-8, plain or compressed, never half written."""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from elmo_tasks.errors import InputError

_OPENERS: dict[str, Callable[..., IO[Any]]] = {
    ".gz": cast(Callable[..., IO[Any]], gzip.open),
    ".xz": cast(Callable[..., IO[Any]], lzma.open),
    ".bz2": cast(Callable[..., IO[Any]], bz2.open),
}
# What the decompressors raise for damaged or truncated data; gzip.BadGzipFile is an OSError.
_DAMAGED = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def open_binary(path: str | Path) -> IO[bytes]:
    """
    Open a file for reading, decompressed by its last suffix (.gz, .xz, .bz2; anything else is plain).

    Raises
    ------
    InputError
        If there is no such file or it cannot be opened.
    """
    path = Path(path).expanduser()
    opener: Callable[..., IO[Any]] = _OPENERS.get(path.suffix.lower(), open)
    try:
        return cast(IO[bytes], opener(path, "rb"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file.") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: this is a folder, expected a file.") from error
    except OSError as error:
        raise InputError(f"{path}: the file cannot be opened ({error.strerror or error}).") from error


def read_byte_lines(path: str | Path) -> Generator[tuple[int, bytes], None, None]:
    """
    Yield ``(line number from 1, line with its line feed)`` of a file, plain, .gz, .xz or .bz2, in whatever encoding.

    Raises
    ------
    InputError
        Naming file and line, where the file is missing or damaged.
    """
    number = 0
    with open_binary(path) as handle:
        try:
            for number, line in enumerate(handle, start=1):
                yield number, line
        except _DAMAGED as error:
            raise InputError(
                f"{path}:{number + 1}: the compressed file is damaged or cut short here ({error}); get it again."
            ) from error
        except OSError as error:
            raise InputError(f"{path}:{number + 1}: the file cannot be read ({error.strerror or error}).") from error


def read_lines(path: str | Path) -> Generator[tuple[int, str], None, None]:
    """
    Yield ``(line number from 1, line without its line feed)`` of a UTF-8 text file, plain, .gz, .xz or .bz2.

    Only LF ends a line: a carriage return or a Unicode line separator is part of it, so that what is written back is
    what was read.

    Raises
    ------
    InputError
        Naming file and line, where the file is missing, damaged, starts with a byte order mark or is not UTF-8.
    """
    yield from decode_lines(read_byte_lines(path), str(path))


def decode_lines(lines: Iterable[tuple[int, bytes]], source: str) -> Generator[tuple[int, str], None, None]:
    """
    The lines of :func:`read_lines` from those of :func:`read_byte_lines`, which may come from elsewhere.

    Parameters
    ----------
    source
        What messages call the file.
    """
    for number, raw in lines:
        if number == 1 and raw.startswith(_BYTE_ORDER_MARK):
            raise InputError(f"{source}:1: the file starts with a byte order mark; save it as UTF-8 without one.")
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{source}:{number}: byte {error.start + 1} of the line (0x{raw[error.start]:02x}) is not UTF-8; "
                "convert the file to UTF-8."
            ) from error
        yield number, line.removesuffix("\n")


@contextmanager
def open_to_write(path: str | Path) -> Iterator[IO[str]]:
    """
    Write a UTF-8 text file (LF line ends, compressed by suffix) that appears under its name only when complete.

    If the block raises, an older file of that name stays as it was.
    """
    path = Path(path).expanduser()
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    opener: Callable[..., IO[Any]] = _OPENERS.get(path.suffix.lower(), open)
    try:
        with cast(IO[str], opener(aside, "wt", encoding="utf-8", newline="\n")) as handle:
            yield handle
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
