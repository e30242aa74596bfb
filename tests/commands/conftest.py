"""What the tests of commands share: the program in this process, and its standard input."""

import io
import sys
from collections.abc import Callable

import pytest

from elmo_tasks.commands import main as program


def score(*arguments: object) -> object:
    """The status that `elmo-tasks score` exits with."""
    try:
        return program.main(["score", *map(str, arguments)])
    except SystemExit as ended:
        return ended.code


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Sets what comes from standard input."""

    def set_content(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return set_content
