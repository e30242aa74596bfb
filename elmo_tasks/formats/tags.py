"""Spans of a sentence as one tag a token, and back: the codings IOB1, IOB2, BIOES and BIOUL."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

SCHEMES = ("IOB1", "IOB2", "BIOES", "BIOUL")
"""Ways to write spans as tags; BIOUL is BIOES with the letters L (last) and U (unit)."""

OUTSIDE = "O"

_LAST_AND_ONLY = {"BIOES": ("E", "S"), "BIOUL": ("L", "U")}


class Span(NamedTuple):
    """Tokens ``start`` to ``end``, the latter excluded, that carry a label."""

    label: str
    start: int
    end: int


class TagError(ValueError):
    """
    A tag that cannot stand where it does.

    Attributes
    ----------
    position
        The token's, from 0; the length of the sentence if it ends too early.
    """

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position


def decode(tags: Sequence[str], scheme: str) -> list[Span]:
    """
    The spans of a tagged sentence, strictly by the scheme.

    IOB1 begins a span with ``I-``, and with ``B-`` where the token before belongs to another span of the same label;
    a ``B-`` elsewhere is taken for a begin too. IOB2 begins every span with ``B-``. BIOES marks its last token ``E-``
    as well, and a span of one token ``S-``.

    Raises
    ------
    TagError
        Where a tag is none of the scheme's, or goes on with a span that is not there, or a span is not closed.
    """
    return _decode_iob(tags, scheme) if scheme in ("IOB1", "IOB2") else _decode_bioes(tags, scheme)


def encode(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """
    One tag for each of ``length`` tokens.

    Raises
    ------
    ValueError
        If spans overlap or leave the sentence.
    """
    tags = [OUTSIDE] * length
    ended: str | None = None
    end = 0
    for span in sorted(spans, key=lambda span: span.start):
        if not end <= span.start < span.end <= length:
            raise ValueError(f"{span} overlaps another span or leaves the sentence of {length} tokens")
        if scheme == "IOB1":
            first = "B" if span.start == end and span.label == ended else "I"
        else:
            first = "B"
        letters = [first] + ["I"] * (span.end - span.start - 1)
        if scheme in _LAST_AND_ONLY:
            last, only = _LAST_AND_ONLY[scheme]
            letters[-1] = last if len(letters) > 1 else only
        tags[span.start : span.end] = [f"{letter}-{span.label}" for letter in letters]
        ended, end = span.label, span.end
    return tags


def _decode_iob(tags: Sequence[str], scheme: str) -> list[Span]:
    spans: list[Span] = []
    label, start = "", 0
    for position, (letter, of) in enumerate(_parts(tags, "BI", scheme)):
        if letter == "I" and scheme == "IOB2" and of != label:
            before = f"inside a span of {label!r}" if label else "outside of any span"
            raise TagError(position, f"the tag {tags[position]!r} stands {before}; in IOB2 a span begins with 'B-{of}'")
        if label and (letter == "B" or of != label):
            spans.append(Span(label, start, position))
        if letter == "B" or of != label:
            label, start = of, position
    if label:
        spans.append(Span(label, start, len(tags)))
    return spans


def _decode_bioes(tags: Sequence[str], scheme: str) -> list[Span]:
    last, only = _LAST_AND_ONLY[scheme]
    spans: list[Span] = []
    label, start = "", 0
    for position, (letter, of) in enumerate(_parts(tags, f"BI{last}{only}", scheme)):
        goes_on = letter in ("I", last)
        if goes_on and of != label:
            before = f"inside a span of {label!r}" if label else "outside of any span"
            raise TagError(position, f"the tag {tags[position]!r} stands {before}")
        if label and not goes_on:
            raise TagError(
                position, f"the span of {label!r} is not closed by '{last}-{label}' before {tags[position]!r}"
            )
        if letter in ("B", only):
            label, start = of, position
        if letter in (last, only):
            spans.append(Span(of, start, position + 1))
            label = ""
    if label:
        raise TagError(len(tags), f"the span of {label!r} is not closed by '{last}-{label}' before the sentence's end")
    return spans


def _parts(tags: Sequence[str], letters: str, scheme: str) -> list[tuple[str, str]]:
    """Each tag's letter and label; outside the letter ``O`` and no label."""
    parts = []
    for position, tag in enumerate(tags):
        letter, hyphen, label = tag.partition("-")
        if tag == OUTSIDE:
            parts.append((OUTSIDE, ""))
        elif len(letter) == 1 and letter in letters and hyphen and label:
            parts.append((letter, label))
        else:
            expected = ", ".join(f"'{letter}-LABEL'" for letter in letters)
            raise TagError(position, f"{tag!r} is no tag of {scheme}: expected 'O', {expected}")
    return parts
