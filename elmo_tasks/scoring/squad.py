"""
Scores of answers as SQuAD 1.1's official script computes and prints them (`evaluate-v1.1.py`, Python 3).

Texts are compared in a normal form: exact match asks whether two are equal, F1 what words they share, and the best
over a question's gold answers counts, for each measure alone.

`score_answer` scores one answer, `score_documents` the JSON of two files, `report` prints.
"""

import json
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from elmo_tasks.scoring.refusal import RefusalError

VERSION = "1.1"

# ASCII alone: curly quotes, en dashes and currency signs other than $ are parts of words.
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


def normalize(text: str) -> str:
    """
    The form in which answers are compared: lower case without punctuation, articles and extra blanks, in this order.

    Articles are looked for when punctuation is gone: `the-end` becomes `theend`.
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, gold: str) -> bool:
    """Whether two answers have one normal form."""
    return normalize(prediction) == normalize(gold)


def f1(prediction: str, gold: str) -> float:
    """
    Harmonic mean of precision and recall of the words of two normal forms, each word as often as it occurs.

    0 if they share no word, also if neither has one: such a pair is an exact match with an F1 of 0.
    """
    words, gold_words = normalize(prediction).split(), normalize(gold).split()
    shared = (Counter(words) & Counter(gold_words)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(words), shared / len(gold_words)
    return 2 * precision * recall / (precision + recall)


class AnswerScore(NamedTuple):
    """Exact match and F1 (from 0 to 1) of an answer, each the best over the gold answers."""

    exact: bool
    f1: float


def score_answer(prediction: str, golds: Iterable[str]) -> AnswerScore:
    """
    The score of an answer.

    Raises
    ------
    ValueError
        If there is no gold answer.
    """
    golds = list(golds)
    return AnswerScore(
        max(exact_match(prediction, gold) for gold in golds), max(f1(prediction, gold) for gold in golds)
    )


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """The score of a question of the dataset; `answered` says whether there is a prediction, 0 counts without one."""

    id: str
    exact: bool
    f1: float
    answered: bool


@dataclass(frozen=True, slots=True)
class SquadScore:
    """
    The scores of all questions.

    Parameters
    ----------
    questions
        In the order of the dataset.
    unknown
        Number of predictions for ids that the dataset does not have, which do not count.
    """

    questions: tuple[QuestionScore, ...]
    unknown: int = 0

    @property
    def total(self) -> int:
        """Number of questions."""
        return len(self.questions)

    @property
    def answered(self) -> int:
        """Number of questions with a prediction."""
        return sum(question.answered for question in self.questions)

    @property
    def exact_match(self) -> float:
        """Percentage of questions whose answer is an exact match; 0 without questions."""
        return self._mean(question.exact for question in self.questions)

    @property
    def f1(self) -> float:
        """Mean F1 of the questions in percent; 0 without questions."""
        return self._mean(question.f1 for question in self.questions)

    def _mean(self, values: Iterable[float]) -> float:
        total = 0.0
        # Not `sum`: from Python 3.12 on it rounds otherwise, and the last digit would not be the script's.
        for value in values:
            total += value
        return 100.0 * total / self.total if self.questions else 0.0


def score_documents(
    dataset: Mapping[str, Any],
    predictions: Mapping[str, Any],
    dataset_source: str = "dataset",
    predictions_source: str = "predictions",
) -> tuple[SquadScore, list[str]]:
    """
    Scores predictions, looking at no more of both files than the script does.

    Of the dataset that is its version, the ids and, of questions with a prediction, the texts of the answers; of the
    predictions those whose id the dataset has.

    Parameters
    ----------
    dataset
        The JSON object of a file in SQuAD's layout.
    predictions
        The answer to each question's id.
    dataset_source, predictions_source
        What messages call the files.

    Returns
    -------
    score, warnings
        The second are the lines that the script writes to standard error.

    Raises
    ------
    RefusalError
        Where the script ends with an exception: something that it needs is missing or of another type, a question with
        a prediction has no answer, or there is no question.
    """
    warnings = []
    with _script_ends(dataset_source, 'expected an object with "version" (the dataset comes first, then predictions)'):
        version = dataset["version"]
    if version != VERSION:
        with _script_ends(dataset_source, '"version" must be a string'):
            warnings.append(f"Evaluation expects v-{VERSION}, but got dataset with v-" + version)
    scores = []
    for question, where in _questions(dataset, dataset_source):
        question_id = _member(question, "id", where)
        with _script_ends(where, '"id" must be a string'):
            if question_id not in predictions:
                warnings.append("Unanswered question " + question_id + " will receive score 0.")
                scores.append(QuestionScore(question_id, exact=False, f1=0.0, answered=False))
                continue
        golds = [_member(answer, "text", f"{where}.answers[{n}]") for n, answer in _each(question, "answers", where)]
        prediction = predictions[question_id]
        if isinstance(prediction, str):
            blamed = (where, '"answers" must hold at least one, and the "text" of each must be a string')
        else:
            blamed = (predictions_source, f"the prediction for {question_id!r} must be a string")
        with _script_ends(*blamed):
            scores.append(QuestionScore(question_id, *score_answer(prediction, golds), answered=True))
    with _script_ends(dataset_source, "there must be a question"):
        if not scores:
            raise ZeroDivisionError("float division by zero")
    unknown = predictions.keys() - {score.id for score in scores}
    return SquadScore(tuple(scores), len(unknown)), warnings


@contextmanager
def _script_ends(where: str, expected: str) -> Iterator[None]:
    """What is done in the block, the script does too; an exception of it is a refusal."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise RefusalError(
            f"{where}: {expected}; the official script ends with {type(error).__name__}: {error}."
        ) from None


def _member(record: Any, key: str, where: str) -> Any:
    with _script_ends(where, f'expected an object with "{key}"'):
        return record[key]


def _each(record: Any, key: str, where: str) -> Iterator[tuple[int, Any]]:
    values = _member(record, key, where)
    with _script_ends(where, f'"{key}" must be a list'):
        values = iter(values)
    return enumerate(values)


def _questions(dataset: Mapping[str, Any], source: str) -> Iterator[tuple[Any, str]]:
    """All questions, and where each stands."""
    for a, article in _each(dataset, "data", source):
        where = f"{source}: data[{a}]"
        for p, paragraph in _each(article, "paragraphs", where):
            for q, question in _each(paragraph, "qas", f"{where}.paragraphs[{p}]"):
                yield question, f"{where}.paragraphs[{p}].qas[{q}]"


def report(score: SquadScore) -> str:
    """The line of JSON that the script prints, to the byte, without its line feed; percentages are not rounded."""
    return json.dumps({"exact_match": score.exact_match, "f1": score.f1})


def to_dict(score: SquadScore) -> dict[str, float]:
    """
    Plain values for JSON: `exact_match` and `f1` as `report` prints them, and numbers of questions.

    `total` is `answered` and `missing`; `unknown` are predictions for other ids.
    """
    return {
        "exact_match": score.exact_match,
        "f1": score.f1,
        "total": score.total,
        "answered": score.answered,
        "missing": score.total - score.answered,
        "unknown": score.unknown,
    }
