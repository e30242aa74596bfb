"""Files of one token a line in columns, with blank lines between sentences, as the CoNLL shared tasks have them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elmo_tasks.errors import InputError
from elmo_tasks.formats.files import read_lines

_BLANKS = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Row:
    """
    A line that is not blank.

    Parameters
    ----------
    number : of the line, from 1.
    columns : its parts between spaces or tabs.
    """

    number: int
    columns: tuple[str, ...]


def read_blocks(path: str | Path, num_columns: int) -> Iterator[list[Row]]:
    """
    The runs of rows between blank lines of a UTF-8 file, plain or compressed. Windows line ends are accepted.

    Parameters
    ----------
    num_columns : that every row must have.

    Raises
    ------
    InputError
        With file and line: a row of more or fewer columns, or what :func:`~elmo_tasks.formats.files.read_lines` raises.
    """
    block: list[Row] = []
    for number, line in read_lines(path):
        text = line.strip(" \t\r")
        if not text:
            if block:
                yield block
            block = []
            continue
        columns = tuple(_BLANKS.split(text))
        if len(columns) != num_columns:
            raise InputError(
                f"{path}:{number}: found {len(columns)} columns ({text[:60]!r}), expected {num_columns} with spaces or "
                "tabs between them."
            )
        block.append(Row(number, columns))
    if block:
        yield block
