"""CoNLL-2003's files of named entities: word, part of speech, chunk and entity tag in columns, documents, sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elmo_tasks.errors import InputError
from elmo_tasks.formats.columns import Row, read_blocks
from elmo_tasks.formats.tags import Span, TagError, decode

# Word, part of speech, chunk, entity.
_NUM_COLUMNS = 4
_WORD, _ENTITY = 0, 3
_DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True, slots=True)
class Sentence:
    """
    A sentence with its entities.

    Parameters
    ----------
    words : its tokens.
    entities : their spans, in order.
    document : its number, from 0; -1 before the first ``-DOCSTART-``.
    line : of its first word.
    """

    words: list[str]
    entities: list[Span]
    document: int
    line: int


def read_sentences(path: str | Path, scheme: str = "IOB1") -> Iterator[Sentence]:
    """
    The sentences of a file, plain or compressed. A row of the word ``-DOCSTART-`` begins a document and is no token.

    Parameters
    ----------
    scheme : how the file codes entities (:data:`~elmo_tasks.formats.tags.SCHEMES`), taken strictly.

    Raises
    ------
    InputError
        With file and line: a row of more or fewer than four columns, a tag that cannot stand where it does, bytes that
        are not UTF-8; or a file without any sentence.
    """
    for document, rows in _sentences(path):
        try:
            entities = decode([row.columns[_ENTITY] for row in rows], scheme)
        except TagError as error:
            row = rows[min(error.position, len(rows) - 1)]
            raise InputError(f"{path}:{row.number}: {error} (the file is read as {scheme}).") from None
        yield Sentence([row.columns[_WORD] for row in rows], entities, document, rows[0].number)


def read_words(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """
    The line and the words of each sentence of a file, however its entities are coded.

    Raises
    ------
    InputError
        As :func:`read_sentences`, but for the tags.
    """
    for _, rows in _sentences(path):
        yield rows[0].number, [row.columns[_WORD] for row in rows]


def _sentences(path: str | Path) -> Iterator[tuple[int, list[Row]]]:
    """Each sentence's document and rows."""
    document = -1
    empty = True
    for block in read_blocks(path, _NUM_COLUMNS):
        rows: list[Row] = []
        for row in block:
            if row.columns[_WORD] != _DOCUMENT:
                rows.append(row)
                continue
            if rows:
                empty = False
                yield document, rows
            rows = []
            document += 1
        if rows:
            empty = False
            yield document, rows
    if empty:
        raise InputError(
            f"{path}: no sentence in this file; expected rows of word, part of speech, chunk and entity tag."
        )
