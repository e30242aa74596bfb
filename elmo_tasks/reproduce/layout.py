"""Grids of text, and documents made of grids and paragraphs: for a terminal, and as Markdown."""

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 118
"""Columns that paragraphs are wrapped to; grids of the project's tables stay within it too."""


@dataclass(frozen=True)
class Column:
    """
    A column's head.

    Attributes
    ----------
    name
        What stands above it.
    group
        What stands above several neighbours that share it; empty for none.
    right
        Whether its cells are set to the right.
    """

    name: str
    group: str = ""
    right: bool = False


@dataclass(frozen=True)
class Grid:
    """Columns and rows of cells."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Aligned with blanks, groups of columns on a line of their own."""
        cells = [[column.name for column in self.columns], *self.rows]
        widths = [max(_width(row[position]) for row in cells) for position in range(len(self.columns))]
        lines = [self._group_line(widths)] if any(column.group for column in self.columns) else []
        lines.append(self._line(cells[0], widths))
        lines.append("  ".join("-" * width for width in widths))
        lines += [self._line(row, widths) for row in self.rows]
        return "\n".join(lines)

    def markdown(self) -> str:
        """As a Markdown table; a column's group stands before its name."""
        heads = [f"{column.group}: {column.name}" if column.group else column.name for column in self.columns]
        rules = ["---:" if column.right else "---" for column in self.columns]
        rows = [[cell.replace("|", "\\|") for cell in row] for row in self.rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in [heads, rules, *rows])

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = [
            f"{' ' * (width - _width(cell))}{cell}" if column.right else f"{cell}{' ' * (width - _width(cell))}"
            for cell, width, column in zip(cells, widths, self.columns, strict=True)
        ]
        return "  ".join(padded).rstrip()

    def _group_line(self, widths: Sequence[int]) -> str:
        pieces: list[tuple[str, int]] = []
        for column, width in zip(self.columns, widths, strict=True):
            if pieces and column.group and pieces[-1][0] == column.group:
                pieces[-1] = (column.group, pieces[-1][1] + 2 + width)
            else:
                pieces.append((column.group, width))
        marked = [f" {group} ".center(width, "-") if group else " " * width for group, width in pieces]
        return "  ".join(marked).rstrip()


@dataclass(frozen=True)
class Heading:
    """A heading."""

    title: str


@dataclass(frozen=True)
class Lines:
    """Lines that stand under each other, as a list."""

    lines: Sequence[str]


Block = str | Grid | Heading | Lines
"""A part of a document; a plain text is a paragraph."""


def as_text(blocks: Sequence[Block]) -> str:
    """A document for a terminal, without a newline at its end."""
    parts = []
    for block in blocks:
        if isinstance(block, Grid):
            parts.append(block.text())
        elif isinstance(block, Heading):
            parts.append(f"{block.title}\n{'=' * _width(block.title)}")
        elif isinstance(block, Lines):
            parts.append("\n".join(_wrapped(f"- {line}", "  ") for line in block.lines))
        else:
            parts.append(_wrapped(block, ""))
    return "\n\n".join(parts)


def as_markdown(blocks: Sequence[Block]) -> str:
    """A document as Markdown, with a newline at its end."""
    parts = []
    for block in blocks:
        if isinstance(block, Grid):
            parts.append(block.markdown())
        elif isinstance(block, Heading):
            parts.append(f"## {block.title}")
        elif isinstance(block, Lines):
            parts.append("\n".join(f"- {line}" for line in block.lines))
        else:
            parts.append(block)
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _width(text: str) -> int:
    """Columns that a text takes; combining marks take none."""
    return sum(not unicodedata.combining(character) for character in text)
