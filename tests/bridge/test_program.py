"""The `allennlp` program knows the plugin and ends with a sentence where the user erred."""

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data.tokenizers import Tokenizer

from elmo_tasks.bridge import program
from elmo_tasks.errors import InputError
from tests.conftest import RunCommand

SQUAD = Path(__file__).parents[2] / "fixtures/scoring/squad"


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


def mistake_in(made_from: type, **configuration: object) -> str | None:
    with pytest.raises(ConfigurationError) as raised:
        made_from.from_params(Params(configuration, "model.encoder."))  # type: ignore[attr-defined]
    return program.configuration_mistake(raised.value)


def test_a_name_that_is_not_registered() -> None:
    start = "the configuration has model.encoder.type '{}', which is not registered; "
    assert mistake_in(Tokenizer, type="whitespaces") == start.format("whitespaces") + "did you mean 'whitespace'?"
    far = mistake_in(Tokenizer, type="qqq")
    assert far is not None
    assert far.startswith(start.format("qqq") + "expected one of: character, ")


def test_a_key_too_many_and_one_too_few() -> None:
    assert mistake_in(Tokenizer, type="whitespace", speed=2) == (
        "the configuration cannot be used: Extra parameters passed to WhitespaceTokenizer: {'speed': 2}"
    )
    assert mistake_in(Tokenizer, type="pretrained_transformer") == (
        'the configuration cannot be used: key "model_name" is required at location "model.encoder."'
    )


def test_other_errors_of_configurations_keep_their_trace() -> None:
    assert program.configuration_mistake(ConfigurationError("the sizes do not fit")) is None
    assert program.configuration_mistake(KeyError("x")) is None
    with pytest.raises(ConfigurationError, match="do not fit"):
        wrapped_main(ConfigurationError("the sizes do not fit"))()


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


def test_our_commands_speak_alone_on_standard_error(run_command: RunCommand, tmp_path: Path) -> None:
    files = [str(SQUAD / f"missing.{kind}.json") for kind in ("dataset", "predictions")]
    done = run_command("allennlp", "score", "squad", *files, folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (SQUAD / "missing.out").read_text(encoding="utf-8")
    assert done.stderr == (SQUAD / "missing.err").read_text(encoding="utf-8")
