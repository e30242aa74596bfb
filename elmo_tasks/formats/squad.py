"""SQuAD 1.1's JSON files of questions on paragraphs, and the files of answers that its official script scores."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elmo_tasks.errors import InputError
from elmo_tasks.formats.files import open_to_write, read_lines
from elmo_tasks.formats.json_values import found, member, parse_json, shown


@dataclass(frozen=True, slots=True)
class Answer:
    """
    An answer that a person gave: the part of the context that begins at a character.

    Parameters
    ----------
    text : ``context[start : start + len(text)]``.
    start : counts characters (code points) from 0.
    """

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Question:
    """
    A question on a paragraph.

    Parameters
    ----------
    id : unique in the file.
    text : as it stands there; some begin or end with blanks.
    answers : in the file's order, equal ones among them.
    """

    id: str
    text: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text and the questions on it."""

    context: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """The paragraphs of one article of Wikipedia."""

    title: str
    paragraphs: tuple[Paragraph, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A whole file; `version` is "1.1" in the official ones."""

    version: str
    articles: tuple[Article, ...]


def read_dataset(path: str | Path, read_answers: bool = True) -> Dataset:
    """
    A file in the official layout, plain or compressed. Keys that SQuAD 1.1 does not have are ignored.

    Parameters
    ----------
    read_answers : `False` takes no notice of answers, which may then be missing: no question has any.

    Raises
    ------
    InputError
        Naming the file and the place in it: what is not JSON or not in that layout, an empty context, question or
        answer, an answer that does not stand at its offset, an id that stands twice; or a file without any question.
    """
    return _Reader(str(path), read_answers).dataset(read_object(read_lines(path), str(path)))


def read_object(
    lines: Iterable[tuple[int, str]], source: str, on_repeated_key: Callable[[str], object] | None = None
) -> dict[str, Any]:
    """
    The JSON object that all lines of a file are together: a dataset, or the predictions that the official script reads.

    Parameters
    ----------
    lines : pairs of line number and line.
    source : what messages call the file.
    on_repeated_key : as for :func:`~elmo_tasks.formats.json_values.parse_json`.

    Raises
    ------
    InputError
        Naming file, line and column of what is not JSON; also for another value and for a file without content.
    """
    text = "\n".join(line for _, line in lines)
    if not text.strip():
        raise InputError(f"{source}: the file is empty, expected a JSON object.")
    value = parse_json(text, source, on_repeated_key=on_repeated_key)
    if not isinstance(value, dict):
        raise InputError(f"{source}: expected a JSON object, found {found(value)}.")
    return value


def write_predictions(path: str | Path, answers: Mapping[str, str]) -> None:
    """Write the answer to each question's id as the official script reads it; the file appears when complete."""
    with open_to_write(path) as handle:
        json.dump(dict(answers), handle)
        handle.write("\n")


class _Reader:
    """Checks the parts of a document, and keeps the place of every question's id."""

    def __init__(self, path: str, read_answers: bool) -> None:
        self._path = path
        self._read_answers = read_answers
        self._places: dict[str, str] = {}

    def dataset(self, document: Any) -> Dataset:
        version = member(document, "version", str, self._path)
        articles = member(document, "data", list, self._path)
        dataset = Dataset(version, tuple(self._article(each, f"data[{n}]") for n, each in enumerate(articles)))
        if not self._places:
            raise InputError(f"{self._path}: there is no question in this file.")
        return dataset

    def _article(self, record: Any, place: str) -> Article:
        title = member(record, "title", str, f"{self._path}: {place}")
        paragraphs = member(record, "paragraphs", list, f"{self._path}: {place}")
        return Article(
            title, tuple(self._paragraph(each, f"{place}.paragraphs[{n}]") for n, each in enumerate(paragraphs))
        )

    def _paragraph(self, record: Any, place: str) -> Paragraph:
        context = _text(record, "context", f"{self._path}: {place}")
        questions = member(record, "qas", list, f"{self._path}: {place}")
        return Paragraph(
            context, tuple(self._question(each, f"{place}.qas[{n}]", context) for n, each in enumerate(questions))
        )

    def _question(self, record: Any, place: str, context: str) -> Question:
        question_id = member(record, "id", str, f"{self._path}: {place}")
        where = f"{self._path}: question {shown(question_id)} ({place})"
        if question_id in self._places:
            raise InputError(f"{where}: {self._places[question_id]} has the same id; every question needs its own.")
        self._places[question_id] = place
        text = _text(record, "question", where)
        answers = self._answers(record, where, context) if self._read_answers else ()
        return Question(question_id, text, answers)

    @staticmethod
    def _answers(record: Any, where: str, context: str) -> tuple[Answer, ...]:
        answers = member(record, "answers", list, where)
        if not answers:
            raise InputError(
                f"{where}: SQuAD 2.0 marks this question as unanswerable, expected one with an answer; remove such "
                "questions."
                if record.get("is_impossible") is True
                else f"{where}: there is no answer, expected at least one."
            )
        return tuple(_answer(each, f"{where}: answers[{n}]", context) for n, each in enumerate(answers))


def _text(record: Any, key: str, where: str) -> str:
    text = member(record, key, str, where)
    if not text.strip():
        raise InputError(f'{where}: "{key}" is empty, expected a text.')
    return text


def _answer(record: Any, where: str, context: str) -> Answer:
    text = _text(record, "text", where)
    start = member(record, "answer_start", int, where)
    if not 0 <= start < len(context):
        raise InputError(
            f'{where}: "answer_start" is {start} in a context of {len(context)} characters{_remedy(text, context)}.'
        )
    standing = context[start : start + len(text)]
    if standing != text:
        raise InputError(
            f'{where}: "answer_start" is {start}, where the context has {shown(standing)}, expected '
            f"{shown(text)}{_remedy(text, context)}."
        )
    return Answer(text, start)


def _remedy(text: str, context: str) -> str:
    at = context.find(text)
    return f"; the text stands at {at} (characters count, not bytes)" if at >= 0 else "; the text is nowhere in it"
