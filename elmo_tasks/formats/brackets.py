"""Spans of a sentence as one cell a token with brackets, and back: the columns of CoNLL-2005, CoNLL-2012 and trees."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from elmo_tasks.formats.tags import Span, TagError

_FLAT = re.compile(r"(?P<closes>\*\))|\((?P<label>[^()*]+)(?P<rest>\*|\*\)|\))")
_NESTED = re.compile(r"((?:\([^()*]+)*)\*(\)*)")
_MENTION = re.compile(r"\((?P<only>[0-9]+)\)|\((?P<opens>[0-9]+)|(?P<closes>[0-9]+)\)")
NO_MENTION = "-"
"""The cell of a token at which no mention begins or ends."""


def decode_flat(cells: Sequence[str]) -> list[Span]:
    """
    The spans of a column in which none lies in another: named entities, the arguments of a predicate.

    A cell is ``*``, ``(LABEL*``, ``*)``, ``(LABEL*)``, or ``(LABEL)`` as OntoNotes writes entities of one token.

    Raises
    ------
    TagError
        At a cell that is none of these, closes what is not open, or opens a span that is not closed before the next.
    """
    spans: list[Span] = []
    label, start = "", 0
    for position, cell in enumerate(cells):
        if cell == "*":
            continue
        parts = _FLAT.fullmatch(cell)
        if not parts:
            raise TagError(position, f"found {cell!r}, expected '*', '(LABEL*', '*)' or '(LABEL*)'")
        if parts["label"]:
            if label:
                raise TagError(position, f"{cell!r} stands inside '({label}*' of token {start}, expected '*' or '*)'")
            label, start = parts["label"], position
        elif parts["closes"] and not label:
            raise TagError(position, "'*)' closes a bracket, but none is open; expected '*'")
        if parts["closes"] or parts["rest"] in ("*)", ")"):
            spans.append(Span(label, start, position + 1))
            label = ""
    if label:
        raise TagError(start, f"the bracket of '({label}*' is not closed before the sentence's end; expected '*)'")
    return spans


def encode_flat(spans: Iterable[Span], num_tokens: int) -> list[str]:
    """
    A cell for each of ``num_tokens`` tokens; what :func:`decode_flat` reads.

    Raises
    ------
    ValueError
        If spans overlap or leave the sentence.
    """
    cells = ["*"] * num_tokens
    end = 0
    for span in sorted(spans, key=lambda span: span.start):
        if not end <= span.start < span.end <= num_tokens:
            raise ValueError(f"{span} overlaps another span or leaves the sentence of {num_tokens} tokens")
        end = span.end
        cells[end - 1] = "*)"
        cells[span.start] = f"({span.label}{cells[span.start]}"
    return cells


def check_nested(cells: Sequence[str]) -> None:
    """
    Checks a column of a tree, whose cells are ``*`` with any number of ``(LABEL`` before and ``)`` behind it.

    Raises
    ------
    TagError
        At a cell of another form, or that closes more than is open, or whose bracket is not closed.
    """
    open_at: list[int] = []
    for position, cell in enumerate(cells):
        if cell == "*":
            continue
        parts = _NESTED.fullmatch(cell)
        if not parts:
            raise TagError(position, f"found {cell!r}, expected '*', with any '(LABEL' before and ')' behind it")
        open_at += [position] * parts[1].count("(")
        if len(parts[2]) > len(open_at):
            raise TagError(
                position, f"{cell!r} closes {len(parts[2])} brackets, but {len(open_at)} are open; expected no more"
            )
        del open_at[len(open_at) - len(parts[2]) :]
    if open_at:
        raise TagError(
            open_at[-1], f"a bracket of {cells[open_at[-1]]!r} is not closed before the sentence's end; expected ')'"
        )


def decode_mentions(cells: Sequence[str]) -> list[Span]:
    """
    The mentions of a column of coreference, labelled with the number of their cluster, by start, end and label.

    A cell is ``-``, or parts with ``|`` between them: ``(7)`` is a mention of one token, ``(7`` begins one and ``7)``
    ends the one of that cluster that began last; within a cell beginnings come first, wherever they stand, as the
    official scorer takes them. Mentions may lie in each other and cross.

    Raises
    ------
    TagError
        At a cell of another form, at an end without a beginning, and at a beginning without an end.
    """
    spans: list[Span] = []
    starts: defaultdict[str, list[int]] = defaultdict(list)
    for position, cell in enumerate(cells):
        if cell == NO_MENTION:
            continue
        parts = []
        for text in cell.split("|"):
            part = _MENTION.fullmatch(text)
            if not part:
                raise TagError(
                    position, f"found {cell!r}, expected '-' or parts like '(7', '7)', '(7)' with '|' between"
                )
            parts.append(part)
        for part in sorted(parts, key=lambda part: part["closes"] is not None):
            if part["only"]:
                spans.append(Span(part["only"], position, position + 1))
            elif part["opens"]:
                starts[part["opens"]].append(position)
            elif starts[part["closes"]]:
                spans.append(Span(part["closes"], starts[part["closes"]].pop(), position + 1))
            else:
                cluster = part["closes"]
                raise TagError(
                    position, f"'{cluster})' ends a mention that does not begin in this sentence; expected '({cluster}'"
                )
    for cluster, positions in starts.items():
        if positions:
            raise TagError(
                positions[-1],
                f"the mention that begins with '({cluster}' does not end in this sentence; expected '{cluster})'",
            )
    return sorted(spans, key=lambda span: (span.start, span.end, span.label))


def encode_mentions(spans: Iterable[Span], num_tokens: int) -> list[str]:
    """
    A cell for each of ``num_tokens`` tokens; what :func:`decode_mentions` reads.

    Long mentions begin first, short ones end first.

    Raises
    ------
    ValueError
        If a mention leaves the sentence, or two of one cluster cross, which the format cannot say.
    """
    longest_first = sorted(spans, key=lambda span: (span.start, -span.end))
    parts: list[list[str]] = [[] for _ in range(num_tokens)]
    for span in longest_first:
        if not 0 <= span.start < span.end <= num_tokens:
            raise ValueError(f"{span} leaves the sentence of {num_tokens} tokens")
        if span.end - span.start > 1:
            parts[span.start].append(f"({span.label}")
    for span in longest_first:
        if span.end - span.start == 1:
            parts[span.start].append(f"({span.label})")
    for span in sorted(longest_first, key=lambda span: (span.end, -span.start)):
        if span.end - span.start > 1:
            parts[span.end - 1].append(f"{span.label})")
    cells = ["|".join(cell) or NO_MENTION for cell in parts]
    if sorted(decode_mentions(cells)) != sorted(longest_first):
        raise ValueError(f"two mentions of one cluster cross, which brackets cannot say: {longest_first}")
    return cells
