"""What is missing is named with the command that brings it."""

import importlib.metadata
import re

import pytest

from elmo_tasks import extras


def test_what_is_there_is_not_mentioned() -> None:
    extras.require("numpy", extra="train")
    extras.require_allennlp()


def test_what_is_missing_is_named_with_its_extra() -> None:
    with pytest.raises(extras.MissingPackageError, match=re.escape("pip install 'elmo-tasks[report]'")) as raised:
        extras.require("no_such_package", extra="report")
    assert str(raised.value).startswith("no_such_package is not installed")


def test_allennlp_is_named_with_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(extras.MissingPackageError, match="run `make install`"):
        extras.require_allennlp()


def test_allennlp_is_in_no_list_of_requirements() -> None:
    required = importlib.metadata.requires("elmo-tasks") or []
    assert [line for line in required if line.startswith("torch")] == ["torch<3,>=2.4"]
    assert not [line for line in required if re.match(r"allennlp\b", line)], "pip could then install neither"
