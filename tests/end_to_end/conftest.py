"""The real `allennlp` command on a tiny profile."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunCommand
from tests.end_to_end.world import write_world

COMPONENTS = Path(__file__).parent / "components"

# A warning's first line names the file of the code that is warned.
_OWN_WARNING = re.compile(r"^.*elmo_tasks/\S+\.py:\d+: \w*Warning:.*$", re.MULTILINE)


@dataclass
class World:
    """A profile's folder, and the commands run with it."""

    folder: Path
    run_command: RunCommand
    repository: Path

    @property
    def profile(self) -> Path:
        return self.folder / "profile.json"

    def config(self, name: str = "elmo") -> Path:
        return self.repository / "experiments" / "sst5" / f"{name}.jsonnet"

    def run(self, name: str, *arguments: object, succeeds: bool = True, **environment: str) -> Any:
        """
        Run a program from the world's own folder; it has to succeed, unless told otherwise, and none of our files may
        be what Python warns of.
        """
        done = self.run_command(
            name,
            *arguments,
            folder=self.folder,
            environment={
                "ELMO_TASKS_PROFILE": str(self.profile),
                "PYTHONPATH": str(COMPONENTS),
                "PYTHONWARNINGS": "default",
                **environment,
            },
            timeout=600,
        )
        if succeeds:
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        assert own_warnings(done) == []
        return done


def own_warnings(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return _OWN_WARNING.findall(done.stderr)


@pytest.fixture(scope="session")
def make_world(
    tmp_path_factory: pytest.TempPathFactory, run_command: RunCommand, repository: Path
) -> Callable[[], World]:
    def make() -> World:
        folder = tmp_path_factory.mktemp("end_to_end") / "world"
        write_world(folder)
        return World(folder, run_command, repository)

    return make


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
