"""What the self-check says about installations that are not well."""

import importlib.metadata
import sys
from collections import namedtuple
from pathlib import Path

import pytest

import elmo_tasks
from elmo_tasks.reproduce import installation

VersionInfo = namedtuple("VersionInfo", "major minor micro")


@pytest.mark.parametrize(("minor", "is_well"), [(10, False), (11, True), (13, True), (14, False)])
def test_python_of_another_age(minor: int, is_well: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", VersionInfo(3, minor, 0))
    finding = installation.check_python()
    assert finding.is_well == is_well
    assert ("make install PYTHON=" in finding.remedy) != is_well


def test_the_tested_set_is_installed_here() -> None:
    tested = installation.tested_versions()
    assert tested["allennlp"] == "2.10.1"
    assert tested["torch"] == "2.13.0"
    assert "overrides" in tested


def test_missing_and_other_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"torch": "2.13.0+cpu", "numpy": "1.26.4"}

    def version(name: str) -> str:
        if name not in found:
            raise importlib.metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(installation, "needed_packages", lambda: {"torch", "numpy"})
    monkeypatch.setattr(installation, "tested_versions", lambda: {"torch": "2.13.0", "numpy": "2.4.6", "ruff": "1"})
    finding = installation.check_versions()
    assert finding.is_well
    assert finding.what.endswith("but not quite the tested set: numpy 1.26.4 (tested: 2.4.6), no ruff")
    del found["numpy"]
    finding = installation.check_versions()
    assert not finding.is_well
    assert finding.what == "these packages are not installed: numpy"
    assert "make install" in finding.remedy


def test_what_is_needed_stands_in_the_metadata() -> None:
    needed = installation.needed_packages()
    assert {"allennlp", "torch", "h5py", "transformers", "overrides"} <= needed
    assert not {"pytest", "ruff", "matplotlib", "fairscale", "torchvision"} & needed


def test_without_a_checkout_no_versions_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elmo_tasks, "__file__", str(tmp_path / "elmo_tasks" / "__init__.py"))
    assert installation.tested_versions() == {"allennlp": "2.10.1"}


def test_a_hook_that_did_not_act(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installation.check_hook().is_well
    monkeypatch.setattr(sys, "meta_path", [])
    assert "did not act" in installation.check_hook().what
    monkeypatch.setenv("ELMO_TASKS_NO_HOOK", "1")
    assert installation.check_hook().remedy == "unset ELMO_TASKS_NO_HOOK"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        (None, "there is no program"),
        (
            "import sys; sys.exit(\"error: argument : invalid choice: 'elmo-check' (choose from 'train')\")",
            "has not loaded",
        ),
        ("raise ImportError('libcudart.so is missing')", "libcudart.so is missing"),
    ],
    ids=["no program", "no plugin", "a crash"],
)
def test_a_program_that_does_not_run(
    code: str | None, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation.sysconfig, "get_path", lambda name: str(tmp_path))
    if code is not None:
        (tmp_path / "allennlp").write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
        (tmp_path / "allennlp").chmod(0o755)
    findings = list(installation.check_program())
    assert [finding.is_well for finding in findings] == [False]
    assert what in findings[0].what
    assert findings[0].remedy == installation.REPAIR
