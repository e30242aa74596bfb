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
_EXPECTED = "expected rows of word, part of speech, chunk and entity tag"

# Sentences of the words 1, 2, 3, … are an index column where the longest has so many.
_TELLING_LENGTH = 3


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
        are not UTF-8; or a file without any sentence, or (at its end) one with indices in the place of the words.
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
    longest, only_indices = 0, True
    for document, rows in _runs(path):
        longest = max(longest, len(rows))
        only_indices = only_indices and all(row.columns[_WORD] == str(place) for place, row in enumerate(rows, 1))
        yield document, rows
    if not longest:
        raise InputError(f"{path}: no sentence in this file; {_EXPECTED}.")
    if only_indices and longest >= _TELLING_LENGTH:
        raise InputError(f"{path}: the first column counts the words of each sentence; {_EXPECTED}.")


def _runs(path: str | Path) -> Iterator[tuple[int, list[Row]]]:
    """The rows between blank lines and documents' beginnings, with their document."""
    document = -1
    for block in read_blocks(path, _NUM_COLUMNS):
        rows: list[Row] = []
        for row in block:
            if row.columns[_WORD] != _DOCUMENT:
                rows.append(row)
                continue
            if rows:
                yield document, rows
            rows = []
            document += 1
        if rows:
            yield document, rows
