"""
Scores of semantic roles as `srl-eval.pl` computes and prints them (the script of CoNLL-2005, version 2005-04-21).

A proposition is a predicate with its arguments. An argument is one span, or the span `X` with all later ones of the
same proposition that are labelled `C-X`. It is correct if label, ends and the ends of all its pieces agree. The verb,
`V`, is counted apart and in no total.

`join_pieces` makes arguments of spans, `RoleScorer` counts propositions, `report` prints.
`elmo_tasks.scoring.srl_files` scores files.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from elmo_tasks.scoring.latin1 import as_text

VERB = "V"
"""The label that does not count."""
OVERALL = "Overall"
"""The name of the row of all labels that do."""
_CONTINUATION = "C-"


class Argument(NamedTuple):
    """
    An argument of a predicate.

    Parameters
    ----------
    label
        Without `C-`.
    start, end
        Its first token, and the one behind its last piece.
    pieces
        Start and end of each; empty if there is only one.
    """

    label: str
    start: int
    end: int
    pieces: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Phrase:
    """
    A span as it is written: `C-X` is a phrase of its own.

    Parameters
    ----------
    label
        With its `C-`.
    start, end
        Its first token, and the one behind its last.
    inside
        The phrases that lie directly in it; CoNLL-2005 has none.
    """

    label: str
    start: int
    end: int
    inside: list["Phrase"] = field(default_factory=list)


def join_pieces(phrases: Iterable[Phrase]) -> list[Argument]:
    """
    The arguments that the phrases of one proposition make: `C-X` goes on with the last `X`, without one it is an `X`.

    As in the script, what lies in a phrase counts as its pieces; and if a phrase in another one goes on, then that
    piece of the outer one reaches as far. The phrases, in any order, are changed.
    """
    found: list[Phrase] = []
    latest: dict[str, Phrase] = {}
    for phrase in sorted(phrases, key=lambda phrase: (phrase.start, -phrase.end)):
        label = phrase.label.removeprefix(_CONTINUATION)
        if label != phrase.label and label in latest:
            head = latest[label]
            if not head.inside:
                head.inside.append(Phrase(label, head.start, head.end))
            head.inside.append(phrase)
            head.end = phrase.end
        else:
            phrase.label = label
            latest[label] = phrase
            found.append(phrase)
    return [Argument(each.label, each.start, each.end, tuple((p.start, p.end) for p in each.inside)) for each in found]


@dataclass(frozen=True, slots=True)
class RoleCounts:
    """Numbers of arguments: correct, predicted but not correct, and in the gold ones but not found."""

    correct: int = 0
    excess: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Percentage of the predicted arguments that are correct; 0 if none is predicted."""
        return 100 * self.correct / (self.correct + self.excess) if self.correct + self.excess else 0.0

    @property
    def recall(self) -> float:
        """Percentage of the gold arguments that are found; 0 if there is none."""
        return 100 * self.correct / (self.correct + self.missed) if self.correct + self.missed else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in percent; 0 if both are."""
        precision, recall = self.precision, self.recall
        return (2 * precision * recall) / (precision + recall) if precision + recall > 0 else 0.0


@dataclass(frozen=True, slots=True)
class RoleScore:
    """
    The counts of scored propositions.

    Parameters
    ----------
    sentences, propositions
        Their numbers.
    perfect
        Propositions whose arguments are all correct, with none missed.
    overall
        Arguments of all labels but the verb.
    labels
        Arguments of each label, sorted; the verb's is not among them.
    verb
        The verbs; None if there is none in gold or predictions.
    """

    sentences: int
    propositions: int
    perfect: int
    overall: RoleCounts
    labels: dict[str, RoleCounts]
    verb: RoleCounts | None

    @property
    def perfect_percent(self) -> float:
        """Percentage of perfect propositions; 0 without propositions."""
        return 100 * self.perfect / self.propositions if self.propositions else 0.0


class RoleScorer:
    """Counts sentence after sentence; `score` may be asked for at any time."""

    def __init__(self) -> None:
        self._sentences = 0
        self._propositions = 0
        self._perfect = 0
        self._correct: Counter[str] = Counter()
        self._excess: Counter[str] = Counter()
        self._missed: Counter[str] = Counter()

    def add_sentence(self, propositions: Iterable[tuple[Iterable[Argument], Iterable[Argument]]]) -> None:
        """
        Counts a sentence.

        Parameters
        ----------
        propositions
            Gold and predicted arguments of each of its predicates, as `join_pieces` gives them. If a
            predicate is not predicted, its predicted arguments are none.
        """
        self._sentences += 1
        for gold, predicted in propositions:
            self._add_proposition(gold, predicted)

    def score(self) -> RoleScore:
        """The score of all that was counted so far."""
        correct, excess, missed = self._correct, self._excess, self._missed
        labels = {
            label: RoleCounts(correct[label], excess[label], missed[label])
            for label in sorted(correct.keys() | excess.keys() | missed.keys())
        }
        verb = labels.pop(VERB, None)
        overall = RoleCounts(
            sum(counts.correct for counts in labels.values()),
            sum(counts.excess for counts in labels.values()),
            sum(counts.missed for counts in labels.values()),
        )
        return RoleScore(self._sentences, self._propositions, self._perfect, overall, labels, verb)

    def _add_proposition(self, gold: Iterable[Argument], predicted: Iterable[Argument]) -> None:
        # One gold argument for two ends: if others have the same ones, the last counts, and the others are forgotten.
        waiting = {(argument.start, argument.end): argument for argument in gold}
        excess: list[str] = []
        for argument in predicted:
            ends = (argument.start, argument.end)
            if ends in waiting and _same(waiting[ends], argument):
                self._correct[argument.label] += 1
                del waiting[ends]
            else:
                excess.append(argument.label)
        missed = [argument.label for argument in waiting.values()]
        self._excess.update(excess)
        self._missed.update(missed)
        self._propositions += 1
        self._perfect += all(label == VERB for label in excess + missed)


def _same(gold: Argument, predicted: Argument) -> bool:
    """Whether two arguments with the same ends agree in label and pieces; one with a piece twice is never right."""
    return (
        gold.label == predicted.label
        and set(gold.pieces) == set(predicted.pieces)
        and len(set(predicted.pieces)) == len(predicted.pieces)
    )


def report(score: RoleScore) -> str:
    """What the script prints, to the byte if its labels came from `score_lines` (and are written as Latin-1)."""
    line = "-" * 60
    rows = [
        f"Number of Sentences    :      {score.sentences:6d}",
        f"Number of Propositions :      {score.propositions:6d}",
        f"Percentage of perfect props : {score.perfect_percent:6.2f}",
        "",
        "              corr.  excess  missed    prec.    rec.      F1",
        line,
        _row(OVERALL, score.overall),
        "-" * 10,
        *(_row(label, counts) for label, counts in score.labels.items()),
        line,
        *([_row(VERB, score.verb)] if score.verb else []),
        line,
    ]
    return "".join(f"{row}\n" for row in rows)


def _row(name: str, counts: RoleCounts) -> str:
    return (
        f"{name:>10}   {counts.correct:6d}  {counts.excess:6d}  {counts.missed:6d}"
        f"   {counts.precision:6.2f}  {counts.recall:6.2f}  {counts.f1:6.2f}"
    )


def to_dict(score: RoleScore) -> dict[str, Any]:
    """
    The score as plain values for JSON; percentages are rounded to two digits, as `report` prints them.

    Keys are `sentences`, `propositions`, `perfect_props` (a percentage) and `labels`: for `Overall`, each label and the
    verb a list of correct, excess, missed, precision, recall and F1.
    """
    rows = {OVERALL: score.overall, **score.labels, **({VERB: score.verb} if score.verb else {})}
    return {
        "sentences": score.sentences,
        "propositions": score.propositions,
        "perfect_props": round(score.perfect_percent, 2),
        "labels": {as_text(label): _values(counts) for label, counts in rows.items()},
    }


def _values(counts: RoleCounts) -> list[float]:
    percentages = (counts.precision, counts.recall, counts.f1)
    return [counts.correct, counts.excess, counts.missed, *(round(value, 2) for value in percentages)]
