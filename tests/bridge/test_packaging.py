"""
Wheel and editable installs in environments of their own, and what an uninstall leaves.

The environments see the packages that are installed here (all, or all but AllenNLP) through links; nothing is fetched.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

BUILT_FROM = ("elmo_tasks", "setup.py", "pyproject.toml", "build_backend.py", "MANIFEST.in", "requirements.txt")
FINDERS = "import sys; print([type(finder).__name__ for finder in sys.meta_path].count('AllenNLPFinder'))"


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Runs its Python, in a folder where there is nothing to import."""
        return subprocess.run(
            [self.folder / "bin" / "python", *arguments],
            cwd=self.folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def out(self, code: str, **variables: str) -> str:
        """What a piece of code prints; it must print nothing on standard error."""
        done = self.run("-c", code, **variables)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.strip()

    def pip(self, *arguments: str) -> None:
        """Runs pip, which must succeed."""
        done = self.run("-m", "pip", "--disable-pip-version-check", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def files(self) -> set[str]:
        """All files but compiled ones."""
        return {
            str(Path(folder, name).relative_to(self.folder))
            for folder, folders, names in os.walk(self.folder)
            for name in names
            if "__pycache__" not in folder
        }

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return next(self.folder.glob("lib/python*/site-packages"))


def make_environment(folder: Path, but: tuple[str, ...] = ()) -> Environment:
    """An environment that sees the packages installed here, but for ours and for those named."""
    venv.create(folder / "environment", with_pip=False, symlinks=True)
    environment = Environment(folder / "environment")
    seen = folder / "packages"
    seen.mkdir()
    for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(installed).iterdir():
            ours = "elmo_tasks" in entry.name
            left_out = entry.name.partition("-")[0].partition(".")[0] in but
            # A .pth file acts only in site-packages itself; here it would be a stray file.
            if not ours and not left_out and entry.suffix != ".pth" and not (seen / entry.name).exists():
                (seen / entry.name).symlink_to(entry)
    (environment.packages / "packages_seen.pth").write_text(f"{seen}\n", encoding="utf-8")
    return environment


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from, since building writes beside it."""
    repository = Path(__file__).parents[2]
    copy = tmp_path_factory.mktemp("source")
    for name in BUILT_FROM:
        if (repository / name).is_dir():
            shutil.copytree(repository / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(repository / name, copy / name)
    return copy


@pytest.fixture(params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> Environment:
    """An environment with our package in it."""
    environment = make_environment(tmp_path)
    how = ["--editable"] if request.param == "editable" else []
    environment.pip("install", "-q", "--no-deps", "--no-build-isolation", "--no-index", *how, str(source))
    return environment


def test_installed_used_and_removed(installed: Environment, source: Path) -> None:
    hook = installed.packages / "elmo_tasks_bridge.pth"
    assert hook.read_text(encoding="utf-8").count("\n") == 1
    assert installed.out(FINDERS) == "1"
    assert installed.out(FINDERS, ELMO_TASKS_NO_HOOK="1") == "0"

    # Executed twice, as in an environment made on top of another that has it too: one finder.
    second = installed.packages / "elmo_tasks_bridge_again.pth"
    shutil.copy(hook, second)
    assert installed.out(FINDERS) == "1"
    second.unlink()

    # The start of Python costs three small modules of ours and none of anybody else's.
    loaded = "import sys; print(*sorted(sys.modules))"
    added = set(installed.out(loaded).split()) - set(installed.out(loaded, ELMO_TASKS_NO_HOOK="1").split())
    assert added == {"elmo_tasks", "elmo_tasks.bridge", "elmo_tasks.bridge.finder"}

    installed.pip("uninstall", "-q", "-y", "elmo-tasks")
    assert not [file for file in installed.files() if "elmo" in file]
    assert installed.out(FINDERS) == "0"

    # A hook that outlives its package (a copied environment, say) says nothing.
    shutil.copy(source / "elmo_tasks" / "bridge" / "elmo_tasks_bridge.pth", hook)
    assert installed.out(FINDERS) == "0"


SPAWN = """
import multiprocessing, sys

def look(queue):
    import allennlp.common.plugins as plugins
    queue.put((plugins.DEFAULT_PLUGINS[-1], [type(finder).__name__ for finder in sys.meta_path][0]))

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=look, args=(queue,)) for _ in range(2)]
    for worker in workers: worker.start()
    print({queue.get(timeout=500) for _ in workers})
    for worker in workers: worker.join()
"""


def test_spawned_workers_have_it_too(source: Path, tmp_path: Path) -> None:
    environment = make_environment(tmp_path)
    environment.pip("install", "-q", "--no-deps", "--no-build-isolation", "--no-index", str(source))
    (tmp_path / "spawn.py").write_text(SPAWN, encoding="utf-8")
    done = environment.run(str(tmp_path / "spawn.py"))
    assert done.stdout.strip() == "{('elmo_tasks.plugin', 'AllenNLPFinder')}", done.stderr


def test_without_allennlp(source: Path, tmp_path: Path) -> None:
    environment = make_environment(tmp_path, but=("allennlp", "allennlp_models"))
    environment.pip("install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(source))
    one_command = "AllenNLP is not installed, and all of elmo_tasks but elmo_tasks.bilm needs it: run `make install`"

    assert environment.out("from elmo_tasks.bilm import BiLM; print(BiLM.__name__)") == "BiLM"
    for module in ("elmo_tasks.plugin", "elmo_tasks.embedding.embedder", "elmo_tasks.tasks.sst5.reader"):
        done = environment.run("-c", f"import {module}")
        assert done.stderr.splitlines()[-1].startswith(f"elmo_tasks.extras.MissingPackageError: {one_command}")

    program = str(environment.folder / "bin" / "elmo-tasks")
    done = environment.run(program, "check")
    assert done.returncode == 1, done.stderr
    assert "these packages are not installed: allennlp" in done.stdout
    assert "To put it right: run `make install`" in done.stdout
    assert environment.run(program, "table").stderr.startswith(f"error: {one_command}")


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="the tests run in no virtual environment")
def test_the_tests_run_with_the_hook_that_is_in_the_source(repository: Path) -> None:
    installed = Path(sysconfig.get_path("purelib")) / "elmo_tasks_bridge.pth"
    source = repository / "elmo_tasks" / "bridge" / "elmo_tasks_bridge.pth"
    assert installed.read_bytes() == source.read_bytes()
