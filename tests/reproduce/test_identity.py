"""What a run is: its evaluated config, as AllenNLP sees it, and the files it reads."""

import json
import os
from pathlib import Path

import pytest

import elmo_tasks
from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.identity import changed_files, code_fingerprint, evaluate_config, identify

CONFIG = """\
local seed = std.parseInt(std.extVar('ELMO_TASKS_SEED'));
std.trace('said aloud', {
  seed: seed,
  model: { layers: [{ size: 1 }, { size: 2 }], name: 'adam' },
  train_data_path: std.extVar('DATA'),
})
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "config.jsonnet"
    path.write_text(CONFIG)
    return path


def environment(data: str = "data/train.txt", seed: int = 1) -> dict[str, str]:
    return {**os.environ, "ELMO_TASKS_SEED": str(seed), "DATA": data}


def test_overrides_do_what_allennlps_do(config_file: Path, monkeypatch: pytest.MonkeyPatch):
    from allennlp.common import Params

    overrides = {"model.layers.1.size": 3, "model.added": {"x": [1]}, "seed": 9, "trainer": {"epochs": 2}}
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    reference = Params.from_file(config_file, json.dumps(overrides)).as_dict(quiet=True)
    assert evaluate_config(config_file, environment(), overrides) == reference


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"modle.name": 1}, "override 'modle.name' has no place to go: the config has no 'modle' there"),
        ({"model.layers.2.size": 1}, "override 'model.layers.2.size' has no place to go: '2' is no position"),
        ({"model.name.first": 1}, "override 'model.name.first' has no place to go: model.name is a single value"),
        ({"model.layers.x": 1}, "override 'model.layers.x' has no place to go: 'x' is no position"),
    ],
)
def test_an_override_without_a_place_is_told(config_file: Path, overrides: dict[str, int], message: str):
    with pytest.raises(InputError, match=message):
        evaluate_config(config_file, environment(), overrides)


def test_what_a_config_refuses_is_told_in_its_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    path = tmp_path / "config.jsonnet"
    path.write_text("std.trace('said aloud', error 'no data\\nfor this task')")
    with pytest.raises(InputError, match=f"^{path}: no data for this task$"):
        evaluate_config(path, {})
    path.write_text("error '\\nelmo_tasks.errors.InputError: the profile lacks it'")
    with pytest.raises(InputError, match="^the profile lacks it$"):
        evaluate_config(path, {})
    assert capfd.readouterr().err == ""


def test_an_environment_that_jsonnet_cannot_take_is_left_out(config_file: Path):
    assert evaluate_config(config_file, {**environment(), "ODD": "\udcff"})["seed"] == 1


def test_the_key_follows_content_and_not_place(config_file: Path, tmp_path: Path):
    def key(folder: Path, data: str = "data/train.txt", profile: str = "open", seed: int = 1) -> str:
        return identify(evaluate_config(config_file, environment(data, seed), {}), profile, folder).key

    for name in ("one", "two"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / "train.txt").write_text("the same\n")
    one = key(tmp_path / "one")
    assert key(tmp_path / "two") == one
    assert key(tmp_path / "two", data=str(tmp_path / "one" / "data" / "train.txt")) == one
    assert key(tmp_path / "one", profile="paper") != one
    assert key(tmp_path / "one", seed=2) != one
    (tmp_path / "two" / "data" / "train.txt").write_text("something else\n")
    assert key(tmp_path / "two") != one


def test_the_key_follows_the_version(config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = evaluate_config(config_file, environment())
    before = identify(config, "open", tmp_path).key
    monkeypatch.setattr("elmo_tasks.__version__", "99")
    assert identify(config, "open", tmp_path).key != before


def test_files_are_on_record(config_file: Path, tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.txt").write_text("a\n")
    (tmp_path / "adam").write_text("a file that is called like an optimizer")
    identity = identify(evaluate_config(config_file, environment()), "open", tmp_path)
    digest = "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
    assert identity.files == {"data/train.txt": {"bytes": 2, "sha256": digest}}


def test_files_of_a_list_count_as_one_alone_does(config_file: Path, tmp_path: Path):
    (tmp_path / "data").mkdir()
    names = ["data/one.txt", "data/two.txt"]
    for name in names:
        (tmp_path / name).write_text(name)
    config = evaluate_config(config_file, environment(), {"train_data_path": names})
    before = identify(config, "open", tmp_path)
    assert list(before.files) == names
    assert identify({**config, "train_data_path": names[:1]}, "open", tmp_path).key != before.key
    (tmp_path / names[1]).write_text("changed")
    assert identify(config, "open", tmp_path).key != before.key
    assert changed_files(before, tmp_path) == [names[1]]


def test_comments_and_docstrings_are_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "tasks" / "sst5"
    package.mkdir(parents=True)
    monkeypatch.setattr(elmo_tasks, "__file__", str(tmp_path / "__init__.py"))
    found = []
    for source in (
        'def f():\n    return "# a"\n',
        '"""What it is."""\n\n\ndef f():  # why\n    """Does it,\n\n    well."""\n    return "# a"\n\n# end\n',
        'def f():\n    return "# b"\n',
        'def f():\n    """Does it."""\n    return ["# a"]\n',
    ):
        (package / "model.py").write_text(source)
        code_fingerprint.cache_clear()
        found.append(code_fingerprint("sst5"))
    code_fingerprint.cache_clear()
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_code_that_trains_bilms_changes_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "elmo_tasks"
    (package / "bilm" / "training").mkdir(parents=True)
    monkeypatch.setattr(elmo_tasks, "__file__", str(package / "__init__.py"))
    found = []
    for changed in ("training/trainer.py", "training/trainer.py", "lstm.py"):
        with (package / "bilm" / changed).open("a") as file:
            file.write("x = 1\n")
        code_fingerprint.cache_clear()
        found.append(code_fingerprint("sst5"))
    code_fingerprint.cache_clear()
    assert found[0] == found[1] != found[2]


def test_code_of_one_task_says_nothing_of_another():
    assert code_fingerprint("sst5") == code_fingerprint("sst5")
    assert code_fingerprint("sst5") != code_fingerprint("ner")
