"""The command `elmo-tasks table`: its arguments, its output, its exit status."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from elmo_tasks.commands import table
from elmo_tasks.reproduce.experiment import Request, SuiteTable
from elmo_tasks.reproduce.paper import TABLE_1
from tests.conftest import RunCommand


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    table.add_arguments(parser)
    return parser.parse_args(arguments)


class Asked:
    """Takes the place of the work, and remembers what was asked for."""

    def __init__(self, tables: list[SuiteTable], error: BaseException | None = None) -> None:
        self.request: Request | None = None
        self._tables = tables
        self._error = error

    def __call__(self, request: Request) -> list[SuiteTable]:
        self.request = request
        if self._error is not None:
            raise self._error
        return self._tables


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    work = Asked([SuiteTable("a table", [], [], None)])
    monkeypatch.setattr("elmo_tasks.reproduce.experiment.make_tables", work)
    return work


def test_without_arguments_it_is_all_of_the_default(asked: Asked, capsys: pytest.CaptureFixture[str]):
    assert table.run(parse()) == 0
    assert asked.request == Request()
    assert capsys.readouterr().out == "\na table\n"


def test_arguments_reach_the_work(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    arguments = "--profile open --suite a,b --tasks sst5,ner --seeds 1,2 --jobs 3 --out there --time-limit 2"
    assert table.run(parse(*arguments.split(), "--no-run", "--retry-failed", "--rerun")) == 0
    assert asked.request == Request(
        profile="open",
        suites=["a", "b"],
        tasks=["sst5", "ner"],
        seeds=[1, 2],
        jobs=3,
        out=tmp_path / "there",
        run=False,
        retry_failed=True,
        rerun=True,
        time_limit=120.0,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--seeds", "one"),
        ("--seeds", ","),
        ("--jobs", "0"),
        ("--jobs", "-1"),
        ("--time-limit", "soon"),
        ("--tasks", ""),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as refused:
        parse(*arguments)
    assert refused.value.code == 2
    assert f"argument {arguments[0]}: " in capsys.readouterr().err


def test_a_failed_run_is_a_failed_command(monkeypatch: pytest.MonkeyPatch):
    failed: list[Any] = [object()]
    monkeypatch.setattr("elmo_tasks.reproduce.experiment.make_tables", Asked([SuiteTable("", [], failed, None)]))
    assert table.run(parse()) == 1


def test_an_interruption_says_what_becomes_of_the_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("elmo_tasks.reproduce.experiment.make_tables", Asked([], KeyboardInterrupt()))
    assert table.run(parse()) == 130
    assert "the others go on from their last epoch" in capsys.readouterr().err


def test_what_is_missing_is_listed_without_allennlp(run_command: RunCommand, repository: Path, tmp_path: Path):
    """The real program, in the real repository, with a folder for results that has none."""
    done = run_command("elmo-tasks", "table", "--no-run", "--out", tmp_path, "--seeds", "2", folder=repository)
    tasks = [task for task in TABLE_1 if (repository / "experiments" / task / "baseline.jsonnet").is_file()]
    runs = [f"- {task} {arm} seed 2" for task in tasks for arm in ("baseline", "elmo")]
    how = "They are run without --no-run, or by make with RUN=1."
    missing = "\n".join([f"Still to run ({len(runs)}):", *runs, how])
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(missing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suite", "sampel"), "error: no suite 'sampel' in {suites}: did you mean 'sample'?\n"),
        (("--profile", "papr"), "error: no suite in {suites} runs under profile 'papr': there are"),
        (("--seeds", "9"), "error: suite sample names no run with seed 9: its seeds are 1, 2, 3;"),
        (("--tasks", "sst"), "error: suite sample has no task 'sst': it has "),
    ],
)
def test_a_mistake_ends_with_one_sentence(
    arguments: tuple[str, ...], message: str, run_command: RunCommand, repository: Path
):
    done = run_command("elmo-tasks", "table", *arguments, folder=repository)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message.format(suites=repository / "experiments" / "suites"))
    assert done.stderr.count("\n") == 1
