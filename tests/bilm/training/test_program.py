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
from tests.bilm.training.test_trainer import EXPORTED, FILES
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


# Saves every fifth batch. Behind the batch that is named it does nothing more, until it is killed.
EVERY_FIFTH = """
import sys
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.commands.main import main

save, step = Trainer.save, Trainer.step
def held(trainer):
    if trainer.batches_done == int(sys.argv[2]):
        print("held", file=sys.stderr, flush=True)
        sys.stdin.read()
    return step(trainer)

Trainer.save = lambda trainer: None if trainer.batches_done % 5 else save(trainer)
Trainer.step = held
sys.exit(main(["bilm", "train", sys.argv[1]]))
"""


def test_killed_three_times_it_ends_with_the_same_weights(write_config: WriteConfig, repository: Path, capsys) -> None:
    config = write_config(epochs=2.0, log_every=1, checkpoint_minutes=0, state_reset_probability=0.1)
    folder = config.parent / "out"
    # At moments that nobody chose: between two checkpoints, and then as soon as the signal gets there.
    for first, held in ((6, True), (21, True), (36, False)):
        last = first + 5 * random.randrange(3) + random.randrange(1, 3)
        command = [sys.executable, "-c", EVERY_FIFTH, str(config), str(last) if held else "-1"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment(repository), stdin=pipe, stderr=pipe, text=True) as process:
            for line in process.stderr:
                if line.startswith("held" if held else f"batch {last} of"):
                    break
            else:
                pytest.fail("the training ended before it could be killed")
            if held:
                capsys.readouterr()
                with pytest.raises(SystemExit):
                    main(["bilm", "train", str(config)])
                assert f"error: {folder}: another process trains in this folder;" in capsys.readouterr().err
            process.send_signal(signal.SIGKILL)
        done = torch.load(folder / "checkpoint.pt", weights_only=True)["batches_done"]
        assert not (folder / "weights.hdf5").exists()
        if held:
            # Two or three batches are lost.
            assert done == last // 5 * 5 < last - 1
            assert json.loads((folder / "log.jsonl").read_text().splitlines()[-1])["batch"] == last

    again = [program("elmo-tasks"), "bilm", "train", str(config)]
    ended = subprocess.run(again, env=environment(repository), capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    assert f"batches of 4 x 5; {done} done" in ended.stderr
    whole = whole_run(config, "whole")
    for name in EXPORTED:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    batches = [json.loads(line)["batch"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert batches == list(range(1, batches[-1] + 1))


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
    assert sorted(os.listdir(config.parent / "out")) == FILES
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


SMALL_DISK = """
import os, subprocess, sys
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.commands.main import main

subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", {folder!r}], check=True)
checkpoint, ballast = {folder!r} + "/checkpoint.pt", {folder!r} + "/ballast"

def fill(leave=0):
    free = os.statvfs({folder!r}).f_bavail * os.statvfs({folder!r}).f_bsize
    with open(ballast, "wb", buffering=0) as file:
        file.write(bytes(free - leave))

def begin_with(leave):
    def wrapped(method):
        def full(trainer, *arguments):
            fill(leave)
            return method(trainer, *arguments)
        return full
    return wrapped

print("first", main(["bilm", "train", {config!r}]), flush=True)
kept = open(checkpoint, "rb").read()
os.remove({folder!r} + "/log.jsonl")  # whose last page has room for some lines more
for name, leave in (("_report", 0), ("save", len(kept) // 2), ("finish", 0)):
    method = getattr(Trainer, name)
    setattr(Trainer, name, begin_with(leave)(method))
    sys.stderr.flush()
    try:
        main(["bilm", "train", {longer!r}])
    except SystemExit as ended:
        same = open(checkpoint, "rb").read() == kept
        part = any(name.endswith(".part") for name in os.listdir({folder!r}))
        print(name, ended.code, "kept" if same else "changed", "part" if part else "whole", flush=True)
    setattr(Trainer, name, method)
    os.remove(ballast)
print("last", main(["bilm", "train", {longer!r}]), flush=True)
print(open({folder!r} + "/weights.hdf5", "rb").read().hex(), flush=True)
"""


def test_a_small_disk_fills_at_every_place(write_config: WriteConfig, repository: Path) -> None:
    """In a mount namespace of its own: while the log is written, in mid-checkpoint, and before the export."""
    mount = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*mount, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted here ({error})")
    config, longer = write_config("short.json"), write_config("longer.json", epochs=1.0)
    folder = config.parent / "out"
    folder.mkdir()
    code = SMALL_DISK.format(folder=str(folder), config=str(config), longer=str(longer))
    command = [*mount, sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment(repository), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    *said, weights = done.stdout.splitlines()
    # The checkpoint of the whole training is there before the export begins.
    assert said == ["first 0", "_report 2 kept whole", "save 2 kept whole", "finish 2 changed whole", "last 0"]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    reason = "the file cannot be written (No space left on device)"
    assert errors[0] == f"error: {folder}/log.jsonl: {reason}."
    assert errors[1].startswith(f"error: {folder}/checkpoint.pt: the file cannot be written (the disk is full); the ")
    assert errors[2] == f"error: {folder}/options.json: {reason}."
    assert "Traceback" not in done.stderr
    assert bytes.fromhex(weights) == (whole_run(longer, "whole") / "weights.hdf5").read_bytes()


MEMORY = """
import resource, sys
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.trainer import Trainer

for name in sys.argv[1:]:
    trainer = Trainer(TrainingConfig.from_file(name), say=lambda line: None)
    trainer.run()
    for stream in trainer.streams:
        for _ in range(trainer.num_sentences):
            next(stream)
    print(len(trainer.shards), trainer.num_tokens, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_the_memory_does_not_grow_with_the_corpus(write_config: WriteConfig, repository: Path) -> None:
    """Words are counted, the vocabulary is made, and both directions read all: one shard of 3 MB, then nine."""
    folder = write_config().parent
    line = f"{'a-long-word ' * 40}\n"
    for shard in range(9):
        (folder / f"large-{shard}.txt").write_text(line * 6250)
    few = {"epochs": 0.001, "negative_samples": 0}
    one = write_config("one.json", corpus="large-0.txt", output="one", **few)
    nine = write_config("nine.json", corpus="large-*.txt", output="nine", **few)
    command = [sys.executable, "-c", MEMORY, str(one), str(nine)]
    done = subprocess.run(
        command, env=environment(repository), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    (shards, tokens, peak), (more_shards, more_tokens, higher) = (
        map(int, line.split()) for line in done.stdout.splitlines()
    )
    assert (shards, more_shards, more_tokens) == (1, 9, 9 * tokens)
    assert higher - peak < 8e6, "the text of eight more shards is 24 MB"


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
