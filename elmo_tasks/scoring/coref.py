"""
Scores of coreference as the official scorer computes them (reference-coreference-scorers, version 8.01).

Two mentions are the same if they begin and end at the same tokens; nothing else counts. Over documents, numerators and
denominators are summed. The metrics are MUC (Vilain et al. 1995), B³ (Bagga and Baldwin 1998), CEAF by mentions and by
entities, the latter with φ₄ (Luo 2005), and BLANC of predicted mentions (Luo et al. 2014).

`CorefScorer` counts clusters of mentions, `coref_files.score_lines` the rows of two files, `report` prints.
"""

import math
from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from elmo_tasks.scoring.coref_metrics import (
    Cluster,
    Clustering,
    Counts,
    Links,
    bcub,
    blanc,
    ceafe,
    ceafm,
    identification,
    muc,
)

_Mention = TypeVar("_Mention", bound=Hashable)


class CorefScore(NamedTuple):
    """
    The scores of documents.

    Parameters
    ----------
    mentions
        Identification of mentions, whatever their clusters.
    muc, bcub, ceafm, ceafe, blanc
        The metrics, under the names that the official program gives them.
    """

    mentions: Counts = Counts()
    muc: Counts = Counts()
    bcub: Counts = Counts()
    ceafm: Counts = Counts()
    ceafe: Counts = Counts()
    blanc: Links = Links()

    @classmethod
    def total(cls, documents: Iterable["CorefScore"]) -> "CorefScore":
        """The scores of all documents together; their order does not matter."""
        scores = list(documents)
        return cls(
            Counts.total(score.mentions for score in scores),
            Counts.total(score.muc for score in scores),
            Counts.total(score.bcub for score in scores),
            Counts.total(score.ceafm for score in scores),
            Counts.total(score.ceafe for score in scores),
            Links.total(score.blanc for score in scores),
        )

    @property
    def conll(self) -> float:
        """The mean of the F1 of MUC, B³ and CEAF by entities in percent, each of the three as it is printed."""
        return (percent(self.muc.f1) + percent(self.bcub.f1) + percent(self.ceafe.f1)) / 3


def percent(fraction: float) -> float:
    """A fraction in percent, cut off behind the second decimal as the official program does: 66.66 for 2/3."""
    return math.trunc(fraction * 10000) / 100


class CorefScorer:
    """Counts document after document; `score` may be asked for at any time."""

    def __init__(self) -> None:
        self._documents: list[CorefScore] = []

    def add_document(self, key: Iterable[Cluster], response: Iterable[Sequence[_Mention]]) -> list[_Mention]:
        """
        Counts a document.

        A mention can be repeated, in its own cluster or in another. A repeated mention of the response is dropped if
        the key has it; any other counts again, except for identification.

        Parameters
        ----------
        key, response
            Clusters; singletons count for all but MUC.

        Returns
        -------
        dropped
            The repeated mentions that were dropped, in order.
        """
        in_key = Clustering(key)
        kept, dropped = _drop_repeated(response, in_key.places)
        sides = in_key, Clustering(kept)
        self._documents.append(
            CorefScore(identification(*sides), muc(*sides), bcub(*sides), ceafm(*sides), ceafe(*sides), blanc(*sides))
        )
        return dropped

    def score(self) -> CorefScore:
        """The scores of all documents so far."""
        return CorefScore.total(self._documents)


def _drop_repeated(
    clusters: Iterable[Sequence[_Mention]], in_key: Container[Hashable]
) -> tuple[list[list[_Mention]], list[_Mention]]:
    seen: set[_Mention] = set()
    kept: list[list[_Mention]] = []
    dropped: list[_Mention] = []
    for cluster in clusters:
        left = []
        for mention in cluster:
            if mention in seen:
                dropped.append(mention)
                continue
            left.append(mention)
            if mention in in_key:
                seen.add(mention)
        kept.append(left)
    return kept, dropped


def report(score: CorefScore) -> str:
    """A table of percentages and counts; last, the mean that CoNLL-2012 ranked systems by."""
    rows: list[tuple[str, Counts | Links]] = [
        *score._asdict().items(),
        ("  coreference links", score.blanc.coreference),
        ("  non-coreference links", score.blanc.non_coreference),
    ]
    lines = [f"{'':25}{'recall':>8}{'precision':>12}{'f1':>9}{'of key':>21}{'of response':>21}"]
    for name, figures in rows:
        percentages = f"{percent(figures.recall):8.2f}{percent(figures.precision):12.2f}{percent(figures.f1):9.2f}"
        # The counts of BLANC are those of its two kinds.
        ratios = "".join(_ratios(figures)) if isinstance(figures, Counts) else ""
        lines.append(f"{name:25}{percentages}{ratios}")
    lines.append(f"{'conll (muc, bcub, ceafe)':45}{score.conll:9.2f}")
    return "\n".join(lines)


def _ratios(counts: Counts) -> Iterator[str]:
    for numerator, denominator in (counts[:2], counts[2:]):
        shown = f"{numerator:.0f}" if numerator == int(numerator) else f"{numerator:.2f}"
        yield f"{shown} / {denominator:.0f}".rjust(21)


def to_dict(score: CorefScore) -> dict[str, Any]:
    """
    Plain values for JSON.

    For `muc`, `bcub`, `ceafm` and `ceafe` the rows `Identification of Mentions` and `Coreference`, for `blanc`
    `Identification of Mentions`, `Coreference links`, `Non-coreference links` and `BLANC`, each as the official program
    prints it: `recall`, `precision` and `f1` in percent, cut off, and `counts`, the numerators and denominators of
    recall and precision. Last `conll`, the mean of three printed F1, not rounded.
    """
    mentions = {"Identification of Mentions": _row(score.mentions)}
    metrics = {"muc": score.muc, "bcub": score.bcub, "ceafm": score.ceafm, "ceafe": score.ceafe}
    return {
        **{name: {**mentions, "Coreference": _row(counts)} for name, counts in metrics.items()},
        "blanc": {
            **mentions,
            "Coreference links": _row(score.blanc.coreference),
            "Non-coreference links": _row(score.blanc.non_coreference),
            "BLANC": _row(score.blanc),
        },
        "conll": score.conll,
    }


def _row(figures: Counts | Links) -> dict[str, Any]:
    counts = figures if isinstance(figures, Counts) else Counts(figures.recall, 1, figures.precision, 1)
    return {
        "recall": percent(figures.recall),
        "precision": percent(figures.precision),
        "f1": percent(figures.f1),
        # Fifteen digits are what the official program prints.
        "counts": [[float(f"{count:.15g}") for count in ratio] for ratio in (counts[:2], counts[2:])],
    }
