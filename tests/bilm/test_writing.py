"""Files that are written aside, and folders to write to."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from elmo_tasks.bilm.writing import make_folder, written_aside
from elmo_tasks.errors import InputError
from tests.bilm.training.test_checkpoint import files_no_larger_than


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    path = tmp_path / "file" / "weights.hdf5"
    with pytest.raises(InputError) as caught, written_aside(path) as aside:
        aside.write_text("content")
    assert str(caught.value) == f"{path}: the file cannot be written (Not a directory)."


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    message = r"file: the file cannot be written \(No space left on device\)"
    with pytest.raises(InputError, match=message), written_aside(tmp_path / "file") as aside:
        aside.write_text("half of the n")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert (tmp_path / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_disk_that_is_full_in_the_words_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, reason in [(1000, "the disk is full"), (10**9, "unexpected pos 64 vs 0")]:
        monkeypatch.setattr("shutil.disk_usage", lambda folder, free=free: SimpleNamespace(free=free))
        message = rf"file: the file cannot be written \({reason}\)"
        with pytest.raises(InputError, match=message), written_aside(tmp_path / "file"):
            raise RuntimeError("unexpected pos 64 vs 0\nand more")


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    with (
        files_no_larger_than(100),
        pytest.raises(InputError, match=r"nothing can be written in this folder \(File"),
    ):
        make_folder(tmp_path / "new")
    assert os.listdir(tmp_path / "new") == []


def test_folders(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(str(tmp_path / "a")) == tmp_path / "a"
    assert os.listdir(tmp_path / "a") == ["b"]
