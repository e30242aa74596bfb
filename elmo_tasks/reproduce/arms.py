"""A task's arms with their results, and how scores, spreads and gains are printed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from elmo_tasks.reproduce.paper import TABLE_1
from elmo_tasks.reproduce.plan import PlannedRun
from elmo_tasks.reproduce.results import Result
from elmo_tasks.reproduce.statistics import difference, summarise

NOTHING = "–"
"""Stands where there is no figure."""


@dataclass(frozen=True)
class ArmRuns:
    """
    An arm's runs, and what came of them.

    Attributes
    ----------
    name, title
        The arm's name, and how it is printed.
    runs
        Its runs, done or not.
    """

    name: str
    title: str
    runs: Sequence[PlannedRun]

    @property
    def done(self) -> list[Result]:
        """The results that have figures."""
        return [result for planned in self.runs if (result := planned.current) is not None and result.done]

    @property
    def test_scores(self) -> list[float]:
        """Test scores in percent, a seed each."""
        return [result.test_score for result in self.done]

    @property
    def dev_scores(self) -> list[float]:
        """Development scores in percent, a seed each."""
        return [result.dev_score for result in self.done]

    @property
    def curve(self) -> list[float]:
        """Mean development scores in percent after each epoch that all its runs had; none if that is not on record."""
        curves = [result.curve for result in self.done]
        shortest = min(map(len, curves), default=0)
        return [100.0 * float(np.mean([curve[epoch] for curve in curves])) for epoch in range(shortest)]

    def item_scores(self) -> np.ndarray | None:
        """`TestItems.scores` of each seed, as `(num_seeds, 2, num_items)`; None if that is not on record."""
        items = [result.items.scores() for result in self.done if result.items is not None]
        return np.stack(items) if items and len({one.shape for one in items}) == 1 else None

    def scores_on(self, chosen: np.ndarray) -> list[float]:
        """Scores in percent on a choice of test items, given as `(num_items,)` truth values, a seed each."""
        scores = self.item_scores()
        if scores is None:
            return []
        sums = [seed[:, chosen].sum(axis=1) for seed in scores]
        return [100.0 * float(gained / possible) if possible else 0.0 for gained, possible in sums]


@dataclass(frozen=True)
class TaskRuns:
    """A task's arms by name, in the order of the suite."""

    name: str
    arms: Mapping[str, ArmRuns]

    @property
    def title(self) -> str:
        """The task as the paper writes it."""
        return TABLE_1[self.name].title if self.name in TABLE_1 else self.name

    @property
    def measure(self) -> str:
        """What is measured."""
        if self.name in TABLE_1:
            return TABLE_1[self.name].measure
        return next((str(result.metric) for arm in self.arms.values() for result in arm.done), "score")

    @property
    def decimals(self) -> int:
        """Decimals of its scores: as many as the paper gives."""
        if self.name not in TABLE_1:
            return 1
        return len(TABLE_1[self.name].baseline.printed.partition(".")[2])

    def scores(self, arm: str) -> list[float]:
        """Test scores of an arm; none of an arm that the task does not have."""
        return self.arms[arm].test_scores if arm in self.arms else []


def by_task(runs: Sequence[PlannedRun]) -> list[TaskRuns]:
    """Runs sorted into tasks, those of the paper first and in its order, and arms."""
    order = [*TABLE_1, *sorted({planned.run.task for planned in runs} - set(TABLE_1))]
    tasks = []
    for name in order:
        arms: dict[str, list[PlannedRun]] = {}
        for planned in runs:
            if planned.run.task == name:
                arms.setdefault(planned.run.arm.name, []).append(planned)
        if arms:
            tasks.append(TaskRuns(name, {arm: ArmRuns(arm, of[0].run.arm.title, of) for arm, of in arms.items()}))
    return tasks


def spread(scores: Sequence[float], decimals: int) -> str:
    """Mean and deviation of an arm's scores; of one seed the score alone."""
    if not scores:
        return NOTHING
    summary = summarise(scores)
    mean = f"{summary.mean:.{decimals}f}"
    return mean if summary.deviation is None else f"{mean} ± {summary.deviation:.{decimals}f}"


def gain(scores: Sequence[float], reference: Sequence[float], decimals: int) -> str:
    """A difference with its standard error, and how many of those it is: `+3.3 ± 0.4 (+8.2 s.e.)`."""
    if not scores or not reference:
        return NOTHING
    found = difference(scores, reference)
    text = f"{found.value:+.{decimals}f}"
    if found.standard_error is not None:
        text += f" ± {found.standard_error:.{decimals}f}"
    return text if found.standard_errors is None else f"{text} ({found.standard_errors:+.1f} s.e.)"
