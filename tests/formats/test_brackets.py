"""Columns of brackets against a scan of single characters, and back."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_tasks.formats.brackets import check_nested, decode_flat, decode_mentions, encode_flat, encode_mentions
from elmo_tasks.formats.tags import Span, TagError


def scanned(cells: list[str]) -> tuple[list[Span], int]:
    """The spans of a column and its greatest depth by one walk over its brackets."""
    found: list[Span] = []
    stack: list[tuple[str, int]] = []
    depth = 0
    for position, cell in enumerate(cells):
        for bracket, label in re.findall(r"([()])([^()*]*)", cell):
            if bracket == "(":
                stack.append((label, position))
                depth = max(depth, len(stack))
            else:
                name, start = stack.pop()
                found.append(Span(name, start, position + 1))
    assert not stack
    return found, depth


flat_cells = st.lists(
    st.sampled_from(
        ["*", "*", "*)", "*)", "(A*", "(A*)", "(B-X*", "(A)", "", "(A", "A*", "**", "(*", "*))", "(A*(", "-"]
    ),
    max_size=7,
)


@given(flat_cells)
@example(["(A*", "*", "*)", "(A)", "(B-X*)"])
def test_flat_columns_are_scanned_alike_or_refused_where_they_break(cells: list[str]) -> None:
    try:
        spans = decode_flat(cells)
    except TagError as error:
        # All before is fine: it can be closed, and then read.
        before = cells[: error.position]
        opened = sum("(" in cell for cell in before) > sum(")" in cell for cell in before)
        assert len(decode_flat([*before, "*)" if opened else "*"])) == sum("(" in cell for cell in before)
        return
    expected, depth = scanned(cells)
    assert spans == expected
    assert depth <= 1
    assert decode_flat(encode_flat(spans, len(cells))) == spans
    assert encode_flat(spans, len(cells)) == ["(A*)" if cell == "(A)" else cell for cell in cells]


@pytest.mark.parametrize(
    ("cells", "position", "sentence"),
    [
        (["*", "*)"], 1, "'*)' closes a bracket, but none is open"),
        (["*", "(A*", "*"], 1, "the bracket of '(A*' is not closed before the sentence's end"),
        (["(A*", "(B*)", "*)"], 1, "'(B*)' stands inside '(A*' of token 0, expected '*' or '*)'"),
        (["*", "(A*)(B*)"], 1, "found '(A*)(B*)', expected '*', '(LABEL*', '*)' or '(LABEL*)'"),
        (["(A(B*", "*))"], 0, "found '(A(B*', expected"),
        (["(A*)", "(*)"], 1, "found '(*)', expected"),
        (["*A)"], 0, "found '*A)', expected"),
    ],
)
def test_flat_columns_that_are_refused(cells: list[str], position: int, sentence: str) -> None:
    with pytest.raises(TagError, match=f"^{re.escape(sentence)}") as refused:
        decode_flat(cells)
    assert refused.value.position == position


@pytest.mark.parametrize("spans", [[Span("A", 0, 2), Span("B", 1, 3)], [Span("A", 2, 4)], [Span("A", 1, 1)]])
def test_spans_that_no_flat_column_can_hold(spans: list[Span]) -> None:
    with pytest.raises(ValueError, match="overlaps another span or leaves the sentence of 3 tokens"):
        encode_flat(spans, 3)


@given(
    st.lists(st.sampled_from(["*", "(S*", "(S(NP*", "*)", "*))", "(NP*)", "(S(A-B*))", "(*", "*()", ")*"]), max_size=6)
)
def test_a_tree_is_accepted_if_its_brackets_are_those_of_a_text(cells: list[str]) -> None:
    text = "".join(cells)
    while (shorter := re.sub(r"\([^()*]+\*?((?:\*)*)\)", r"*\1", text)) != text:
        text = shorter
    well_formed = not set(text) - {"*"} and all(re.fullmatch(r"[^*)]*\*\)*", cell) for cell in cells)
    if well_formed:
        check_nested(cells)
        return
    with pytest.raises(TagError) as refused:
        check_nested(cells)
    assert 0 <= refused.value.position < len(cells)


@pytest.mark.parametrize(
    ("cells", "position", "sentence"),
    [
        (["(S*", "(NP*", "*)"], 0, "a bracket of '(S*' is not closed before the sentence's end"),
        (["(S*", "*))"], 1, "'*))' closes 2 brackets, but 1 are open"),
        (["(S*", "*S)"], 1, "found '*S)', expected '*', with any '(LABEL' before and ')' behind it"),
        (["-"], 0, "found '-', expected '*'"),
    ],
)
def test_trees_that_are_refused(cells: list[str], position: int, sentence: str) -> None:
    with pytest.raises(TagError, match=f"^{re.escape(sentence)}") as refused:
        check_nested(cells)
    assert refused.value.position == position


mention_spans = st.lists(
    st.tuples(st.sampled_from(["1", "2", "13"]), st.integers(0, 6), st.integers(1, 7)).map(
        lambda each: Span(each[0], min(each[1:]), max(each[1:]) + (each[1] == each[2]))
    ),
    max_size=6,
)


def crosses(spans: list[Span]) -> bool:
    """Whether two of one cluster overlap and none holds the other, in a way that its brackets cannot say."""
    return any(
        one.label == other.label and one.start < other.start < one.end < other.end for one in spans for other in spans
    )


@given(mention_spans)
@example([Span("1", 0, 4), Span("2", 2, 6)])
@example([Span("1", 0, 4), Span("1", 3, 6), Span("1", 3, 4)])
@example([Span("1", 0, 4), Span("2", 0, 4), Span("1", 0, 4)])
def test_mentions_come_back_in_order_however_they_lie(spans: list[Span]) -> None:
    ordered = sorted(spans, key=lambda span: (span.start, span.end, span.label))
    if crosses(spans):
        with pytest.raises(ValueError, match="two mentions of one cluster cross, which brackets cannot say"):
            encode_mentions(spans, 8)
        return
    cells = encode_mentions(spans, 8)
    assert decode_mentions(cells) == ordered
    for position, cell in enumerate(cells):
        parts = [] if cell == "-" else cell.split("|")
        begins = [span.label for span in spans if span.start == position]
        ends = [span.label for span in spans if span.end == position + 1]
        assert sorted(part.strip("()") for part in parts if part.startswith("(")) == sorted(begins)
        assert sorted(part.strip("()") for part in parts if part.endswith(")")) == sorted(ends)


def test_beginnings_come_before_ends_in_a_cell_as_the_official_scorer_takes_them() -> None:
    assert decode_mentions(["(7", "7)|(7", "7)"]) == [Span("7", 0, 3), Span("7", 1, 2)]
    assert decode_mentions(["(7", "7)|(8", "8)"]) == [Span("7", 0, 2), Span("8", 1, 3)]


def test_long_mentions_begin_first_and_short_ones_end_first() -> None:
    spans = [Span("7", 1, 2), Span("5", 0, 3), Span("6", 1, 3), Span("8", 2, 3)]
    assert encode_mentions(spans, 3) == ["(5", "(6|(7)", "(8)|6)|5)"]


def test_an_end_belongs_to_the_mention_of_its_cluster_that_began_last() -> None:
    cells = ["(1", "(2", "(1", "1)|2)", "1)", "(1|1)"]
    assert decode_mentions(cells) == [Span("1", 0, 5), Span("2", 1, 4), Span("1", 2, 4), Span("1", 5, 6)]


@pytest.mark.parametrize(
    ("cells", "position", "sentence"),
    [
        (["-", "3)"], 1, "'3)' ends a mention that does not begin in this sentence"),
        (["(3", "(3", "3)"], 0, "the mention that begins with '(3' does not end in this sentence"),
        (["(3", "4)"], 1, "'4)' ends a mention that does not begin"),
        (["(3|"], 0, "found '(3|', expected '-' or parts like '(7', '7)', '(7)' with '|' between"),
        (["(3(4)"], 0, "found '(3(4)', expected"),
        (["3"], 0, "found '3', expected"),
        (["(x)"], 0, "found '(x)', expected"),
        (["*"], 0, "found '*', expected"),
        (["(٣)"], 0, "found '(٣)', expected"),
    ],
)
def test_mentions_that_are_refused(cells: list[str], position: int, sentence: str) -> None:
    with pytest.raises(TagError, match=f"^{re.escape(sentence)}") as refused:
        decode_mentions(cells)
    assert refused.value.position == position


@pytest.mark.parametrize("span", [Span("1", 2, 4), Span("1", -1, 1), Span("1", 1, 1)])
def test_a_mention_outside_of_its_sentence(span: Span) -> None:
    with pytest.raises(ValueError, match="leaves the sentence of 3 tokens"):
        encode_mentions([span], 3)


def test_a_cluster_is_a_number() -> None:
    with pytest.raises(ValueError, match="found"):
        encode_mentions([Span("a", 0, 1)], 1)
