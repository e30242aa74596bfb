"""Spans as tags and back: the same spans by every scheme, and a mistake named with its token."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.formats.tags import SCHEMES, Span, TagError, decode, encode
from elmo_tasks.scoring.conlleval import phrases

LABELS = ("PER", "LOC", "A-B", "é")


class Case(NamedTuple):
    tags: str
    position: int
    reason: str


@st.composite
def tagged_sentences(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Spans in order, many of them side by side, and the number of tokens."""
    spans, end = [], 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.sampled_from([0, 0, 1, 2]), st.integers(1, 3), st.sampled_from(LABELS)), max_size=5)
    ):
        spans.append(Span(label, end + gap, end + gap + length))
        end = spans[-1].end
    return spans, end + draw(st.integers(0, 2))


@pytest.mark.parametrize("scheme", SCHEMES)
@given(sentence=tagged_sentences())
def test_spans_are_written_and_read_back(scheme: str, sentence: tuple[list[Span], int]) -> None:
    spans, length = sentence
    tags = encode(reversed(spans), length, scheme)
    assert len(tags) == length
    assert decode(tags, scheme) == spans


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_any_tags_are_read_or_refused_with_a_token(scheme: str, data: st.DataObject) -> None:
    one = st.one_of(
        st.just("O"),
        st.builds(lambda letter, label: f"{letter}-{label}", st.sampled_from("BIELSU"), st.sampled_from(LABELS)),
        st.text(max_size=3),
    )
    tags = data.draw(st.lists(one, max_size=6))
    position, spans = None, []
    try:
        spans = decode(tags, scheme)
    except TagError as error:
        position = error.position
    if position is not None:
        assert 0 <= position <= len(tags)
        return
    written = encode(spans, len(tags), scheme)
    # the only freedom: IOB1's B- where I- would do
    assert scheme == "IOB1" or written == tags
    assert [tag[2:] for tag in written] == [tag[2:] for tag in tags]


@given(sentence=tagged_sentences())
def test_iob2_means_what_it_means_to_conlleval(sentence: tuple[list[Span], int]) -> None:
    spans, length = sentence
    tags = encode(spans, length, "IOB2")
    assert [tuple(phrase) for phrase in phrases(tags)] == [tuple(span) for span in decode(tags, "IOB2")]


@given(sentence=tagged_sentences())
def test_iob1_means_what_it_means_to_conlleval(sentence: tuple[list[Span], int]) -> None:
    spans, length = sentence
    tags = encode(spans, length, "IOB1")
    assert [tuple(phrase) for phrase in phrases(tags)] == [tuple(span) for span in spans]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", "I-X I-X B-X I-Y O I-X"),
        ("IOB2", "B-X I-X B-X B-Y O B-X"),
        ("BIOES", "B-X E-X S-X S-Y O S-X"),
        ("BIOUL", "B-X L-X U-X U-Y O U-X"),
    ],
)
def test_one_sentence_by_every_scheme(scheme: str, tags: str) -> None:
    spans = [Span("X", 0, 2), Span("X", 2, 3), Span("Y", 3, 4), Span("X", 5, 6)]
    assert decode(tags.split(), scheme) == spans
    assert encode(spans, 6, scheme) == tags.split()


def test_iob1_takes_a_b_for_a_begin_wherever_it_stands() -> None:
    assert decode(["B-X", "I-X", "O", "B-Y", "B-X"], "IOB1") == [Span("X", 0, 2), Span("Y", 3, 4), Span("X", 4, 5)]


@pytest.mark.parametrize(
    ("scheme", "case"),
    [
        ("IOB2", Case("I-X O", 0, "the tag 'I-X' stands outside of any span; in IOB2 a span begins with 'B-X'")),
        ("IOB2", Case("B-X O I-X", 2, "the tag 'I-X' stands outside of any span")),
        ("IOB2", Case("B-X I-X I-Y", 2, "the tag 'I-Y' stands inside a span of 'X'; in IOB2 a span begins with 'B-Y'")),
        ("BIOES", Case("O I-X E-X", 1, "the tag 'I-X' stands outside of any span")),
        ("BIOES", Case("S-X E-X", 1, "the tag 'E-X' stands outside of any span")),
        ("BIOES", Case("B-X E-Y", 1, "the tag 'E-Y' stands inside a span of 'X'")),
        ("BIOES", Case("B-X O", 1, "the span of 'X' is not closed by 'E-X' before 'O'")),
        ("BIOES", Case("B-X I-X S-X", 2, "the span of 'X' is not closed by 'E-X' before 'S-X'")),
        ("BIOES", Case("B-X B-X E-X", 1, "the span of 'X' is not closed by 'E-X' before 'B-X'")),
        ("BIOES", Case("O B-X I-X", 3, "the span of 'X' is not closed by 'E-X' before the sentence's end")),
        ("BIOUL", Case("O B-X", 2, "the span of 'X' is not closed by 'L-X' before the sentence's end")),
        ("BIOUL", Case("L-X", 0, "the tag 'L-X' stands outside of any span")),
        ("IOB1", Case("I-X E-X", 1, "'E-X' is no tag of IOB1: expected 'O', 'B-LABEL', 'I-LABEL'")),
        (
            "BIOES",
            Case("U-X", 0, "'U-X' is no tag of BIOES: expected 'O', 'B-LABEL', 'I-LABEL', 'E-LABEL', 'S-LABEL'"),
        ),
        ("IOB2", Case("O B-", 1, "'B-' is no tag of IOB2")),
        ("IOB2", Case("B", 0, "'B' is no tag of IOB2")),
        ("IOB2", Case("-X", 0, "'-X' is no tag of IOB2")),
        ("IOB2", Case("BI-X", 0, "'BI-X' is no tag of IOB2")),
        ("IOB2", Case("o", 0, "'o' is no tag of IOB2")),
        ("IOB2", Case("b-X", 0, "'b-X' is no tag of IOB2")),
        ("IOB1", Case("O O-X", 1, "'O-X' is no tag of IOB1")),
    ],
    ids=str,
)
def test_mistakes_are_named_with_their_token(scheme: str, case: Case) -> None:
    with pytest.raises(TagError) as raised:
        decode(case.tags.split(" "), scheme)
    assert raised.value.position == case.position
    assert str(raised.value).startswith(case.reason)


@pytest.mark.parametrize(
    "spans",
    [
        [Span("X", 0, 2), Span("Y", 1, 3)],
        [Span("X", 2, 4)],
        [Span("X", 1, 1)],
        [Span("X", -1, 1)],
    ],
    ids=["overlapping", "behind the end", "empty", "before the begin"],
)
def test_spans_that_no_tags_can_say_are_refused(spans: list[Span]) -> None:
    with pytest.raises(ValueError, match="overlaps another span or leaves the sentence of 3 tokens"):
        encode(spans, 3, "BIOUL")
