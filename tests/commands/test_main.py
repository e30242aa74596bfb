"""The program `elmo-tasks`."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from elmo_tasks import __version__
from elmo_tasks.commands import check
from elmo_tasks.commands import main as program
from elmo_tasks.errors import InputError
from elmo_tasks.extras import MissingPackageError
from elmo_tasks.reproduce.installation import Finding
from tests.conftest import RunCommand


@pytest.fixture
def command_that_raises(monkeypatch: pytest.MonkeyPatch):
    """Makes `elmo-tasks check` raise what it is given."""

    def set_error(error: Exception) -> None:
        def run(args: argparse.Namespace) -> int:
            raise error

        monkeypatch.setattr(check, "run", run)

    return set_error


def test_parsers_import_neither_torch_nor_allennlp(run_command: RunCommand) -> None:
    code = (
        "import sys; from elmo_tasks.commands.main import parser; parser().format_help();"
        "print([name for name in ('torch', 'allennlp', 'transformers', 'scipy') if name in sys.modules])"
    )
    assert run_command("python", "-c", code).stdout.strip() == "[]"


def test_the_script_is_installed(run_command: RunCommand, tmp_path: Path) -> None:
    assert run_command("elmo-tasks", "--version", folder=tmp_path).stdout == f"elmo-tasks {__version__}\n"


@pytest.mark.parametrize("command", program.COMMANDS, ids=lambda command: command.name)
def test_every_command_says_what_it_does(command: program.Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(command.help) > 20
    with pytest.raises(SystemExit) as ended:
        program.main([command.name, "--help"])
    assert ended.value.code == 0
    assert command.help in capsys.readouterr().out


def test_a_mistake_is_one_sentence_and_status_2(command_that_raises, capsys: pytest.CaptureFixture[str]) -> None:
    command_that_raises(InputError("profile.jsonnet:3: found 'sst', expected 'sst5'"))
    with pytest.raises(SystemExit) as ended:
        program.main(["check"])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: profile.jsonnet:3: found 'sst', expected 'sst5'\n")


def test_a_missing_package_is_one_sentence_too(command_that_raises, capsys: pytest.CaptureFixture[str]) -> None:
    command_that_raises(MissingPackageError("matplotlib is not installed"))
    with pytest.raises(SystemExit) as ended:
        program.main(["check"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: matplotlib is not installed\n"


def test_a_fault_of_the_program_shows_its_trace(command_that_raises, monkeypatch: pytest.MonkeyPatch) -> None:
    command_that_raises(KeyError("x"))
    with pytest.raises(KeyError):
        program.main(["check"])
    command_that_raises(InputError("x"))
    monkeypatch.setenv("ELMO_TASKS_TRACEBACK", "1")
    with pytest.raises(InputError):
        program.main(["check"])


def test_no_command_and_a_wrong_one_are_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["chekc"]):
        with pytest.raises(SystemExit) as ended:
            program.main(arguments)
        assert ended.value.code == 2
        assert capsys.readouterr().err.startswith("usage: elmo-tasks")


def test_commands_that_need_allennlp_say_so_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise MissingPackageError("AllenNLP is not installed")

    monkeypatch.setattr(program, "require_allennlp", missing)
    ran = []
    monkeypatch.setattr(program.Command, "module", SimpleNamespace(run=lambda args: ran.append(args) or 0))
    with pytest.raises(MissingPackageError):
        program.Command("x", "x", needs_allennlp=True).run(argparse.Namespace())
    assert program.Command("x", "x", needs_allennlp=False).run(argparse.Namespace()) == 0
    assert len(ran) == 1


@pytest.mark.parametrize("is_well", [True, False])
def test_check_exits_as_it_finds(
    is_well: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def findings() -> Iterator[Finding]:
        yield Finding(True, "Python")
        yield Finding(is_well, "packages", "" if is_well else "run `make install`")

    monkeypatch.setattr("elmo_tasks.reproduce.installation.check", findings)
    assert program.main(["check"]) == (0 if is_well else 1)
    assert capsys.readouterr().out.splitlines()[1:] == (
        ["ok     packages", "All is well."]
        if is_well
        else ["WRONG  packages", "       To put it right: run `make install`.", "1 of these must be put right."]
    )


def test_check_passes_in_any_folder(run_command: RunCommand, tmp_path: Path) -> None:
    """The real thing: `allennlp`, started by it elsewhere, knows our commands and can run ELMo."""
    done = run_command("elmo-tasks", "check", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one forward pass of ELMo gives vectors of shape (1, 5, 8)" in done.stdout
    assert done.stdout.splitlines()[-1] == "All is well."


def test_a_reader_that_has_left_ends_the_program_without_a_word(tmp_path: Path) -> None:
    scored = tmp_path / "rows.txt"
    scored.write_text("Oslo B-LOC B-LOC\n" * 3, encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    code = "import sys; from elmo_tasks.commands.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "score", "ner", str(scored)]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (program.CLOSED_PIPE, "")
