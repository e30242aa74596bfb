"""Accuracy of labels: one label an item in gold and predictions, as for sentiment (SST-5) and inference (SNLI)."""

from collections.abc import Collection, Iterable
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
