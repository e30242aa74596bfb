"""F1 of arguments as srl-eval.pl counts it."""

import logging
from collections.abc import Collection, Iterable, Sequence

from elmo_tasks.formats.tags import OUTSIDE, Span, encode
from elmo_tasks.scoring.srl import Argument, Phrase, RoleCounts, RoleScorer, join_pieces

logger = logging.getLogger(__name__)

TAG_SCHEME = "IOB2"
"""How roles are coded as tags."""
NO_PREDICATE = -1
"""The place of the predicate of a sentence without any: AllenNLP writes None as a text."""


def arguments(spans: Iterable[Span]) -> list[Argument]:
    """The arguments that the spans of one predicate make, ``C-X`` joined to its ``X``."""
    return join_pieces(Phrase(*span) for span in spans)


def argument_counts(propositions: Iterable[tuple[Iterable[Span], Iterable[Span]]]) -> RoleCounts:
    """Correct, excess and missed arguments of gold and predicted spans of some predicates; ``V`` does not count."""
    scorer = RoleScorer()
    scorer.add_sentence((arguments(gold), arguments(found)) for gold, found in propositions)
    return scorer.score().overall


class RoleF1:
    """
    Precision, recall and F1 of arguments over all predicates since the last reset.

    The figures are srl-eval.pl's on the same propositions, as fractions; ``V`` does not count.

    Parameters
    ----------
    tags
        All tags that the model has; gold arguments with another cannot be found, and are said to be so at each reset.
    """

    def __init__(self, tags: Collection[str]) -> None:
        self._tags = {*tags, OUTSIDE}
        self._scorer = RoleScorer()
        self._unknown = 0
        self._first_unknown = ""

    def __call__(self, gold: Sequence[Span], found: Sequence[Span], words: Sequence[str]) -> None:
        """Count one predicate in its sentence of words."""
        self._scorer.add_sentence([(arguments(gold), arguments(found))])
        for span in gold:
            if not self._tags.issuperset(encode([span], len(words), TAG_SCHEME)):
                self._unknown += 1
                self._first_unknown = self._first_unknown or f"{span.label!r} in {' '.join(words)[:80]!r}"

    def get_metric(self, reset: bool = False, roles: bool = False) -> dict[str, float]:
        """
        ``precision``, ``recall`` and ``f1``; nothing before the first predicate.

        Parameters
        ----------
        reset
            begin anew, and log how many gold arguments have a role that the model does not know.
        roles
            add ``f1_LABEL`` of each role.
        """
        score = self._scorer.score()
        if reset:
            if self._unknown:
                logger.warning(
                    "%s gold arguments have a role, or are longer than any of their role, in the training data (first "
                    "%s): the model cannot find them, they count as missed, and the loss takes their words for "
                    "'outside'.",
                    f"{self._unknown:,}",
                    self._first_unknown,
                )
            self._scorer, self._unknown, self._first_unknown = RoleScorer(), 0, ""
        if not score.propositions:
            return {}
        overall = score.overall
        figures = {"precision": overall.precision, "recall": overall.recall, "f1": overall.f1}
        if roles:
            figures.update({f"f1_{label}": counts.f1 for label, counts in score.labels.items()})
        return {name: percent / 100 for name, percent in figures.items()}
