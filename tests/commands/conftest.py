"""What the tests of commands share: the program in this process, and its standard input."""

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from elmo_tasks.commands import main as program


def score(*arguments: object) -> object:
    """The status that `elmo-tasks score` exits with."""
    try:
        return program.main(["score", *map(str, arguments)])
    except SystemExit as ended:
        return ended.code


def rows_of_docs(task: str) -> dict[str, list[str]]:
    """The cells of the first column's case, of a task's table of official outputs in docs/scores.md."""
    text = (Path(__file__).parents[2] / "docs" / "scores.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"(?ms)^## {task}\n(.*?)(?=^## |\Z)", text)
    table = section.partition("| case ")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.split("\n")[2:]]
    return {name: cells for name, *cells in rows}


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Sets what comes from standard input."""

    def set_content(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return set_content
