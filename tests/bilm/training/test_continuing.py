"""Who may go on from a checkpoint: one process at a time, with the same text, and a log without doubles."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.continuing import LOCK_NAME, fingerprint
from elmo_tasks.bilm.training.progress import TrainingLog
from elmo_tasks.errors import InputError
from tests.bilm.training.test_trainer import cut_short, quiet

MakeConfig = Callable[..., TrainingConfig]

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
sys.stdin.read()
"""


def holding(folder: Path) -> "subprocess.Popen[str]":
    """Another process that takes the folder's lock; it says "held" if it gets it, and keeps it while it is let."""
    command = [sys.executable, "-c", HOLD, str(folder / LOCK_NAME)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)


class TestOneProcess:
    def test_a_folder_where_another_one_trains(self, make_config: MakeConfig) -> None:
        folder = Path(make_config().output)
        folder.mkdir()
        (folder / "checkpoint.pt.1.part").write_bytes(b"half of what the other one writes")
        with holding(folder) as other:
            assert other.stdout.readline() == "held\n"
            with pytest.raises(InputError, match=r"out: another process trains in this folder; wait for its end or"):
                quiet(make_config()).run()
            assert sorted(path.name for path in folder.iterdir()) == ["checkpoint.pt.1.part", LOCK_NAME]
            other.kill()
        quiet(make_config()).run()
        assert not list(folder.glob("*.part"))

    @pytest.mark.parametrize("end", ["finished", "failed"])
    def test_it_is_held_from_the_first_look_to_the_end_of_the_run(self, end: str, make_config: MakeConfig) -> None:
        trainer = quiet(make_config(epochs=0.2))
        got = {"made": holding(trainer.folder).communicate()[0]}
        step = trainer.step

        def held() -> torch.Tensor:
            got["at work"] = holding(trainer.folder).communicate()[0] if trainer.batches_done == 1 else ""
            if end == "failed" and trainer.batches_done == 2:
                raise ZeroDivisionError
            return step()

        trainer.step = held  # type: ignore[method-assign]
        if end == "failed":
            with pytest.raises(ZeroDivisionError):
                trainer.run()
        else:
            trainer.run()
        got["behind"] = holding(trainer.folder).communicate()[0]
        assert got == {"made": "", "at work": "", "behind": "held\n"}

    def test_a_disk_without_locks(self, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(file: object, operation: int) -> None:
            raise OSError("Function not implemented")

        monkeypatch.setattr("fcntl.flock", refused)
        quiet(make_config(epochs=0.2)).run()


class TestSameText:
    def test_a_shard_of_another_text_is_named(self, make_config: MakeConfig, corpus: Path) -> None:
        quiet(make_config()).run()
        shard = corpus / "train-1.txt"
        before = shard.read_text()
        shard.write_text(before.replace("milk", "wine", 1))
        with pytest.raises(
            InputError, match=r"out: holds the checkpoint of a run with another text in .*/train-1.txt; "
        ):
            quiet(make_config())
        shard.write_text(before)
        quiet(make_config()).run()

    def test_a_corpus_that_has_moved(self, make_config: MakeConfig, corpus: Path) -> None:
        quiet(make_config()).run()
        (corpus / "elsewhere").mkdir()
        for shard in corpus.glob("train-*.txt"):
            shard.rename(corpus / "elsewhere" / shard.name)
        assert quiet(make_config(corpus="elsewhere/train-*.txt")).continues

    def test_a_checkpoint_that_is_older_than_the_fingerprints(self, make_config: MakeConfig, corpus: Path) -> None:
        quiet(make_config()).run()
        checkpoint = corpus / "out" / "checkpoint.pt"
        content = torch.load(checkpoint, weights_only=True)
        del content["fingerprints"]
        torch.save(content, checkpoint)
        assert quiet(make_config()).continues

    def test_what_is_looked_at(self, tmp_path: Path) -> None:
        """Size and both ends of a large file, all of a small one."""
        path = tmp_path / "shard"
        text = bytearray(b"word " * 600_000)
        seen = set()
        for place in (None, 0, 2**20 - 1, len(text) - 2**20, len(text) - 1):
            changed = bytearray(text)
            if place is not None:
                changed[place] = 0
            path.write_bytes(changed)
            seen.add(fingerprint(path))
        path.write_bytes(text + b"x")
        seen.add(fingerprint(path))
        path.write_bytes(b"small")
        seen.add(fingerprint(path))
        assert len(seen) == 7

    def test_a_folder_in_a_shard_s_place(self, make_config: MakeConfig, corpus: Path) -> None:
        (corpus / "train-2.txt").mkdir()
        with pytest.raises(InputError, match=r"train-2.txt: the file cannot be read \(Is a directory\)"):
            quiet(make_config())


def entries(folder: Path) -> Iterator[tuple[int, str]]:
    """Batch and kind of each line of the log."""
    for line in (folder / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        kind = "loss" if "loss" in entry else entry["state_policy"] + (" at the end" if "at_the_end" in entry else "")
        yield entry["batch"], kind


class TestLog:
    @pytest.mark.parametrize("saved", [0, 4], ids=["before its first checkpoint", "behind a checkpoint"])
    def test_a_run_that_was_killed(self, saved: int, make_config: MakeConfig) -> None:
        keys = {"log_every": 1, "evaluate_every": 3, "heldout": {"toy": "heldout.txt"}}
        whole = quiet(make_config(output="whole", **keys))
        whole.run()
        cut_short(make_config(**keys), saved, done=7)
        folder = Path(make_config().output)
        assert max(entries(folder)) == (7, "loss")
        with (folder / "log.jsonl").open("a") as file:
            file.write('{"batch": 8, "lo')  # as a full disk leaves it
        quiet(make_config(**keys)).run()
        assert list(entries(folder)) == list(entries(whole.folder))

    def test_an_end_that_was_reached_before(self, make_config: MakeConfig) -> None:
        keys = {"log_every": 8, "heldout": {"toy": "heldout.txt"}, "evaluate_every": 16}
        for _ in range(2):
            quiet(make_config(**keys)).run()
        quiet(make_config(epochs=1.0, **keys)).run()
        ends = ["reset at the end", "carry at the end"]
        expected = [(8, "loss"), (16, "loss"), (16, "carry"), *((16, kind) for kind in ends)]
        expected += [(24, "loss"), (32, "loss"), (32, "carry"), (33, "loss"), *((33, kind) for kind in ends)]
        assert list(entries(Path(make_config().output))) == expected

    def test_lines_that_are_not_whole(self, tmp_path: Path) -> None:
        whole = '{"batch": 1}\n'
        for torn in ('{"batch": 2, "lo', '{"batch": 2}', '{"batch": 2, "lo{"batch": 2}\n'):
            (tmp_path / "log.jsonl").write_text(whole + torn)
            TrainingLog(tmp_path).keep(lambda entry: True)
            assert (tmp_path / "log.jsonl").read_text() == whole
