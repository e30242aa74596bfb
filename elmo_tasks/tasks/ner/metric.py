"""Entity F1 as conlleval counts it."""

from collections.abc import Sequence

from elmo_tasks.formats.tags import Span, encode
from elmo_tasks.scoring.conlleval import PhraseScorer


class EntityF1:
    """
    Precision, recall and F1 of entities, and accuracy of tags, over all sentences since the last reset.

    The figures are conlleval's on the same sentences in IOB2, as fractions.
    """

    def __init__(self) -> None:
        self._scorer = PhraseScorer()

    def __call__(self, gold: Sequence[Span], found: Sequence[Span], num_tokens: int) -> None:
        """Count one sentence of ``num_tokens`` tokens."""
        self._scorer.add_sentence(encode(gold, num_tokens, "IOB2"), encode(found, num_tokens, "IOB2"))

    def get_metric(self, reset: bool = False) -> dict[str, float]:
        """``precision``, ``recall``, ``f1`` and ``accuracy``; nothing before the first sentence."""
        score = self._scorer.score()
        if reset:
            self._scorer = PhraseScorer()
        if not score.tokens:
            return {}
        overall = score.overall
        figures = {
            "precision": overall.precision,
            "recall": overall.recall,
            "f1": overall.f1,
            "accuracy": score.accuracy,
        }
        return {name: percent / 100 for name, percent in figures.items()}
