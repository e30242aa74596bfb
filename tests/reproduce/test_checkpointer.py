"""The files of the checkpointer: whole or not at all, and never anything but plain values in them."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.common import Params
from allennlp.training.checkpointer import Checkpointer
from allennlp.training.trainer import Trainer, TrainerCheckpoint

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce import checkpointer as checkpointer_module
from elmo_tasks.reproduce.checkpointer import ExactResumeCheckpointer, write_aside

Point = tuple[int, int]


class StandIn(Trainer):
    """As much of a trainer as a checkpointer sees; every state holds the number of its checkpoint."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, cuda_device=-1)
        self.point: Point = (0, 0)

    @property
    def number(self) -> int:
        return 1000 * self.point[0] + self.point[1]

    def resume_state(self) -> dict[str, Any]:
        epochs, batches = self.point
        return {"epochs_completed": epochs, "batches_in_epoch_completed": batches, "number": self.number}

    def get_checkpoint_state(self) -> TrainerCheckpoint | None:
        return TrainerCheckpoint({"number": torch.tensor(self.number)}, self.resume_state())

    def save(self, checkpointer: ExactResumeCheckpointer, *points: Point) -> None:
        for point in points:
            self.point = point
            checkpointer.save_checkpoint(self)


class SecondProcess(StandIn):
    """The trainer of a process that is not the first: it has no checkpoint to give."""

    def get_checkpoint_state(self) -> TrainerCheckpoint | None:
        return None


def numbers(checkpointer: ExactResumeCheckpointer) -> set[int] | None:
    """The numbers in the parts of the latest checkpoint; more than one would be a mixture."""
    checkpoint = checkpointer.load_checkpoint()
    if checkpoint is None:
        assert checkpointer.resume_state is None
        return None
    assert checkpointer.resume_state is not None
    return {
        int(checkpoint.model_state["number"]),
        checkpoint.trainer_state["number"],
        checkpointer.resume_state["number"],
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def parts(point: Point, processes: int = 1) -> list[str]:
    epochs, batches = point
    stem = f"e{epochs}_b{batches}"
    ranks = [f"resume_state_{stem}_w{rank}.th" for rank in range(processes)]
    return [f"model_state_{stem}.th", *ranks, f"training_state_{stem}.th"]


def process(folder: Path, rank: int, of: int, **settings: Any) -> ExactResumeCheckpointer:
    checkpointer = ExactResumeCheckpointer(folder, **settings)
    checkpointer._rank, checkpointer._world_size = rank, of
    return checkpointer


def test_registered_and_made_from_a_configuration(tmp_path: Path) -> None:
    made = Checkpointer.from_params(
        Params({"type": "exact_resume", "save_every_num_seconds": 600, "keep_most_recent_by_count": None}),
        serialization_dir=str(tmp_path),
    )
    assert isinstance(made, ExactResumeCheckpointer)
    assert made._save_every_num_seconds == 600
    assert made._keep_most_recent_by_count is None


def test_what_is_loaded_is_the_latest(tmp_path: Path) -> None:
    checkpointer = ExactResumeCheckpointer(tmp_path)
    assert numbers(checkpointer) is None
    StandIn(tmp_path).save(checkpointer, (0, 5), (1, 0), (1, 5))
    assert numbers(ExactResumeCheckpointer(tmp_path)) == {1005}


@pytest.mark.parametrize("renamed", range(4))
@pytest.mark.parametrize("keep", [1, 2])
def test_a_kill_while_saving_leaves_one_whole_checkpoint(
    renamed: int, keep: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpointer = ExactResumeCheckpointer(tmp_path, keep_most_recent_by_count=keep)
    StandIn(tmp_path).save(checkpointer, (0, 5))
    left = renamed

    def killed_after_some(state: Any, path: str) -> None:
        nonlocal left
        if left == 0:
            # A kill in the middle of a file: its first bytes are there, under the name it has while it is written.
            Path(path + ".part").write_bytes(b"PK\x03\x04 cut off")
            raise KeyboardInterrupt
        left -= 1
        write_aside(state, path)

    monkeypatch.setattr(checkpointer_module, "write_aside", killed_after_some)
    if renamed < 3:
        with pytest.raises(KeyboardInterrupt):
            StandIn(tmp_path).save(checkpointer, (1, 0))
    else:
        StandIn(tmp_path).save(checkpointer, (1, 0))
    recovered = ExactResumeCheckpointer(tmp_path, keep_most_recent_by_count=keep)
    assert numbers(recovered) == {5 if renamed < 3 else 1000}
    assert not list(tmp_path.glob("*.part"))


def test_a_kill_in_the_first_checkpoint_starts_again_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    StandIn(tmp_path).save(ExactResumeCheckpointer(tmp_path), (0, 5))
    (tmp_path / "training_state_e0_b5.th").unlink()
    assert numbers(ExactResumeCheckpointer(tmp_path)) is None
    assert "the checkpoint after 0 epochs and 5 batches is not complete" in caplog.text
    assert "going on from the beginning" in caplog.text


def test_stock_checkpointer_would_take_the_half_checkpoint(tmp_path: Path) -> None:
    StandIn(tmp_path).save(ExactResumeCheckpointer(tmp_path), (0, 5), (1, 0))
    (tmp_path / "training_state_e1_b0.th").unlink()
    with pytest.raises(FileNotFoundError):
        Checkpointer(tmp_path).load_checkpoint()
    assert numbers(ExactResumeCheckpointer(tmp_path)) == {5}


def test_a_half_checkpoint_of_another_life_is_written_anew(tmp_path: Path) -> None:
    write_aside({"number": torch.tensor(-1)}, str(tmp_path / "model_state_e0_b5.th"))
    checkpointer = ExactResumeCheckpointer(tmp_path)
    assert numbers(checkpointer) is None
    StandIn(tmp_path).save(checkpointer, (0, 5))
    assert numbers(ExactResumeCheckpointer(tmp_path)) == {5}


@pytest.mark.parametrize("settings", [{}, {"keep_most_recent_by_age": 3600}], ids=["count", "age"])
def test_a_half_checkpoint_does_not_stay(settings: dict[str, Any], tmp_path: Path) -> None:
    checkpointer = ExactResumeCheckpointer(tmp_path, **settings)
    StandIn(tmp_path).save(checkpointer, (0, 5), (0, 10), (1, 0))
    for name in ("training_state_e0_b10.th", "resume_state_e1_b0_w0.th"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "best.th.part").touch()
    recovered = ExactResumeCheckpointer(tmp_path, **settings)
    recovered.load_checkpoint()
    StandIn(tmp_path).save(recovered, (0, 7))
    assert set(names(tmp_path)) - set(parts((0, 5))) == set(parts((0, 7)))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(0, 11), (1, 0)]),
        ({"keep_most_recent_by_count": 1}, [(1, 0)]),
        ({"keep_most_recent_by_count": None}, [*((0, batches) for batches in range(1, 12)), (1, 0)]),
        ({"keep_most_recent_by_count": 1, "keep_most_recent_by_age": 3600}, [*((0, b) for b in range(1, 12)), (1, 0)]),
        # (0, 1) has to go, and (0, 10) and (0, 11), whose names begin with its own, have to stay.
        ({"keep_most_recent_by_count": 11}, [*((0, batches) for batches in range(2, 12)), (1, 0)]),
    ],
    ids=["two", "one", "all", "an hour's", "eleven"],
)
def test_keeps_what_it_was_asked_to_keep(settings: dict[str, Any], expected: list[Point], tmp_path: Path) -> None:
    checkpointer = ExactResumeCheckpointer(tmp_path, **settings)
    StandIn(tmp_path).save(checkpointer, *((0, batches) for batches in range(1, 12)), (1, 0))
    assert names(tmp_path) == sorted(name for point in expected for name in parts(point))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(1, 0), (2, 0)]),
        ({"save_every_num_batches": 2}, [(0, 2), (0, 4), (1, 0), (1, 2), (1, 4), (2, 0)]),
        ({"save_every_num_batches": 2, "save_completed_epochs": False}, [(0, 2), (0, 4), (1, 2), (1, 4)]),
        ({"save_every_num_seconds": 3600.0}, [(1, 0), (2, 0)]),
        ({"save_every_num_seconds": 0.0}, [*((0, b) for b in range(1, 6)), *((1, b) for b in range(6)), (2, 0)]),
    ],
)
def test_saves_when_it_was_asked_to_save(settings: dict[str, Any], expected: list[Point], tmp_path: Path) -> None:
    checkpointer = ExactResumeCheckpointer(tmp_path, keep_most_recent_by_count=None, **settings)
    trainer = StandIn(tmp_path)
    for epoch in (0, 1):
        for point in [*((epoch, batches) for batches in range(1, 6)), (epoch + 1, 0)]:
            trainer.point = point
            checkpointer.maybe_save_checkpoint(trainer, *point)
    assert names(tmp_path) == sorted(name for point in expected for name in parts(point))


def test_a_recovered_run_saves_after_the_same_batches(tmp_path: Path) -> None:
    StandIn(tmp_path).save(ExactResumeCheckpointer(tmp_path), (1, 4))
    recovered = ExactResumeCheckpointer(tmp_path, save_every_num_batches=4)
    recovered.load_checkpoint()
    trainer = StandIn(tmp_path)
    for batches in range(5, 9):
        trainer.point = (1, batches)
        assert recovered.maybe_save_checkpoint(trainer, 1, batches) == (batches == 8)


def test_several_processes_have_to_agree(tmp_path: Path) -> None:
    first, second = (process(tmp_path, rank, of=2, keep_most_recent_by_count=1) for rank in range(2))
    StandIn(tmp_path).save(first, (0, 5))
    assert first.find_latest_checkpoint() is None
    SecondProcess(tmp_path).save(second, (0, 5))
    assert names(tmp_path) == parts((0, 5), processes=2)
    # The first process is ahead: what it has to remove is all that the two have in common.
    StandIn(tmp_path).save(first, (1, 0))
    assert numbers(process(tmp_path, 1, of=2)) == {5}
    SecondProcess(tmp_path).save(second, (1, 0))
    assert numbers(process(tmp_path, 0, of=2)) == {1000}
    StandIn(tmp_path).save(first, (1, 5))
    SecondProcess(tmp_path).save(second, (1, 5))
    assert names(tmp_path) == sorted([*parts((1, 0), processes=2), *parts((1, 5), processes=2)])


def test_other_processes_save_no_more_often_than_the_first(tmp_path: Path) -> None:
    second = process(tmp_path, 1, of=2, save_every_num_batches=4)
    trainer = SecondProcess(tmp_path)
    saved = []
    for batches in range(1, 10):
        trainer.point = (0, batches)
        if second.maybe_save_checkpoint(trainer, 0, batches):
            saved.append(batches)
    assert saved == [4, 8]


@pytest.fixture
def _no_safe_globals() -> Iterator[None]:
    """The bridge lets torch read numpy's scalars; the checkpointer does not depend on it."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.add_safe_globals(before)


@pytest.mark.usefixtures("_no_safe_globals")
def test_numpy_scalars_are_saved_as_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = StandIn(tmp_path)
    state = trainer.resume_state

    def with_metrics() -> dict[str, Any]:
        return {**state(), "metric_tracker": {"best_epoch_metrics": {"f1": np.float64(0.25), "n": np.int64(3)}}}

    monkeypatch.setattr(trainer, "resume_state", with_metrics)
    trainer.save(ExactResumeCheckpointer(tmp_path), (1, 0))
    checkpoint = ExactResumeCheckpointer(tmp_path).load_checkpoint()
    assert checkpoint is not None
    metrics = checkpoint.trainer_state["metric_tracker"]["best_epoch_metrics"]
    assert metrics == {"f1": 0.25, "n": 3}
    assert {type(value) for value in metrics.values()} == {float, int}


class Harmful:
    """What a file from elsewhere might hold."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (Path.touch, (Path(self.path),))  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", range(3))
def test_runs_nothing_that_a_file_asks_it_to(part: int, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    StandIn(folder).save(ExactResumeCheckpointer(folder), (1, 0))
    harmful = Harmful()
    harmful.path = str(tmp_path / "harmed")  # type: ignore[attr-defined]
    torch.save({"number": harmful}, folder / parts((1, 0))[part])
    with pytest.raises(pickle.UnpicklingError):
        ExactResumeCheckpointer(folder).load_checkpoint()
    assert not (tmp_path / "harmed").exists()


def test_refuses_a_trainer_that_hands_nothing_over(tmp_path: Path) -> None:
    class Other(Trainer):
        pass

    with pytest.raises(
        InputError, match=r"trainer\.checkpointer is 'exact_resume', which the trainer Other cannot fill"
    ):
        ExactResumeCheckpointer(tmp_path, save_every_num_batches=1).maybe_save_checkpoint(
            Other(tmp_path, cuda_device=-1), 0, 1
        )
