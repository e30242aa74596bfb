"""`elmo-tasks bilm train` as a user runs it: a process of its own, a machine with little installed, a full disk."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
import torch

from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.commands.main import main
from tests.bilm.training.conftest import WriteConfig
from tests.bilm.training.test_trainer import EXPORTED
from tests.conftest import program


def environment(repository: Path) -> dict[str, str]:
    return {**os.environ, "ELMO_TASKS_NO_HOOK": "1", "PYTHONPATH": str(repository)}


def run_code(code: str, repository: Path) -> "subprocess.CompletedProcess[str]":
    """A Python program in a process of its own."""
    command, settings = [sys.executable, "-c", code], environment(repository)
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=120, check=False)


def whole_run(config: Path, output: str) -> Path:
    """The same training without interruption, in this process."""
    content = json.loads(config.read_text()) | {"output": output}
    other = config.with_name(f"{output}.json")
    other.write_text(json.dumps(content))
    trainer = Trainer(TrainingConfig.from_file(other), say=lambda line: None)
    trainer.run()
    return trainer.folder


def test_killed_three_times_it_ends_with_the_same_weights(write_config: WriteConfig, repository: Path) -> None:
    config = write_config(epochs=2.0, log_every=1, checkpoint_minutes=0, state_reset_probability=0.1)
    command = [program("elmo-tasks"), "bilm", "train", str(config)]
    folder = config.parent / "out"
    done = 0
    # At moments that nobody chose: some lines behind the last checkpoint, then as soon as the signal gets there.
    for lines in random.Random().sample(range(3, 14), 3):
        with subprocess.Popen(command, env=environment(repository), stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if line.startswith(f"batch {done + lines} of"):
                    break
            else:
                pytest.fail("the training ended before it could be killed")
            process.send_signal(signal.SIGKILL)
        assert (folder / "checkpoint.pt").exists()
        assert not (folder / "weights.hdf5").exists()
        done = torch.load(folder / "checkpoint.pt", weights_only=True)["batches_done"]
        assert done >= lines - 1

    again = subprocess.run(
        command, env=environment(repository), capture_output=True, text=True, timeout=300, check=False
    )
    assert again.returncode == 0, again.stderr
    assert f"batches of 4 x 5; {done} done" in again.stderr
    assert done < 64
    whole = whole_run(config, "whole")
    for name in EXPORTED:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


BARE_MACHINE = """
import sys
from importlib.machinery import PathFinder

class BareMachine(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = name.partition(".")[0] in {absent!r}
        return None if absent else super().find_spec(name, path, target)

sys.meta_path[:] = [BareMachine if finder is PathFinder else finder for finder in sys.meta_path]
from elmo_tasks.commands.main import main

status = main(["bilm", "train", {config!r}])
print(*sorted(name for name in sys.modules if name.startswith("elmo_tasks.")))
sys.exit(status)
"""


def absent_packages() -> set[str]:
    """What can be imported here and would not be there with torch, numpy and h5py alone."""
    wanted, present = ["torch", "numpy", "h5py"], set()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name not in present:
            present.add(name)
            try:
                needed = requires(name) or []
            except PackageNotFoundError:
                continue
            wanted += [re.match(r"[\w.-]+", line)[0] for line in needed if "extra ==" not in line]
    names = packages_distributions().items()
    there = {package for package, owners in names if any(re.sub(r"[-_.]+", "-", o).lower() in present for o in owners)}
    return {package for package, _ in names if package.isidentifier()} - there - {"elmo_tasks"}


def test_on_a_machine_with_torch_numpy_and_h5py_alone(write_config: WriteConfig, repository: Path) -> None:
    config = write_config(heldout={"toy": "heldout.txt"}, weights_dtype="float16", tensorboard=True)
    absent = absent_packages()
    assert {"tqdm", "scipy"} & absent, "nothing is kept from the program, the test proves nothing"
    code = BARE_MACHINE.format(absent=sorted(absent), config=str(config))
    done = run_code(code, repository)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^batch 16 of 16 .* tokens/s, 0:00 min left, 0\.\d GB$", done.stderr, re.MULTILINE), done.stderr
    assert re.search(
        r"^toy: perplexity .*full softmax, V = 18, <UNK> 0.00 % of \d+ targets, state reset", done.stderr, re.MULTILINE
    )
    assert sorted(os.listdir(config.parent / "out")) == sorted([*EXPORTED, "checkpoint.pt", "log.jsonl"])
    # Of ours nothing but the biLM and the command line, and no warning of anybody's.
    ours = {name.split(".")[1] for name in done.stdout.split()}
    assert ours == {"bilm", "commands", "errors", "extras", "user_mistakes"}
    assert "Warning" not in done.stderr


FULL_DISK = """
import resource, sys
from elmo_tasks.commands.main import main

resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))
sys.exit(main(["bilm", "train", {config!r}]))
"""


def test_a_disk_that_fills_leaves_the_last_checkpoint(write_config: WriteConfig, repository: Path) -> None:
    """A file may take nine tenths of what a checkpoint needs: everything but the next checkpoint can be written."""
    assert main(["bilm", "train", str(write_config())]) == 0
    checkpoint = write_config().parent / "out" / "checkpoint.pt"
    kept = checkpoint.read_bytes()
    code = FULL_DISK.format(size=len(kept) * 9 // 10, config=str(write_config(epochs=1.0, checkpoint_minutes=0)))
    done = run_code(code, repository)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: {checkpoint}: the file cannot be written (")
    assert done.stderr.endswith("the checkpoint before it is kept, and the same command goes on from there.\n")
    assert "Traceback" not in done.stderr
    assert checkpoint.read_bytes() == kept
    assert not list(checkpoint.parent.glob("*.part"))
    assert main(["bilm", "train", str(write_config(epochs=1.0))]) == 0


class TestCommandLine:
    def test_output_and_device_given_there(self, write_config: WriteConfig, tmp_path: Path) -> None:
        given = ["--output", str(tmp_path / "there"), "--device", "cpu"]
        assert main(["bilm", "train", str(write_config()), *given]) == 0
        assert (tmp_path / "there" / "weights.hdf5").exists()

    def test_a_mistake_is_one_sentence_and_exit_2(self, write_config: WriteConfig, capsys) -> None:
        config = write_config(dropuot=0.1)
        with pytest.raises(SystemExit) as ended:
            main(["bilm", "train", str(config)])
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert said.err == f"error: {config}: unknown key 'dropuot'; did you mean 'dropout'?\n"
        assert said.out == ""

    def test_stopped_is_exit_130(self, write_config: WriteConfig, monkeypatch) -> None:
        step = Trainer.step

        def interrupted(self: Trainer):
            os.kill(os.getpid(), signal.SIGINT)
            return step(self)

        monkeypatch.setattr(Trainer, "step", interrupted)
        assert main(["bilm", "train", str(write_config())]) == 130

    def test_interrupted_outside_the_batches_is_too(self, write_config: WriteConfig, monkeypatch, capsys) -> None:
        def interrupted(self: Trainer):
            raise KeyboardInterrupt

        monkeypatch.setattr(Trainer, "finish", interrupted)
        assert main(["bilm", "train", str(write_config())]) == 130
        assert capsys.readouterr().err.splitlines()[-1] == (
            "interrupted; the same command goes on from the last checkpoint, if there is one"
        )
