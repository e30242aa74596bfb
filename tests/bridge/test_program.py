"""The `allennlp` program knows the plugin and ends with a sentence where the user erred."""

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from elmo_tasks.bridge import program
from elmo_tasks.errors import InputError
from tests.conftest import RunCommand


def wrapped_main(error: BaseException):
    def main(prog: str | None = None) -> None:
        raise error

    module = SimpleNamespace(main=main)
    with program.one_sentence_for_mistakes(module):  # type: ignore[arg-type]
        pass
    return module.main


def test_a_mistake_ends_with_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        wrapped_main(InputError("train.txt:17: a bracket is missing"))("allennlp")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: train.txt:17: a bracket is missing\n"


def test_any_other_exception_goes_on() -> None:
    with pytest.raises(KeyError):
        wrapped_main(KeyError("x"))()
    with pytest.raises(ValueError, match="not ours"):
        wrapped_main(ValueError("not ours"))()


def test_the_trace_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELMO_TASKS_TRACEBACK", "1")
    with pytest.raises(InputError):
        wrapped_main(InputError("x"))()


def test_the_plugin_is_named_once() -> None:
    module = ModuleType("plugins")
    module.DEFAULT_PLUGINS = ("allennlp_models",)  # type: ignore[attr-defined]
    for _ in range(2):
        with program.known_plugin(module):
            pass
    assert module.DEFAULT_PLUGINS == ("allennlp_models", "elmo_tasks.plugin")  # type: ignore[attr-defined]


def test_train_in_any_folder_ends_with_a_sentence(run_command: RunCommand, tmp_path: Path) -> None:
    config = {
        "dataset_reader": {"type": "paper_sst5"},
        "train_data_path": str(tmp_path / "nowhere.txt"),
        "model": {"type": "paper_sst5"},
        "data_loader": {"batch_size": 1},
        "trainer": {"optimizer": "adam"},
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    done = run_command("allennlp", "train", "config.json", "-s", "out", folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "nowhere.txt" in done.stderr.splitlines()[-1]
    assert "nowhere.txt" in (tmp_path / "out" / "out.log").read_text(encoding="utf-8")
