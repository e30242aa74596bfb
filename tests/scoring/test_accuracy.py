"""Accuracy of labels, one a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.scoring.accuracy import Accuracy, PairedAccuracy, compare, compare_by_name, read_labels

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


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([*LABELS, None])).filter(
        lambda gold: any(gold.values())
    ),
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(LABELS)),
)
def test_named_labels_are_counted_once_each(gold: dict[str, str | None], predicted: dict[str, str]) -> None:
    score, warnings = compare_by_name(gold, predicted, "gold", "predictions")
    correct, missing, skipped = 0, [], 0
    for name, label in gold.items():
        if label is None:
            skipped += 1
        elif name not in predicted:
            missing.append(name)
        elif predicted[name] == label:
            correct += 1
    unknown = [name for name in predicted if name not in gold]
    assert score == PairedAccuracy(Accuracy(correct, len(gold) - skipped), skipped, tuple(missing), tuple(unknown))
    assert len(warnings) == len(missing) + bool(unknown) + bool(skipped)
    assert score.to_dict() == {
        **score.accuracy.to_dict(),
        "skipped": skipped,
        "missing": len(missing),
        "unknown": len(unknown),
    }


def test_what_is_missing_unknown_and_skipped_is_said() -> None:
    gold = {"a": "neutral", "b": None, "c": "entailment", "d\n": "neutral"}
    predicted = {"x": "neutral", "a": "neutral", "y": "neutral"}
    assert compare_by_name(gold, predicted, "g.jsonl", "p.jsonl")[1] == [
        "p.jsonl: there is no label for 'c', which counts as wrong.",
        r"p.jsonl: there is no label for 'd\n', which counts as wrong.",
        "p.jsonl: 2 of 3 labels are for items that are not in g.jsonl and do not count, the first is for 'x'.",
        "g.jsonl: 1 of 4 items have no gold label and do not count.",
    ]


def test_without_any_gold_label_there_is_no_score() -> None:
    with pytest.raises(InputError, match="^g.jsonl: no item has a gold label, there is nothing to score"):
        compare_by_name({"a": None}, {"a": "neutral"}, "g.jsonl", "p.jsonl")
