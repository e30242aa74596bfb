"""Where a line stands, as messages say it."""

Line = int | str
"""A line's number in the file that is scored; where that is several files, all of its place, ``FILE:LINE``."""


def place(source: str, line: Line) -> str:
    """``FILE:LINE`` of a line of `source`."""
    return line if isinstance(line, str) else f"{source}:{line}"
