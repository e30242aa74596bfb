"""Exact match and F1 as the official script of SQuAD counts them."""

from collections.abc import Iterable

from elmo_tasks.scoring.squad import score_answer


class SquadMetric:
    """``em`` and ``f1`` of all questions since the last reset, fractions; the official script's on the same answers."""

    def __init__(self) -> None:
        self._count, self._exact, self._f1 = 0, 0, 0.0

    def __call__(self, answer: str, golds: Iterable[str]) -> None:
        """Count one question."""
        score = score_answer(answer, golds)
        self._count += 1
        self._exact += score.exact
        self._f1 += score.f1

    def get_metric(self, reset: bool = False) -> dict[str, float]:
        """Both figures; nothing before the first question."""
        figures = {"em": self._exact / self._count, "f1": self._f1 / self._count} if self._count else {}
        if reset:
            self._count, self._exact, self._f1 = 0, 0, 0.0
        return figures
