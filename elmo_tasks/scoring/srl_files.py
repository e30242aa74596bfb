"""
Files of predicates and arguments in the columns of CoNLL-2005, scored as `srl-eval.pl` does it.

`score_lines` scores two files, `arguments` decodes a column of brackets.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from elmo_tasks.errors import InputError
from elmo_tasks.scoring.latin1 import shown
from elmo_tasks.scoring.places import Line, place
from elmo_tasks.scoring.refusal import RefusalError
from elmo_tasks.scoring.srl import Argument, Phrase, RoleScore, RoleScorer, join_pieces

NO_PREDICATE = "-"
"""The first column of a row that is no predicate's."""

# A label goes on to the next bracket or star; an escaped star is part of it.
_OPENING = re.compile(r"\(((?:\\\*|[^*(])+)")
_CLOSING = re.compile(r"([^)]*)\)")
# What is false in the script's language: closing brackets with these names match any opening one.
_NO_NAME = frozenset({"", "0"})
_CONLL_2012 = b"#begin document"
_DIES = "phrase_set->load_SE_tagging: "

# Line and cells of each row of a sentence.
_Rows = list[tuple[Line, list[bytes]]]
# Lemma and arguments of each predicate of a sentence, by its row.
_Propositions = dict[int, tuple[str, list[Argument]]]


class _Cell(NamedTuple):
    line: Line
    text: str


class BracketError(ValueError):
    """
    A column that the script does not accept.

    Attributes
    ----------
    position
        The row to blame, from 0.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


def arguments(column: Sequence[str]) -> list[Argument]:
    """
    The arguments of a column of brackets, such as `(A0*`, `*)`, `(V*)`, `*`.

    Spans may lie in each other, which CoNLL-2005 does not use; of two with the same ends the inner one counts.

    Raises
    ------
    BracketError
        Where the script ends.
    """
    open_phrases: list[Phrase] = []
    phrases: dict[tuple[int, int], Phrase] = {}
    for position, cell in enumerate(column):
        rest = cell
        while not rest.startswith("*"):
            opening = _OPENING.match(rest)
            if not opening:
                raise BracketError(position, f"{_DIES}opening nodes -- bad format in {shown(cell)}")
            open_phrases.append(Phrase(opening[1], position, position + 1))
            rest = rest[opening.end() :]
        rest = rest[1:]
        while rest:
            closing = _CLOSING.match(rest)
            if not closing:
                raise BracketError(position, f"{_DIES}closing phrases -- bad format in {shown(cell)}")
            if not open_phrases:
                raise BracketError(position, f"{shown(cell)} closes a bracket, but none is open")
            phrase = open_phrases.pop()
            if closing[1] not in _NO_NAME and closing[1] != phrase.label:
                names = f"{shown(phrase.label)} and {shown(closing[1])}"
                raise BracketError(position, f"{_DIES}types do not match: {names}")
            phrase.end = position + 1
            phrases.setdefault((phrase.start, phrase.end), phrase)
            if open_phrases:
                open_phrases[-1].inside.append(phrase)
            rest = rest[closing.end() :]
    if open_phrases:
        raise BracketError(open_phrases[-1].start, f"{_DIES}some phrases are unclosed")
    return join_pieces(phrases.values())


def score_lines(
    gold: Iterable[tuple[Line, bytes]],
    predicted: Iterable[tuple[Line, bytes]],
    gold_source: str = "gold",
    predicted_source: str = "standard input",
) -> tuple[RoleScore, list[str]]:
    """
    Scores files of rows with a blank line between sentences.

    The first column has the lemma of each predicate and `-` elsewhere, then comes a column of brackets for each of
    them. Predicates belong together if they have the same row and the same lemma. Bytes are taken as Latin-1
    characters, so that any encoding is read, and labels are sorted and aligned by bytes as the script does it.

    Parameters
    ----------
    gold, predicted
        Pairs of line number and line; of gold from several files of its place, `FILE:LINE`, and line.
    gold_source, predicted_source
        What messages call the files.

    Returns
    -------
    score, warnings
        The second are sentences about what does not count, or counts as missed; one of each kind.

    Raises
    ------
    RefusalError
        Where the script ends: brackets that do not match, sentences of two lengths, predictions that end too early.
    InputError
        If one of the two has no line at all, or is in CoNLL-2012's columns.
    """
    scorer = RoleScorer()
    doubts = _Doubts()
    gold = _begun(gold, gold_source, doubts)
    predicted = _begun(predicted, predicted_source, doubts)
    predicted_sentences = _sentences(predicted)
    for number, gold_rows in enumerate(_sentences(gold)):
        propositions = _propositions(gold_rows, gold_source, doubts)
        where = place(gold_source, gold_rows[0][0])
        rows = next(predicted_sentences, None)
        if rows is None:
            raise RefusalError(
                f"{predicted_source}: there is no sentence for that of {where} (Can't use an undefined value as an "
                "ARRAY reference); expected as many as in gold, with exactly one blank line between two."
            )
        if len(rows) != len(gold_rows):
            raise RefusalError(
                f"{place(predicted_source, rows[0][0])}: ERROR : sentence {number} : gold and pred sentences do not "
                f"align correctly! This one has {len(rows)} rows, that of {where} has {len(gold_rows)}; is a blank "
                f"line missing in {predicted_source if len(rows) > len(gold_rows) else gold_source}?"
            )
        predictions = _propositions(rows, predicted_source, doubts)
        places = [place(predicted_source, line) for line, _ in rows]
        scorer.add_sentence(_pairs(propositions, predictions, places, doubts))
    for lines, source, why in (
        (gold, gold_source, "a blank line that ends no sentence ends the file for the script"),
        (predicted, predicted_source, "gold has no more sentences"),
    ):
        following = next((number for number, line in lines if line.split()), None)
        if following:
            doubts.add(place(source, following), f"from here on nothing counts, because {why}")
    return scorer.score(), list(doubts)


class _Doubts:
    """What one should know about a score: one sentence of each kind, with its first place and how often it is so."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def add(self, where: str, kind: str) -> None:
        self._first.setdefault(kind, where)
        self._counts[kind] += 1

    def __iter__(self) -> Iterator[str]:
        for kind, first in self._first.items():
            count = self._counts[kind]
            yield f"{first}: {kind}{f' (the first of {count})' if count > 1 else ''}."


def _begun(lines: Iterable[tuple[Line, bytes]], source: str, doubts: _Doubts) -> Iterator[tuple[Line, bytes]]:
    """The lines, of which the first was looked at."""
    lines = iter(lines)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{source}: the file is empty, expected a token a line: lemma or -, then columns of brackets.")
    if first[1].startswith(_CONLL_2012):
        raise InputError(
            f"{place(source, first[0])}: {shown(first[1].strip().decode('latin-1'))} begins a file in CoNLL-2012's "
            "columns, expected a token a line: lemma or -, then columns of brackets; gold in CoNLL-2012's columns has "
            "a name that ends in gold_conll, gold_conll.gz or gold_conll.xz."
        )
    if first[1].startswith(codecs.BOM_UTF8):
        doubts.add(
            place(source, first[0]),
            "the file starts with a byte order mark, which the script takes for a part of the first cell; save it "
            "without one",
        )
    return chain([first], lines)


def _sentences(lines: Iterator[tuple[Line, bytes]]) -> Iterator[_Rows]:
    """The rows of each sentence, up to the first blank line that ends none."""
    rows: _Rows = []
    for number, line in lines:
        cells = line.split()
        if cells:
            rows.append((number, cells))
        elif rows:
            yield rows
            rows = []
        else:
            return
    if rows:
        yield rows


def _pairs(
    gold: _Propositions, predicted: _Propositions, places: list[str], doubts: _Doubts
) -> list[tuple[list[Argument], list[Argument]]]:
    """Gold and predicted arguments of each predicate of gold."""
    pairs = []
    for row, (lemma, expected) in gold.items():
        found_lemma, found = predicted.get(row, (None, []))
        if found_lemma is None:
            doubts.add(places[row], "a predicate of gold is not predicted, its arguments count as missed")
        elif found_lemma != lemma:
            doubts.add(places[row], "the predicate has another lemma than in gold, its arguments count as missed")
            found = []
        pairs.append((expected, found))
    for row in sorted(predicted.keys() - gold.keys()):
        doubts.add(places[row], "a predicate that gold has not, it does not count")
    return pairs


def _propositions(rows: _Rows, source: str, doubts: _Doubts) -> _Propositions:
    # A row with a cell less is not filled up: what stands below it in its last column moves up.
    columns: list[list[_Cell]] = []
    for number, cells in rows:
        if len(cells) != len(rows[0][1]):
            doubts.add(place(source, number), "a row of another number of columns than its sentence's first")
        for column, cell in enumerate(cells):
            if column == len(columns):
                columns.append([])
            columns[column].append(_Cell(number, cell.decode("latin-1")))
    remaining = iter(columns[1:])
    propositions: _Propositions = {}
    for row, lemma in enumerate(columns[0]):
        if lemma.text == NO_PREDICATE:
            continue
        column_cells = next(remaining, None)
        if column_cells is None:
            doubts.add(place(source, lemma.line), "there is no column for this predicate, which has no arguments then")
            propositions[row] = lemma.text, []
        else:
            propositions[row] = lemma.text, _arguments(column_cells, lemma, source)
    surplus = next(remaining, None)
    if surplus:
        doubts.add(place(source, surplus[0].line), "more columns than predicates, those at the end do not count")
    return propositions


def _arguments(column: list[_Cell], lemma: _Cell, source: str) -> list[Argument]:
    try:
        return arguments([cell.text for cell in column])
    except BracketError as error:
        raise RefusalError(
            f"{place(source, column[error.position].line)}: {error}; expected '*', '(A0*', '*)' or '(A0*)', with "
            f"brackets that match, in the column of {shown(lemma.text)}, the predicate of line {lemma.line}."
        ) from None
