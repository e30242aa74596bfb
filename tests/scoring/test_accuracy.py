"""Accuracy of labels, one a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.scoring.accuracy import Accuracy, compare, read_labels

LABELS = ("entailment", "neutral", "contradiction")


def test_it_is_printed_like_the_papers_figure() -> None:
    assert str(Accuracy(1209, 2210)) == "accuracy: 54.71%  correct: 1209 / 2210"
    assert Accuracy(1209, 2210).to_dict() == {"accuracy": 54.71, "correct": 1209, "total": 2210}
    assert str(Accuracy(0, 0)) == "accuracy: 0.00%  correct: 0 / 0"


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS))))
def test_equal_labels_are_counted(pairs: list[tuple[str, str]]) -> None:
    accuracy = compare([gold for gold, _ in pairs], [predicted for _, predicted in pairs], "gold", "predictions")
    assert (accuracy.correct, accuracy.total) == (
        len([0 for gold, predicted in pairs if gold == predicted]),
        len(pairs),
    )


@pytest.mark.parametrize(("gold", "predicted"), [(3, 2), (2, 3), (0, 1)])
def test_different_numbers_are_both_named(gold: int, predicted: int) -> None:
    with pytest.raises(InputError, match=f"^p.txt: {predicted} labels, but g.txt has {gold} items; expected one label"):
        compare(["neutral"] * gold, ["neutral"] * predicted, "g.txt", "p.txt")


def test_white_space_around_a_label_does_not_matter() -> None:
    lines = [(1, "neutral"), (2, " entailment\t"), (3, "neutral\r")]
    assert read_labels(lines, "file", LABELS) == ["neutral", "entailment", "neutral"]


@pytest.mark.parametrize(
    ("line", "found"),
    [("", "an empty line"), (" \r", "an empty line"), ("5", "'5'"), ("neutral neutral", "'neutral n")],
)
def test_other_labels_are_named_with_their_line(line: str, found: str) -> None:
    with pytest.raises(InputError) as refused:
        read_labels([(1, "neutral"), (2, line)], "file", LABELS)
    expected = f"file:2: expected one label a line (entailment, neutral, contradiction), found {found}"
    assert str(refused.value).startswith(expected)


def test_a_file_without_lines_is_refused() -> None:
    with pytest.raises(InputError, match="^file: the file is empty, expected one label a line"):
        read_labels([], "file", LABELS)


@given(st.lists(st.text(max_size=12)))
def test_any_lines_are_labels_or_the_error(lines: list[str]) -> None:
    found, message = [], ""
    try:
        found = read_labels(enumerate(lines, start=1), "file", LABELS)
    except InputError as error:
        message = str(error)
    assert bool(found) != bool(message)
    assert found == ([] if message else [line.strip() for line in lines])
    assert message.startswith("file" if message else "")
    assert message.isprintable()
