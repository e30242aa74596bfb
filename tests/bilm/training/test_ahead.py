"""Batches made ahead by a process: the same ones, and a checkpoint knows which was handed out last."""

import multiprocessing
from collections.abc import Callable

import pytest
import torch

from elmo_tasks.bilm.training.ahead import Ahead
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.errors import InputError

MakeConfig = Callable[..., TrainingConfig]


def trainer_in(config: TrainingConfig, ahead: bool) -> Trainer:
    trainer = Trainer(config, say=lambda line: None)
    if ahead:
        trainer.batcher = Ahead(trainer.batcher)
    return trainer


def processes() -> int:
    return len(multiprocessing.active_children())


def test_the_same_training(make_config: MakeConfig) -> None:
    """Stopped, saved and continued with batches ahead, the weights are those of a run without."""
    plain = trainer_in(make_config(output="plain", epochs=3), ahead=False)
    plain.run()
    first = trainer_in(make_config(output="ahead", epochs=1), ahead=True)
    first.run()
    assert processes() == 0
    second = trainer_in(make_config(output="ahead", epochs=3), ahead=True)
    assert second.continues
    second.run()
    assert processes() == 0
    for found, expected in zip(second.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(found, expected)


def test_goes_on_after_its_end(make_config: MakeConfig) -> None:
    """The batches that were made and not handed out come again."""
    plain, other = (trainer_in(make_config(output=name), name == "ahead").batcher for name in ("plain", "ahead"))
    assert isinstance(other, Ahead)
    for number in range(9):
        assert torch.equal(next(other).targets, next(plain).targets)
        if number % 3 == 0:
            other.close()
    other.close()
    assert other.state() == plain.state()  # type: ignore[union-attr]


def test_a_damaged_shard(make_config: MakeConfig) -> None:
    """What goes wrong in the process is said where the batch is asked for."""
    config = make_config()
    trainer = trainer_in(config, ahead=True)
    for shard in trainer.shards:
        shard.write_text("\n\n", encoding="utf-8")
    with pytest.raises(InputError, match="no sentence in this shard"):
        next(trainer.batcher)
    assert processes() == 0


def test_a_killed_process(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elmo_tasks.bilm.training.ahead._SECONDS", 0.2)
    batches = trainer_in(make_config(), ahead=True).batcher
    next(batches)
    (child,) = multiprocessing.active_children()
    child.kill()
    with pytest.raises(RuntimeError, match="the process that makes batches has ended with status -9"):
        for _ in range(20):
            next(batches)
    assert processes() == 0
