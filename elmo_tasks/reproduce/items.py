"""What became of each test item, from AllenNLP's predictions and the official file."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from elmo_tasks.formats.conll2003 import read_words
from elmo_tasks.formats.conll2012 import read_documents
from elmo_tasks.formats.snli import read_pairs
from elmo_tasks.formats.squad import read_dataset
from elmo_tasks.formats.tags import Span
from elmo_tasks.formats.trees import read_trees
from elmo_tasks.reproduce.results import TestItems
from elmo_tasks.scoring.squad import score_answer
from elmo_tasks.tasks.srl.metric import NO_PREDICATE, argument_counts

_GROUP_FILES = "{stem}.{group}.txt"
"""Beside a test file, the groups of its items: a line each, 1 for an item of the group and 0 for the others."""
_GROUPS = ("ambiguous",)


def read_items(task: str, predictions: Path, test_file: Path, score: float) -> TestItems | None:
    """
    What became of each item of a test file; None of a task that has no such thing.

    Parameters
    ----------
    task
        The task.
    predictions
        What `allennlp evaluate --predictions-output-file` wrote, items in the order of the test file.
    test_file
        The official file.
    score
        The task's measure on that file as AllenNLP gave it, a fraction: the items must give the same.

    Raises
    ------
    ValueError
        If predictions, test file and score do not belong together.
    """
    if task not in _SCORES:
        return None
    scores = np.array(list(_SCORES[task](predictions, test_file))).reshape(-1, 2).T
    gained, possible = scores.sum(axis=1)
    found = gained / possible if possible else 0.0
    if abs(found - score) > 1e-6:
        raise ValueError(f"the predictions' items give {found:.6f}, the metric says {score:.6f}")
    return TestItems.of(scores, _read_groups(test_file, scores.shape[1]))


def _sst5_scores(predictions: Path, test_file: Path) -> Iterator[tuple[int, int]]:
    """One item a sentence: whether its root has the predicted one of the five labels."""
    predicted = read_answers(predictions, ("tokens", "label"))
    for (line, tree), (tokens, label) in zip(read_trees(test_file), predicted, strict=True):
        if tokens != tree.tokens():
            raise ValueError(f"{predictions}: the item for {test_file}:{line} is another sentence")
        yield int(label == tree.label), 1


def _ner_scores(predictions: Path, test_file: Path) -> Iterator[tuple[int, int]]:
    """One item a sentence: twice its correct entities, over its gold ones and those found."""
    predicted = read_answers(predictions, ("words", "entities", "gold_entities"))
    for (line, words), (predicted_words, found, gold) in zip(read_words(test_file), predicted, strict=True):
        if predicted_words != words:
            raise ValueError(f"{predictions}: the item for {test_file}:{line} is another sentence")
        # The gold entities are those that the reader has read: it knows how the file codes them.
        spans = {tuple(entity) for entity in found}
        yield 2 * len(spans.intersection(map(tuple, gold))), len(found) + len(gold)


def _srl_scores(predictions: Path, test_file: Path) -> Iterator[tuple[int, int]]:
    """One item a sentence: twice the correct arguments of all its predicates, over its gold ones and those found."""
    predicted = read_answers(predictions, ("words", "predicate", "arguments"))
    for document in read_documents(test_file):
        for sentence in document.sentences:
            pairs = []
            # a sentence without a predicate has an answer too, whose arguments count nowhere
            for proposition in sentence.propositions or (None,):
                words, predicate, found = next(predicted, ((), NO_PREDICATE, ()))
                expected = NO_PREDICATE if proposition is None else proposition.predicate
                if tuple(words) != sentence.words or predicate != expected:
                    where = f"{document.file}:{sentence.line}"
                    raise ValueError(f"{predictions}: the item for {where} is another sentence, or predicate, or none")
                if proposition is not None:
                    pairs.append((proposition.arguments, [Span(*span) for span in found]))
            counts = argument_counts(pairs)
            yield 2 * counts.correct, 2 * counts.correct + counts.excess + counts.missed
    if next(predicted, None) is not None:
        raise ValueError(f"{predictions}: there are more items than {test_file} has predicates")


def _snli_scores(predictions: Path, test_file: Path) -> Iterator[tuple[int, int]]:
    """One item a labelled pair: whether its label is the predicted one."""
    labelled = (pair for pair in read_pairs(test_file) if pair.label is not None)
    for pair, (pair_id, label) in zip(labelled, read_answers(predictions, ("pair_id", "label")), strict=True):
        if pair_id != pair.pair_id:
            raise ValueError(f"{predictions}: the item for {test_file}:{pair.line} is the pair {pair_id!r}")
        yield int(label == pair.label), 1


def _squad_scores(predictions: Path, test_file: Path) -> Iterator[tuple[float, int]]:
    """One item a question: the F1 of its answer."""
    articles = read_dataset(test_file).articles
    questions = (
        question for article in articles for paragraph in article.paragraphs for question in paragraph.questions
    )
    for question, (question_id, answer) in zip(
        questions, read_answers(predictions, ("id", "best_span_text")), strict=True
    ):
        if question_id != question.id:
            raise ValueError(f"{predictions}: the item for {test_file}: {question.id!r} is question {question_id!r}")
        yield score_answer(answer, [gold.text for gold in question.answers]).f1, 1


# Not coreference: its score is the mean of three F1, each of sums over documents, and so no ratio of two such sums; a
# test that exchanges items would ask about another score.
_SCORES: dict[str, Callable[[Path, Path], Iterator[tuple[float, int]]]] = {
    "ner": _ner_scores,
    "snli": _snli_scores,
    "squad": _squad_scores,
    "srl": _srl_scores,
    "sst5": _sst5_scores,
}


def read_answers(predictions: Path, keys: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """
    A model's outputs item by item, from what ``allennlp evaluate --predictions-output-file`` wrote.

    A line of that file holds a batch, as lists that run side by side.

    Parameters
    ----------
    keys
        The outputs wanted. The first must be there; for another that is not there, None stands.

    Raises
    ------
    ValueError
        If lists are not of one length.
    """
    with predictions.open(encoding="utf-8") as file:
        for line in file:
            batch = json.loads(line)
            count = len(batch[keys[0]])
            yield from zip(*(batch.get(key) or [None] * count for key in keys), strict=True)


def _read_groups(test_file: Path, count: int) -> dict[str, np.ndarray]:
    stem = test_file.name.removesuffix(test_file.suffix)
    groups = {}
    for group in _GROUPS:
        path = test_file.with_name(_GROUP_FILES.format(stem=stem, group=group))
        if path.is_file():
            flags = path.read_text(encoding="utf-8").split()
            if len(flags) != count or set(flags) - {"0", "1"}:
                raise ValueError(f"{path}: expected {count} lines of 0 or 1, found {len(flags)}")
            groups[group] = np.array([flag == "1" for flag in flags])
    return groups
