"""
Files with a column of coreference, read as the official scorer reads them, and scored.

It looks at the lines `#begin document NAME` and `#end document`, and of each row between them at the last column. There
`(7` begins a mention of cluster 7, `7)` ends the one that began last, and `(7)` is a mention of one token; blank lines
do not count. In a cell it takes mentions of one token first, then beginnings, then ends, wherever they stand.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from elmo_tasks.errors import InputError
from elmo_tasks.scoring.coref import CorefScore, CorefScorer
from elmo_tasks.scoring.places import Line, place
from elmo_tasks.scoring.refusal import RefusalError

MAX_REPEATED = 10
"""So many repeated mentions of the response are dropped; for more, the official program refuses to score."""

_BEGIN = re.compile(r"#\s*begin document (.*)", re.ASCII)
_END = re.compile(r"#\s*end document", re.ASCII)
_TWO_CLUSTERS = re.compile(r"\(([0-9]+\+[0-9])\)")
_ONE_TOKEN = re.compile(r"\(([0-9]+)\)")
_OPENS = re.compile(r"\(([0-9]+)")
_CLOSES = re.compile(r"([0-9]+)\)")
_NOTHING = ("", "-", "_")
_BLANKS = " \t\r\f\v"
_EXPECTED = "'#begin document (NAME); part 000' and later '#end document'"


class Mention(NamedTuple):
    """Rows `start` to `end`, both included, of a document, from 0."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """
    The coreference of a document.

    Parameters
    ----------
    name
        All that stands behind `#begin document `.
    line
        Where it begins.
    clusters
        In the order of their first brackets; their mentions in the order of their ends.
    rows
        Each row's line.
    """

    name: str
    line: Line
    clusters: list[list[Mention]] = field(default_factory=list)
    rows: list[Line] = field(default_factory=list)


class _Notes:
    """Counts what is passed over, by kind, and keeps the first place of each."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._kinds: dict[str, tuple[int, str]] = {}

    def add(self, kind: str, line: Line, shown: str = "") -> None:
        number, first = self._kinds.get(kind, (0, f"line {line}" + (f" ({shown[:60]!r})" if shown else "")))
        self._kinds[kind] = number + 1, first

    def sentences(self) -> list[str]:
        return [f"{self._source}: {kind}: {number}, first {first}." for kind, (number, first) in self._kinds.items()]


def score_lines(
    key: Iterable[tuple[Line, str]], response: Iterable[tuple[Line, str]], key_source: str, response_source: str
) -> tuple[CorefScore, list[str]]:
    """
    Scores the documents of a key; those that the response lacks have no mention there.

    Parameters
    ----------
    key, response
        Pairs of line number and line; from several files of its place, `FILE:LINE`, and line.
    key_source, response_source
        What messages call the files.

    Returns
    -------
    score, warnings
        The second are sentences about what is missing, repeated or not read.

    Raises
    ------
    InputError
        If a file has no document, or one of its documents has no end.
    RefusalError
        Where the official program ends without a score: brackets do not match, or the response repeats too many
        mentions.
    """
    key_documents, warnings = read_documents(key, key_source)
    response_documents, response_warnings = read_documents(response, response_source)
    warnings += response_warnings
    key_notes, response_notes = _Notes(key_source), _Notes(response_source)
    scorer = CorefScorer()
    num_repeated = 0
    lacking: set[str] = set()
    for document in key_documents.values():
        answer = response_documents.pop(document.name, None)
        if answer is None:
            missed = f"documents that {response_source} does not have, whose mentions count as missed"
            key_notes.add(missed, document.line, document.name)
            lacking.add(_loosely(document.name))
            answer = Document(document.name, 0)
        elif len(answer.rows) != len(document.rows):
            other = f"documents with another number of rows than in {key_source}, by which mentions are compared"
            response_notes.add(other, answer.line, answer.name)
        for mention in scorer.add_document(document.clusters, answer.clusters):
            num_repeated += 1
            line = answer.rows[mention.start]
            if num_repeated > MAX_REPEATED:
                raise RefusalError(
                    f"{place(response_source, line)}: Found too many repeated mentions (> {MAX_REPEATED}) in the "
                    "response, so refusing to score. Please fix the output: expected each span in one cluster, once."
                )
            response_notes.add("mentions of the key that stand here more than once, of which one counts", line)
    for answer in response_documents.values():
        response_notes.add(f"documents that {key_source} does not have, which do not count", answer.line, answer.name)
        if _loosely(answer.name) in lacking:
            near = f"names that differ in blanks or noughts alone from one of {key_source}, which makes them others"
            response_notes.add(near, answer.line, answer.name)
    warnings += key_notes.sentences() + response_notes.sentences()
    return scorer.score(), warnings


def read_documents(lines: Iterable[tuple[Line, str]], source: str) -> tuple[dict[str, Document], list[str]]:
    """
    The documents of a file by name; of two with one name the last.

    Parameters
    ----------
    lines
        As for `score_lines`.
    source
        What messages call the file.

    Returns
    -------
    documents, warnings
        The second are sentences about what the official program passes over without a word.

    Raises
    ------
    InputError
        If there is no document, or one has no end.
    RefusalError
        If a mention has no beginning or no end in its document.
    """
    documents: dict[str, Document] = {}
    notes = _Notes(source)
    number: Line = 0
    open_document: _OpenDocument | None = None
    for number, line in lines:
        begin = _BEGIN.fullmatch(line.removesuffix("\r"))
        if begin:
            if open_document:
                raise InputError(
                    f"{place(source, number)}: a document begins, but that of line {open_document.line} has no end; "
                    "expected '#end document' before this line."
                )
            open_document = _OpenDocument(begin[1], number, source, notes)
        elif open_document is None:
            if line.strip(_BLANKS):
                notes.add("lines outside of documents, which are not read", number, line)
        elif _END.search(line):
            document = open_document.end()
            if documents.pop(document.name, None):
                notes.add("documents with a name that stands here before, of which the last counts", document.line)
            documents[document.name] = document
            open_document = None
        else:
            open_document.add_line(number, line.strip(_BLANKS))
    if open_document:
        raise InputError(
            f"{place(source, open_document.line)}: this document has no end; expected '#end document' at the latest in "
            f"line {number}."
        )
    if not documents:
        raise InputError(f"{source}: there is no document in this file, expected {_EXPECTED}.")
    return documents, notes.sentences()


def _loosely(name: str) -> str:
    """A document's name without its blanks and the noughts that its part's number begins with."""
    return re.sub("part0*", "part", "".join(name.split()))


class _OpenDocument:
    """A document of which rows are still to come."""

    def __init__(self, name: str, line: Line, source: str, notes: _Notes) -> None:
        self.line = line
        self._document = Document(name, line)
        self._source = source
        self._notes = notes
        self._sentence = 0
        self._sentences: list[int] = []
        # For each cluster's number in the file its mentions, and the rows at which others have begun.
        self._clusters: dict[str, tuple[list[Mention], list[int]]] = {}

    def add_line(self, number: Line, text: str) -> None:
        if not text:
            self._sentence += 1
            return
        row = len(self._document.rows)
        self._document.rows.append(number)
        self._sentences.append(self._sentence)
        # Columns have tabs between them, or blanks if there is no tab.
        cell = text.rpartition("\t" if "\t" in text else " ")[2]
        if cell in _NOTHING:
            return
        discarded, rest = _take(_TWO_CLUSTERS, cell)
        only, rest = _take(_ONE_TOKEN, rest)
        opened, rest = _take(_OPENS, rest)
        closed, rest = _take(_CLOSES, rest)
        if discarded or rest.strip("|") not in _NOTHING:
            self._notes.add(
                "cells of the last column with something else than brackets, which is not read", number, cell
            )
        for cluster in only:
            self._of(cluster)[0].append(Mention(row, row))
        for cluster in opened:
            self._of(cluster)[1].append(row)
        for cluster in closed:
            mentions, begun = self._of(cluster)
            if not begun:
                index = list(self._clusters).index(cluster)
                raise RefusalError(
                    f"{place(self._source, number)}: Detected the end of a mention [{cluster}]({index}) without begin "
                    f"(?,{row}); expected '({cluster}' before it, in the same document."
                )
            mention = Mention(begun.pop(), row)
            if self._sentences[mention.start] != self._sentence:
                self._notes.add("mentions with a blank line inside, which count all the same", number, cell)
            mentions.append(mention)

    def end(self) -> Document:
        for cluster, (mentions, begun) in self._clusters.items():
            if begun:
                where = place(self._source, self._document.rows[begun[-1]])
                raise RefusalError(
                    f"{where}: Error: some mentions in the document do not close; the one that '({cluster}' begins "
                    f"here is the first, expected '{cluster})' before the end of the document."
                )
            self._document.clusters.append(mentions)
        return self._document

    def _of(self, cluster: str) -> tuple[list[Mention], list[int]]:
        return self._clusters.setdefault(cluster, ([], []))


def _take(pattern: re.Pattern[str], cell: str) -> tuple[list[str], str]:
    """What the pattern's group matches, and the rest; taking a match away can bring the next one about."""
    taken = []
    while match := pattern.search(cell):
        taken.append(match[1])
        cell = cell[: match.start()] + cell[match.end() :]
    return taken, cell
