"""The plugin registers everything there is to register."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Registrable

import elmo_tasks.plugin
from elmo_tasks.commands.main import COMMANDS

REGISTERS = re.compile(r"\.register\(", re.MULTILINE)

# What serves any task has no task's name; allennlp-models 2.10.1 has neither of these.
OF_EVERY_TASK = {("Model", "ensemble"), ("Predictor", "ensemble"), ("Predictor", "official")}


def test_every_module_that_registers_is_imported(repository: Path) -> None:
    registering = {
        ".".join(file.relative_to(repository).with_suffix("").parts)
        for file in (repository / "elmo_tasks").rglob("*.py")
        if REGISTERS.search(file.read_text(encoding="utf-8"))
    }
    assert registering, "found no module that registers anything"
    assert registering <= set(sys.modules), "elmo_tasks/plugin.py has to import these"


def test_names_are_ours_alone() -> None:
    taken: dict[tuple[str, str], list[str]] = {}
    for base, names in Registrable._registry.items():
        for name, (registered, _) in names.items():
            taken.setdefault((base.__name__, name), []).append(registered.__module__)
    ours = {key for key, modules in taken.items() if any(module.startswith("elmo_tasks.") for module in modules)}
    assert {("TokenEmbedder", "bilm"), ("TokenIndexer", "bilm_characters"), ("Model", "paper_sst5")} <= ours
    for base, name in ours - OF_EVERY_TASK:
        if base in ("DatasetReader", "Model", "Predictor"):
            assert name.startswith("paper_"), f"{base} {name}: allennlp-models may have that name too"


def test_every_command_is_one_of_allennlp_too() -> None:
    names = [command.name_in_allennlp for command in COMMANDS]
    assert set(names) <= set(Subcommand.list_available())
    for name in names:
        assert Subcommand.by_name(name).__module__ == "elmo_tasks.commands.subcommands"


def test_the_profile_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    from elmo_tasks.reproduce import profile

    assert elmo_tasks.plugin.profile is profile
    profile.publish()
    assert json.loads(os.environ["ELMO_TASKS_PROFILE_JSON"])["name"] == "sample"
    monkeypatch.undo()
