"""Fixtures for every test: where things lie, and the real commands in a process of their own."""

import atexit
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline would fail a test because the machine is busy.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# Two test processes share two cores (`pytest -n 2`); a second thread in each makes both slower. Set before torch is
# imported, and inherited by every command that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# No test, nor any command that one starts, reads or writes the user's store of ELMo's layers.
os.environ["ELMO_TASKS_STORE"] = tempfile.mkdtemp(prefix="elmo_tasks-layers-")
atexit.register(shutil.rmtree, os.environ["ELMO_TASKS_STORE"], ignore_errors=True)

RunCommand = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the checkout."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_folder(repository: Path) -> Path:
    """The folder `shared` beside the checkout, with real data; the test is skipped where there is none."""
    folder = repository.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the real data of ../shared, which is not here")
    return folder


def program(name: str) -> str:
    """A program of the environment that runs the tests."""
    return str(Path(sysconfig.get_path("scripts")) / name)


@pytest.fixture(scope="session")
def run_command() -> RunCommand:
    """
    Runs a program of this environment to its end: `run_command("allennlp", "train", config, "-s", folder)`.

    Keywords: `folder` to run in, `environment` (variables on top of this process's), `timeout` in seconds (600). The
    result carries `returncode`, `stdout` and `stderr`; nothing is raised for a command that fails.
    """

    def run(
        name: str,
        *arguments: object,
        folder: Path | None = None,
        environment: dict[str, str] | None = None,
        timeout: float = 600.0,
    ) -> "subprocess.CompletedProcess[str]":
        first = sys.executable if name == "python" else program(name)
        return subprocess.run(
            [first, *map(str, arguments)],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture(autouse=True)
def _quiet_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the profile that the person at the keyboard happens to have set."""
    monkeypatch.delenv("ELMO_TASKS_PROFILE", raising=False)
    monkeypatch.delenv("ELMO_TASKS_PROFILE_JSON", raising=False)
