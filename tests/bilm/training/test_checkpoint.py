"""Checkpoints: whole or not at all, plain data alone, one sentence for everything else."""

import os
import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from elmo_tasks.bilm.training.checkpoint import FILE_NAME, read_checkpoint, write_checkpoint
from elmo_tasks.errors import InputError

CONTENT = {"config": {"seed": 1}, "model": {"weight": torch.arange(6.0)}, "batches_done": 3, "rows": [["a", "é"], []]}


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """As on a disk that is full: writing further fails, in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_written_and_read_again(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None
    write_checkpoint(tmp_path, CONTENT)
    again = read_checkpoint(tmp_path)
    assert torch.equal(again.pop("model")["weight"], CONTENT["model"]["weight"])
    assert again == {key: value for key, value in CONTENT.items() if key != "model"}
    assert os.listdir(tmp_path) == [FILE_NAME]


def test_a_full_disk_leaves_the_one_before(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, CONTENT)
    larger = {**CONTENT, "batches_done": 4, "model": {"weight": torch.randn(100_000)}}
    with files_no_larger_than(100_000), pytest.raises(InputError, match=rf"{FILE_NAME}: the file cannot be written \("):
        write_checkpoint(tmp_path, larger)
    assert os.listdir(tmp_path) == [FILE_NAME]
    assert read_checkpoint(tmp_path)["batches_done"] == 3


def test_a_writer_that_was_killed_leaves_nothing_for_long(tmp_path: Path) -> None:
    (tmp_path / f"{FILE_NAME}.12345.part").write_bytes(b"half")
    write_checkpoint(tmp_path, CONTENT)
    assert os.listdir(tmp_path) == [FILE_NAME]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone/checkpoint.pt: the file cannot be written"):
        write_checkpoint(tmp_path / "gone", CONTENT)


class Surprise:
    """What an untrusted pickle could do."""

    def __reduce__(self):
        return os.mkdir, ("surprise",)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_checkpoint_cut_short(share: float, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, CONTENT)
    whole = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="the checkpoint is damaged .*remove it to begin anew") as caught:
        read_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / FILE_NAME
    for content in (b"text", b"\x80\x02.", pickle.dumps({"config": 1}, protocol=2)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"checkpoint.pt: (the checkpoint is damaged|not a checkpoint)"):
            read_checkpoint(tmp_path)
    for other in ([1, 2], {"weight": torch.ones(1)}):
        torch.save(other, path)
        with pytest.raises(InputError, match=r"checkpoint.pt: not a checkpoint of this trainer"):
            read_checkpoint(tmp_path)
    torch.save({**CONTENT, "more": Surprise()}, path)
    with pytest.raises(InputError, match="the checkpoint is damaged"):
        read_checkpoint(tmp_path)
    assert not Path("surprise").exists()
