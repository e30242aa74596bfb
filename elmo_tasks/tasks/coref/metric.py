"""The mean of three F1 by which CoNLL-2012 ranked systems, as the official scorer counts them."""

from collections.abc import Iterable, Sequence

from elmo_tasks.formats.conll2012 import Mention
from elmo_tasks.scoring.coref import CorefScorer

Cluster = Sequence[Mention]


class CoreferenceF1:
    """
    MUC, B³ and CEAF by entities over all documents since the last reset.

    The figures are the official scorer's on the same documents, as fractions; ``f1`` is the mean of the three F1, each
    cut off behind its fourth decimal, as that program prints them in percent.
    """

    def __init__(self) -> None:
        self._scorer, self._found, self._gold = CorefScorer(), 0, 0

    def __call__(self, gold: Iterable[Cluster], found: Iterable[Cluster], kept: Iterable[Mention]) -> None:
        """
        Count one document.

        Parameters
        ----------
        gold, found
            Clusters.
        kept
            The spans among which the model looked for mentions.
        """
        gold = list(gold)
        self._scorer.add_document(gold, found)
        mentions = {mention for cluster in gold for mention in cluster}
        self._found += len(mentions.intersection(kept))
        self._gold += len(mentions)

    def get_metric(self, reset: bool = False) -> dict[str, float]:
        """
        ``f1``; ``muc_f1``, ``bcub_f1`` and ``ceafe_f1``; ``mention_f1`` of the mentions of clusters; ``kept_recall``.

        The last is the share of gold mentions that are among the kept spans, which bounds what can be found. Nothing
        before the first gold mention.
        """
        score, found, gold = self._scorer.score(), self._found, self._gold
        if reset:
            self._scorer, self._found, self._gold = CorefScorer(), 0, 0
        if not gold:
            return {}
        return {
            "f1": score.conll / 100,
            "muc_f1": score.muc.f1,
            "bcub_f1": score.bcub.f1,
            "ceafe_f1": score.ceafe.f1,
            "mention_f1": score.mentions.f1,
            "kept_recall": found / gold,
        }
