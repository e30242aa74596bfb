"""A run says which profile it uses, and does not go on under another."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.training import util as training_util
from allennlp.training.callbacks import TrainerCallback

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.announcement import ProfileAnnouncement, announced_profile, install_recovery_check


def config(profile: str | None, path: str = "a.txt") -> dict[str, Any]:
    callbacks = [{"type": "tensorboard"}]
    if profile is not None:
        callbacks.append({"type": "announce_profile", "profile": profile})
    return {"train_data_path": path, "trainer": {"callbacks": callbacks}}


def start(folder: Path, content: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")


def recover(folder: Path, content: dict[str, Any]) -> None:
    training_util.create_serialization_dir(Params(content), str(folder), True, False)


def test_the_profile_is_a_warning_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    params = Params({"type": "announce_profile", "profile": "sample", "description": "only a sample"})
    announcement = TrainerCallback.from_params(params, serialization_dir=str(tmp_path))
    assert isinstance(announcement, ProfileAnnouncement)
    caplog.clear()
    announcement.on_start(trainer=None, is_primary=False)
    assert caplog.records == []
    announcement.on_start(trainer=None)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == ["Profile 'sample' (set by ELMO_TASKS_PROFILE): only a sample"]


def test_recovery_under_another_profile_gets_one_sentence(tmp_path: Path) -> None:
    run = tmp_path / "run"
    start(run, config("sample"))
    recover(run, config("sample"))
    with pytest.raises(
        InputError, match="started with profile 'sample', now it is 'open'; recover it with ELMO_TASKS_"
    ):
        recover(run, config("open", "b.txt"))


def test_everything_else_is_left_to_allennlp(tmp_path: Path) -> None:
    run = tmp_path / "run"
    start(run, config("sample"))
    for other in (config("sample", "b.txt"), config(None)):
        with pytest.raises(ConfigurationError, match="does not match the configuration we're recovering from"):
            recover(run, other)
    (run / "config.json").unlink()
    (run / "stray").touch()
    with pytest.raises(ConfigurationError, match="doesn't contain a config.json"):
        recover(run, config("sample"))
    training_util.create_serialization_dir(Params(config("sample")), str(tmp_path / "new"), False, False)
    assert (tmp_path / "new").is_dir()


def test_the_check_is_installed_once() -> None:
    before = training_util.create_serialization_dir
    install_recovery_check()
    assert training_util.create_serialization_dir is before


@pytest.mark.parametrize(
    "odd", [{}, {"trainer": "default"}, {"trainer": {"callbacks": "x"}}, {"trainer": {"callbacks": ["x"]}}]
)
def test_configs_of_other_shapes_announce_nothing(odd: dict[str, Any]) -> None:
    assert announced_profile(odd) is None
