"""The rules that programs can hold: layout of the source, types, and which package may import which."""

import pytest

from tests.conftest import RunCommand


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "format", "--check", "."),
        ("ruff", "check", "."),
        ("mypy",),
        ("lint-imports", "--no-cache"),
    ],
    ids=" ".join,
)
def test_passes(command: tuple[str, ...], run_command: RunCommand, repository) -> None:
    done = run_command(*command, folder=repository)
    assert done.returncode == 0, done.stdout + done.stderr
