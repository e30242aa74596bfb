"""The metric against srl-eval.pl's own way of counting, on files."""

import logging
import random
from collections.abc import Iterable, Iterator

import pytest

from elmo_tasks.formats.conll2012 import Proposition
from elmo_tasks.formats.props import props_lines
from elmo_tasks.formats.tags import Span
from elmo_tasks.scoring.srl_files import score_lines
from elmo_tasks.tasks.srl.metric import RoleF1, argument_counts

LABELS = ["ARG0", "ARG1", "C-ARG1", "R-ARG0", "C-ARG0", "ARGM-TMP", "V", "C-V"]
WORDS = [f"w{number}" for number in range(9)]
TAGS = [f"{letter}-{label}" for letter in "BI" for label in LABELS]


def spans_of(dice: random.Random) -> list[Span]:
    ends = sorted(dice.sample(range(10), dice.choice([2, 4, 6])))
    return [Span(dice.choice(LABELS), start, end) for start, end in zip(ends[::2], ends[1::2], strict=True)]


def scored(pairs: list[tuple[list[Span], list[Span]]]):
    """One sentence a pair, its predicate in the first row."""

    def file(sides: Iterable[list[Span]]) -> Iterator[tuple[int, bytes]]:
        lines = props_lines((9, [Proposition(0, "go", "01", tuple(spans))]) for spans in sides)
        return enumerate((line.encode() for line in lines), start=1)

    score, warnings = score_lines(file(gold for gold, _ in pairs), file(found for _, found in pairs))
    assert not warnings
    return score


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_the_files(seed: int) -> None:
    dice = random.Random(seed)
    pairs = []
    for _ in range(60):
        gold = spans_of(dice)
        pairs.append((gold, gold if dice.random() < 0.3 else spans_of(dice)))
    metric = RoleF1(TAGS)
    for gold, found in pairs:
        metric(gold, found, WORDS)
    score = scored(pairs)
    assert 0 < score.overall.f1 < 100
    expected = {name: getattr(score.overall, name) / 100 for name in ("precision", "recall", "f1")}
    assert metric.get_metric() == pytest.approx(expected, abs=1e-12)
    by_role = {f"f1_{label}": counts.f1 / 100 for label, counts in score.labels.items()}
    assert metric.get_metric(reset=True, roles=True) == pytest.approx({**expected, **by_role}, abs=1e-12)
    assert "f1_V" not in by_role
    assert metric.get_metric() == {}
    counts = argument_counts(pairs)
    assert (counts.correct, counts.excess, counts.missed) == (
        score.overall.correct,
        score.overall.excess,
        score.overall.missed,
    )


def test_all_pieces_of_an_argument_must_be_right_and_the_verb_does_not_count() -> None:
    gold = [Span("ARG1", 0, 2), Span("V", 2, 3), Span("C-ARG1", 4, 6)]
    metric = RoleF1(TAGS)
    metric(gold, [Span("ARG1", 0, 2), Span("C-ARG1", 4, 5)], WORDS)
    assert metric.get_metric(reset=True) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    metric(gold, [Span("ARG1", 0, 2), Span("C-ARG1", 4, 6)], WORDS)
    assert metric.get_metric(reset=True) == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_gold_arguments_that_no_tag_of_the_model_can_say_are_counted_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = RoleF1([tag for tag in TAGS if tag not in ("I-ARGM-TMP", "B-R-ARG0", "I-R-ARG0")])
    metric([Span("R-ARG0", 0, 1), Span("ARGM-TMP", 2, 3)], [Span("ARGM-TMP", 2, 3)], WORDS)
    metric([Span("ARGM-TMP", 2, 5)], [], WORDS)
    with caplog.at_level(logging.WARNING):
        assert metric.get_metric()["recall"] == pytest.approx(1 / 3)
        assert not caplog.messages
        metric.get_metric(reset=True)
        metric.get_metric(reset=True)
    (message,) = caplog.messages
    assert message.startswith("2 gold arguments have a role, or are longer")
    assert "(first 'R-ARG0' in 'w0 w1 w2" in message
