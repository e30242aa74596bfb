"""Accuracy of labels: one label an item in gold and predictions, as for sentiment (SST-5) and inference (SNLI)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from elmo_tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many of `total` labels are correct."""

    correct: int
    total: int

    @property
    def percent(self) -> float:
        """The percentage of correct labels; 0 without any label."""
        return 100 * self.correct / self.total if self.total else 0.0

    def __str__(self) -> str:
        return f"accuracy: {self.percent:.2f}%  correct: {self.correct} / {self.total}"

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON: `accuracy` in percent, rounded as it is printed, `correct` and `total`."""
        return {"accuracy": round(self.percent, 2), "correct": self.correct, "total": self.total}


def read_labels(lines: Iterable[tuple[int, str]], source: str, labels: Collection[str]) -> list[str]:
    """
    Labels that stand one a line; white space around them does not matter.

    Parameters
    ----------
    lines
        Pairs of line number and line.
    source
        What messages call the file.
    labels
        The labels there are.

    Raises
    ------
    InputError
        Naming file and line of the first that is none of them; also for a file without any line.
    """
    found = []
    for number, line in lines:
        label = line.strip()
        if label not in labels:
            shown = repr(label[:40]) if label else "an empty line"
            raise InputError(f"{source}:{number}: expected one label a line ({', '.join(labels)}), found {shown}.")
        found.append(label)
    if not found:
        raise InputError(f"{source}: the file is empty, expected one label a line.")
    return found


def compare(gold: Iterable[str], predicted: Iterable[str], gold_source: str, predicted_source: str) -> Accuracy:
    """
    The accuracy of predicted labels that stand in the order of the gold ones.

    Raises
    ------
    InputError
        If there are not as many of both, with their numbers and their files.
    """
    gold, predicted = list(gold), list(predicted)
    if len(gold) != len(predicted):
        raise InputError(
            f"{predicted_source}: {len(predicted)} labels, but {gold_source} has {len(gold)} items; expected one label "
            "for each, in the same order."
        )
    return Accuracy(sum(map(str.__eq__, gold, predicted)), len(gold))


@dataclass(frozen=True, slots=True)
class PairedAccuracy:
    """
    The accuracy of labels that belong to named items.

    Parameters
    ----------
    accuracy
        Of the items with a gold label; a missing prediction is a wrong one.
    skipped
        Number of items without a gold label, which do not count.
    missing
        Names of the items with a gold label and without a prediction.
    unknown
        Names that have a prediction and are no items.
    """

    accuracy: Accuracy
    skipped: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON: those of the accuracy, and the numbers `skipped`, `missing` and `unknown`."""
        return {
            **self.accuracy.to_dict(),
            "skipped": self.skipped,
            "missing": len(self.missing),
            "unknown": len(self.unknown),
        }


def compare_by_name(
    gold: Mapping[str, str | None], predicted: Mapping[str, str], gold_source: str, predicted_source: str
) -> tuple[PairedAccuracy, list[str]]:
    """
    The accuracy of the labels that were predicted for items by their names.

    Parameters
    ----------
    gold
        The label of each item, or None.
    gold_source, predicted_source
        What messages call the files.

    Returns
    -------
    score, warnings
        The second are sentences about what is missing, unknown or skipped.

    Raises
    ------
    InputError
        If no item has a gold label.
    """
    labels = {name: label for name, label in gold.items() if label is not None}
    if not labels:
        raise InputError(f"{gold_source}: no item has a gold label, there is nothing to score.")
    score = PairedAccuracy(
        Accuracy(sum(predicted.get(name) == label for name, label in labels.items()), len(labels)),
        skipped=len(gold) - len(labels),
        missing=tuple(name for name in labels if name not in predicted),
        unknown=tuple(name for name in predicted if name not in gold),
    )
    warnings = [f"{predicted_source}: there is no label for {name!r}, which counts as wrong." for name in score.missing]
    if score.unknown:
        warnings.append(
            f"{predicted_source}: {len(score.unknown)} of {len(predicted)} labels are for items that are not in "
            f"{gold_source} and do not count, the first is for {score.unknown[0]!r}."
        )
    if score.skipped:
        warnings.append(f"{gold_source}: {score.skipped} of {len(gold)} items have no gold label and do not count.")
    return score, warnings
