"""Counts of semantic roles: sets of arguments as an independent reference, and pieces by hand."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_tasks.scoring.srl import Argument, Phrase, RoleCounts, RoleScore, RoleScorer, join_pieces, report, to_dict

Span = tuple[str, int, int]

labels = st.sampled_from(["A0", "A1", "C-A0", "C-A1", "R-A0", "V", "C-V"])


@st.composite
def flat_spans(draw: st.DrawFn) -> list[Span]:
    """Spans of a proposition that do not overlap."""
    cuts = sorted(draw(st.sets(st.integers(0, 9), max_size=7)))
    return [(draw(labels), start, end) for start, end in pairwise(cuts) if draw(st.booleans())]


@st.composite
def proposition_pairs(draw: st.DrawFn) -> tuple[list[Span], list[Span]]:
    """Gold and predicted spans, of which about half are the same."""
    gold, predicted = draw(flat_spans()), draw(flat_spans())
    border = draw(st.integers(0, 9))
    kept = [span for span in gold if span[2] <= border]
    return gold, kept + [span for span in predicted if span[1] >= border]


def joined(spans: list[Span]) -> list[Argument]:
    return join_pieces(Phrase(*span) for span in spans)


def sets_of_pieces(spans: list[Span]) -> set[tuple[str, frozenset[tuple[int, int]]]]:
    """Each argument as its label and the set of its pieces: written by looking back from each piece to its head."""
    heads: dict[Span, list[tuple[int, int]]] = {}
    for number, (label, start, end) in enumerate(spans):
        plain = label.removeprefix("C-")
        before = [each for each in reversed(list(heads)) if each[0] == plain and each[1] < start]
        if label.startswith("C-") and before:
            heads[before[0]].append((start, end))
        else:
            heads[(plain, *spans[number][1:])] = [(start, end)]
    return {(label, frozenset(pieces)) for (label, _, _), pieces in heads.items()}


def slow_counts(pairs: list[tuple[list[Span], list[Span]]]) -> tuple[int, dict[str, list[int]]]:
    """Number of perfect propositions, and correct, excess, missed of each label, from sets."""
    counts: dict[str, list[int]] = {}
    perfect = 0
    for spans in pairs:
        gold, predicted = map(sets_of_pieces, spans)
        for column, found in enumerate((gold & predicted, predicted - gold, gold - predicted)):
            for label, _ in found:
                counts.setdefault(label, [0, 0, 0])[column] += 1
        perfect += all(label == "V" for label, _ in gold ^ predicted)
    return perfect, counts


@given(st.lists(st.lists(proposition_pairs(), max_size=3), max_size=4))
@example([[([("A0", 0, 1), ("C-A0", 3, 4)], [("A0", 0, 1), ("C-A0", 2, 4)])]])
@example([[([("C-A1", 0, 1), ("V", 1, 2), ("C-A1", 2, 3)], [("A1", 0, 1), ("V", 1, 2), ("C-A1", 2, 3)])]])
def test_the_scorer_equals_sets_of_arguments(sentences: list[list[tuple[list[Span], list[Span]]]]) -> None:
    scorer = RoleScorer()
    for sentence in sentences:
        scorer.add_sentence((joined(gold), joined(predicted)) for gold, predicted in sentence)
    score = scorer.score()
    pairs = [pair for sentence in sentences for pair in sentence]
    perfect, counts = slow_counts(pairs)
    assert (score.sentences, score.propositions, score.perfect) == (len(sentences), len(pairs), perfect)
    verb = counts.pop("V", None)
    assert score.verb == (RoleCounts(*verb) if verb else None)
    assert score.labels == {label: RoleCounts(*counts[label]) for label in sorted(counts)}
    assert list(score.labels) == sorted(counts)
    assert score.overall == RoleCounts(*map(sum, zip([0] * 3, *counts.values(), strict=True)))


@given(st.lists(proposition_pairs(), max_size=6), st.randoms(use_true_random=False))
def test_neither_the_order_of_propositions_nor_that_of_spans_matters(
    pairs: list[tuple[list[Span], list[Span]]], random
) -> None:
    scores = []
    for _ in range(2):
        scorer = RoleScorer()
        scorer.add_sentence((joined(gold), joined(predicted)) for gold, predicted in pairs)
        scores.append(scorer.score())
        random.shuffle(pairs)
        for spans in pairs:
            for one in spans:
                random.shuffle(one)
    assert scores[0] == scores[1]


@given(st.lists(proposition_pairs(), max_size=6))
def test_gold_and_prediction_exchanged_exchange_precision_and_recall(
    pairs: list[tuple[list[Span], list[Span]]],
) -> None:
    one, other = RoleScorer(), RoleScorer()
    one.add_sentence((joined(gold), joined(predicted)) for gold, predicted in pairs)
    other.add_sentence((joined(predicted), joined(gold)) for gold, predicted in pairs)
    here, there = one.score().overall, other.score().overall
    assert (here.correct, here.excess, here.missed) == (there.correct, there.missed, there.excess)
    assert (here.precision, here.recall) == (there.recall, there.precision)
    assert here.f1 == pytest.approx(there.f1, rel=1e-14)


def test_pieces_by_hand() -> None:
    assert joined([("A1", 0, 2), ("V", 3, 4), ("C-A1", 5, 6), ("C-A1", 8, 9)]) == [
        Argument("A1", 0, 9, ((0, 2), (5, 6), (8, 9))),
        Argument("V", 3, 4),
    ]
    # the last X before it is the one that goes on
    assert joined([("A1", 0, 1), ("A1", 2, 3), ("C-A1", 4, 5)]) == [
        Argument("A1", 0, 1),
        Argument("A1", 2, 5, ((2, 3), (4, 5))),
    ]
    assert joined([("C-A1", 0, 1), ("C-A1", 2, 3), ("C-A0", 4, 5)]) == [
        Argument("A1", 0, 3, ((0, 1), (2, 3))),
        Argument("A0", 4, 5),
    ]
    # only one C- is taken away, and R- none
    assert joined([("R-A1", 0, 1), ("C-R-A1", 2, 3), ("C-C-A1", 4, 5)]) == [
        Argument("R-A1", 0, 3, ((0, 1), (2, 3))),
        Argument("C-A1", 4, 5),
    ]


def test_what_lies_inside_counts_as_pieces_and_can_reach_further_than_its_outer_phrase() -> None:
    inner = Phrase("A1", 1, 2)
    assert join_pieces([Phrase("A0", 0, 3, [inner]), inner, Phrase("C-A1", 4, 6)]) == [
        Argument("A0", 0, 3, ((1, 6),)),
        Argument("A1", 1, 6, ((1, 2), (4, 6))),
    ]


def test_one_argument_is_found_once_and_one_with_a_piece_twice_never() -> None:
    scorer = RoleScorer()
    twice = Argument("A1", 0, 4, ((0, 1), (3, 4), (3, 4)))
    scorer.add_sentence([([Argument("A0", 0, 1)], [Argument("A0", 0, 1)] * 2), ([twice], [twice])])
    assert scorer.score().labels == {"A0": RoleCounts(1, 1, 0), "A1": RoleCounts(0, 1, 1)}


def test_a_score_may_be_asked_for_on_the_way() -> None:
    scorer = RoleScorer()
    assert scorer.score() == RoleScore(0, 0, 0, RoleCounts(), {}, None)
    scorer.add_sentence([([Argument("A0", 0, 1)], [])])
    first = scorer.score()
    scorer.add_sentence([])
    scorer.add_sentence([([], [Argument("V", 0, 1)])])
    assert (first.sentences, first.propositions, first.perfect, first.verb) == (1, 1, 0, None)
    last = scorer.score()
    assert (last.sentences, last.propositions, last.perfect, last.verb) == (3, 2, 1, RoleCounts(0, 1, 0))
    assert (last.perfect_percent, last.overall) == (50, RoleCounts(0, 0, 1))


def test_numbers_wider_than_their_columns() -> None:
    """As `%6d` and `%10s` print them: a column grows, and what follows moves."""
    counts = RoleCounts(1234567, 0, 12345678)
    score = RoleScore(1234567, 1234567, 1, counts, {"R-ARGM-LONG": counts}, None)
    assert report(score).splitlines() == [
        "Number of Sentences    :      1234567",
        "Number of Propositions :      1234567",
        "Percentage of perfect props :   0.00",
        "",
        "              corr.  excess  missed    prec.    rec.      F1",
        "-" * 60,
        "   Overall   1234567       0  12345678   100.00    9.09   16.67",
        "-" * 10,
        "R-ARGM-LONG   1234567       0  12345678   100.00    9.09   16.67",
        "-" * 60,
        "-" * 60,
    ]


def test_values_for_json() -> None:
    scorer = RoleScorer()
    found = [Argument("A0", 0, 1), Argument("A1", 2, 3), Argument("V", 1, 2)]
    scorer.add_sentence(
        [(found, found), (found, [Argument("V", 1, 2), Argument("A\xc3\xa9\xff", 3, 4)]), (found[:1], found)]
    )
    assert to_dict(scorer.score()) == {
        "sentences": 1,
        "propositions": 3,
        "perfect_props": 33.33,
        "labels": {
            "Overall": [3, 2, 2, 60.0, 60.0, 60.0],
            "A0": [2, 0, 1, 100.0, 66.67, 80.0],
            "A1": [1, 1, 1, 50.0, 50.0, 50.0],
            "Aé\\xff": [0, 1, 0, 0.0, 0.0, 0.0],
            "V": [2, 1, 0, 66.67, 100.0, 80.0],
        },
    }
