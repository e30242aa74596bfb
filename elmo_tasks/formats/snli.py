"""SNLI's files of sentence pairs, a JSON object a line, and files of labels that were predicted for them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elmo_tasks.errors import InputError
from elmo_tasks.formats.files import read_lines
from elmo_tasks.formats.json_values import member, parse_json, shown

LABELS = ("entailment", "neutral", "contradiction")
NO_LABEL = "-"
"""`gold_label` of a pair whose annotators have no majority; it belongs to no class."""


@dataclass(frozen=True, slots=True)
class Pair:
    """
    A premise, a hypothesis, and what the second is to the first.

    Parameters
    ----------
    line : its number in the file, from 1.
    pair_id : `pairID`.
    premise, hypothesis : `sentence1` and `sentence2`, as they stand there.
    premise_parse, hypothesis_parse : their binary parses; None where the file has none.
    label : one of :data:`LABELS`; None for a pair without a majority.
    """

    line: int
    pair_id: str
    premise: str
    hypothesis: str
    premise_parse: str | None
    hypothesis_parse: str | None
    label: str | None


def read_pairs(path: str | Path, read_labels: bool = True) -> Iterator[Pair]:
    """The pairs of a file, plain or compressed; parameters and errors are those of :func:`pairs_of_lines`."""
    return pairs_of_lines(read_lines(path), str(path), read_labels)


def pairs_of_lines(lines: Iterable[tuple[int, str]], source: str, read_labels: bool = True) -> Iterator[Pair]:
    """
    The pairs that stand one a line, those without a label among them.

    Parameters
    ----------
    lines : pairs of line number and line.
    source : what messages call the file.
    read_labels : `False` takes no notice of `gold_label`, which may then be missing: no pair has a label.

    Raises
    ------
    InputError
        With file and line: what is not a JSON object, a field that is missing or of another kind, an unknown label, an
        empty sentence, a blank line between others, a `pairID` that stands twice; or a file without any pair.
    """
    first_lines: dict[str, int] = {}
    for number, record in _records(lines, source):
        where = f"{source}:{number}"
        label = member(record, "gold_label", str, where) if read_labels else NO_LABEL
        if label != NO_LABEL:
            _check_label(label, "gold_label", (*LABELS, NO_LABEL), where)
        pair_id = _pair_id(record, first_lines, number, where)
        yield Pair(
            number,
            pair_id,
            _sentence(record, "sentence1", where),
            _sentence(record, "sentence2", where),
            _parse(record, "sentence1_binary_parse", where),
            _parse(record, "sentence2_binary_parse", where),
            None if label == NO_LABEL else label,
        )
    if not first_lines:
        raise InputError(f"{source}: the file is empty, expected one sentence pair a line, each a JSON object.")


def read_predictions(lines: Iterable[tuple[int, str]], source: str) -> dict[str, str]:
    """
    The label that was predicted for each `pairID`, from objects with `pairID` and `label`, one a line.

    Parameters
    ----------
    lines : pairs of line number and line.
    source : what messages call the file.

    Raises
    ------
    InputError
        With file and line, for what :func:`pairs_of_lines` refuses; no label is :data:`NO_LABEL` here.
    """
    found: dict[str, str] = {}
    first_lines: dict[str, int] = {}
    for number, record in _records(lines, source):
        where = f"{source}:{number}"
        label = member(record, "label", str, where)
        _check_label(label, "label", LABELS, where)
        found[_pair_id(record, first_lines, number, where)] = label
    if not found:
        raise InputError(f'{source}: the file is empty, expected one JSON object a line, with "pairID" and "label".')
    return found


def words_of_parse(parse: str) -> list[str]:
    """
    The words of a binary parse such as ``( ( A man ) ( runs . ) )``, in order.

    Brackets of the text are ``-LRB-`` and ``-RRB-`` in a parse.
    """
    return [part for part in parse.split() if part not in ("(", ")")]


def _records(lines: Iterable[tuple[int, str]], source: str) -> Iterator[tuple[int, Any]]:
    blank = 0
    for number, line in lines:
        if not line.strip():
            blank = blank or number
            continue
        if blank:
            raise InputError(f"{source}:{blank}: a blank line, but more follows; expected one JSON object a line.")
        yield number, parse_json(line, source, number)


def _pair_id(record: Any, first_lines: dict[str, int], number: int, where: str) -> str:
    pair_id = member(record, "pairID", str, where)
    if pair_id in first_lines:
        raise InputError(
            f"{where}: the pairID {shown(pair_id)} is that of line {first_lines[pair_id]}; remove one of the two."
        )
    first_lines[pair_id] = number
    return pair_id


def _check_label(label: str, key: str, expected: Iterable[str], where: str) -> None:
    if label not in expected:
        raise InputError(f'{where}: "{key}" is {shown(label)}, expected one of {", ".join(expected)}.')


def _sentence(record: Any, key: str, where: str) -> str:
    sentence = member(record, key, str, where)
    if not sentence.strip():
        raise InputError(f'{where}: "{key}" is empty, expected a sentence.')
    return sentence


def _parse(record: Any, key: str, where: str) -> str | None:
    return member(record, key, str, where) if key in record else None
