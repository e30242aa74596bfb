"""The worker: what it takes from a trained model, how it ends, and once the whole of it with the real AllenNLP."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce import worker
from elmo_tasks.reproduce.experiment import Request, make_tables
from elmo_tasks.reproduce.results import read_result
from elmo_tasks.reproduce.worker import Job, RunFolder, main
from tests.reproduce.conftest import Recorder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run's folder, as it is after the first epoch."""
    run = RunFolder(tmp_path)
    run.model.mkdir()
    (run.model / "config.json").write_text('{"trainer": {"cuda_device": -1}}')
    state = {
        "text_field_embedder.token_embedder_elmo.mix.weights": torch.tensor([0.0, 1.0, 0.0]),
        "text_field_embedder.token_embedder_elmo.mix.gamma": torch.tensor([1.5]),
        "elmo_at_output.mix.gamma": torch.tensor([0.5]),  # of a mix of the last layer alone
        "encoder.weight": torch.ones(2, 2),
    }
    torch.save(state, run.model / "best.th")
    return run


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Takes the place of AllenNLP, and remembers the commands."""
    given: list[list[str]] = []
    monkeypatch.setattr(worker, "_run_allennlp", lambda arguments: given.append(list(arguments)))
    return given


def write_job(folder: RunFolder, seconds_left: float | None = None) -> Path:
    Job(("train", "config.jsonnet"), ("evaluate", "model.tar.gz"), seconds_left).write(folder.job)
    return folder.job


def content(path: Path) -> object:
    return json.loads(path.read_text())


def test_trains_then_tests_on_the_same_device(folder: RunFolder, commands: list[list[str]]):
    main(write_job(folder))
    assert commands == [["train", "config.jsonnet"], ["evaluate", "model.tar.gz", "--cuda-device", "-1"]]
    assert content(folder.trained) == {"cut_short": False, "device": "cpu"}


def test_keeps_the_learned_mixes(folder: RunFolder, commands: list[list[str]]):
    main(write_job(folder))
    mixes = content(folder.mixes)
    assert isinstance(mixes, dict)
    assert mixes.keys() == {"text_field_embedder.token_embedder_elmo", "elmo_at_output"}
    first = mixes["text_field_embedder.token_embedder_elmo"]
    e = 2.718281828459045
    assert first["weights"] == pytest.approx([1 / (2 + e), e / (2 + e), 1 / (2 + e)])
    assert first["gamma"] == 1.5
    assert mixes["elmo_at_output"] == {"weights": [], "gamma": 0.5}


def test_a_trained_model_is_not_trained_again(folder: RunFolder, commands: list[list[str]]):
    folder.trained.write_text("{}")
    main(write_job(folder))
    assert [command[0] for command in commands] == ["evaluate"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("nan loss\nencountered"), "ValueError: nan loss encountered"),
        (InputError("train.txt:17: one bracket too few"), "train.txt:17: one bracket too few"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_what_went_wrong_is_left_in_one_line(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, error: BaseException, line: str
):
    def fail(_arguments: list[str]) -> None:
        raise error

    monkeypatch.setattr(worker, "_run_allennlp", fail)
    with pytest.raises(type(error)):
        main(write_job(folder))
    assert content(folder.error) == {"error": line}
    assert not folder.trained.exists()


def test_a_command_that_exits_leaves_its_reason(folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    def refuse(_arguments: list[str]) -> None:
        try:
            raise InputError("the profile has no data")
        except InputError:
            raise SystemExit(2)  # noqa: B904 - as a program does that has told the user

    monkeypatch.setattr(worker, "_run_allennlp", refuse)
    with pytest.raises(SystemExit):
        main(write_job(folder))
    assert content(folder.error) == {"error": "the profile has no data"}


@pytest.fixture
def patient_allennlp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A training that never ends by itself; SIGTERM becomes an exception, as in AllenNLP's program."""
    from allennlp.common.util import SigTermReceived

    def received(_number: int, _frame: object) -> None:
        raise SigTermReceived

    def run(arguments: list[str]) -> None:
        while arguments[0] == "train":
            threading.Event().wait(0.01)

    before = signal.signal(signal.SIGTERM, received)
    monkeypatch.setattr(worker, "_run_allennlp", run)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("patient_allennlp")
def test_a_time_limit_keeps_the_best_epoch(folder: RunFolder):
    (folder.model / "vocabulary").mkdir()
    main(write_job(folder, seconds_left=0.05))
    assert content(folder.trained) == {"cut_short": True, "device": "cpu"}
    assert folder.archive.is_file()


@pytest.mark.usefixtures("patient_allennlp")
def test_a_time_limit_without_an_epoch_is_a_failure(folder: RunFolder):
    (folder.model / "best.th").unlink()
    with pytest.raises(TimeoutError, match="before the first epoch"):
        main(write_job(folder, seconds_left=-1.0))
    assert content(folder.error) == {"error": "TimeoutError: the time limit was over before the first epoch"}


@pytest.mark.usefixtures("patient_allennlp")
def test_a_time_limit_after_the_last_epoch_cuts_nothing_short(folder: RunFolder):
    (folder.model / "vocabulary").mkdir()
    (folder.model / "metrics.json").write_text("{}")
    main(write_job(folder, seconds_left=0.05))
    assert content(folder.trained) == {"cut_short": False, "device": "cpu"}


SUITE = """\
local sst5 = '%s/experiments/sst5/';
{
  title: 'One epoch of few phrases',
  profile: 'sample',
  committed: false,
  seeds: [1],
  budget: {
    description: 'one epoch of roots alone',
    overrides: { 'dataset_reader.max_phrases': 0, 'trainer.num_epochs': 1 },
  },
  tasks: { sst5: { arms: { baseline: sst5 + 'baseline.jsonnet', elmo: sst5 + 'elmo.jsonnet' } } },
}
"""


def test_two_arms_by_the_real_allennlp(repository: Path, tmp_path: Path):
    suite = tmp_path / "tiny.jsonnet"
    suite.write_text(SUITE % repository)
    (table,) = make_tables(Request(suites=[str(suite)], out=tmp_path), repository, Recorder())
    assert (table.missing, table.failed) == ([], []), table.text
    for arm in ("baseline", "elmo"):
        result = read_result(tmp_path / "tiny" / "results" / f"sst5-{arm}-seed1.json")
        assert result is not None
        assert (result.epochs, result.best_epoch, result.epoch_limit, result.cut_short) == (1, 1, 1, False)
        assert result.items is not None
        assert 100 * result.items.scores()[0].mean() == pytest.approx(result.test_score)
        # Half of the sample's sentences depend on an ambiguous word.
        assert result.items.members("ambiguous").mean() == 0.5
        assert result.machine["device"] == "cpu" or torch.cuda.is_available()
        assert {len(mix.weights) for mix in result.mixes.values()} == ({3} if arm == "elmo" else set())
        assert any(path.endswith("sst5/test.txt") for path in result.files)
