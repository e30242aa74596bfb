"""What became of each test item: which of them a model got right, from AllenNLP's predictions and the official file."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from elmo_tasks.formats.trees import read_trees
from elmo_tasks.reproduce.results import TestItems, pack_bits

_GROUP_FILES = "{stem}.{group}.txt"
"""Beside a test file, the groups of its items: a line each, 1 for an item of the group and 0 for the others."""
_GROUPS = ("ambiguous",)


def read_items(task: str, predictions: Path, test_file: Path, accuracy: float | None) -> TestItems | None:
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
    accuracy
        The accuracy that was measured on it, a fraction, where the task has one: the items must give the same.

    Raises
    ------
    ValueError
        If predictions, test file and accuracy do not belong together.
    """
    if task not in _CORRECTNESS:
        return None
    correct = _CORRECTNESS[task](predictions, test_file)
    if accuracy is not None and abs(correct.mean() - accuracy) > 1e-6:
        raise ValueError(
            f"the predictions are right on {correct.mean():.6f} of the items, the metric says {accuracy:.6f}"
        )
    return TestItems(len(correct), pack_bits(correct), _read_groups(test_file, len(correct)))


def _sst5_correctness(predictions: Path, test_file: Path) -> np.ndarray:
    """One item a sentence: whether its root has the predicted one of the five labels."""
    correct = []
    predicted = _items(predictions, ("tokens", "label"))
    for (line, tree), (tokens, label) in zip(read_trees(test_file), predicted, strict=True):
        if tokens != tree.tokens():
            raise ValueError(f"{predictions}: the item for {test_file}:{line} is another sentence")
        correct.append(label == tree.label)
    return np.array(correct, dtype=bool)


_CORRECTNESS: dict[str, Callable[[Path, Path], np.ndarray]] = {"sst5": _sst5_correctness}


def _items(predictions: Path, keys: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Items one by one: a line of the file holds a batch, as lists that run side by side."""
    with predictions.open(encoding="utf-8") as file:
        for line in file:
            batch = json.loads(line)
            yield from zip(*(batch[key] for key in keys), strict=True)


def _read_groups(test_file: Path, count: int) -> dict[str, str]:
    stem = test_file.name.removesuffix(test_file.suffix)
    groups = {}
    for group in _GROUPS:
        path = test_file.with_name(_GROUP_FILES.format(stem=stem, group=group))
        if path.is_file():
            flags = path.read_text(encoding="utf-8").split()
            if len(flags) != count or set(flags) - {"0", "1"}:
                raise ValueError(f"{path}: expected {count} lines of 0 or 1, found {len(flags)}")
            groups[group] = pack_bits([flag == "1" for flag in flags])
    return groups
