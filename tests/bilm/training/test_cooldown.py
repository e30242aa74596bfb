"""A learning rate that falls at the end: its values batch by batch, and what a continuation may change."""

from collections.abc import Callable

import pytest
import torch

from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.errors import InputError
from tests.bilm.training.test_trainer import everything, quiet

MakeConfig = Callable[..., TrainingConfig]

# Batches of one pass over the toy corpus.
EPOCH = 33


def keys(batches: int, cooldown: int = 0) -> dict[str, float]:
    """The configuration's keys for so many batches, the last of them with a falling learning rate."""
    return {"epochs": batches / EPOCH, "cooldown_epochs": cooldown / EPOCH}


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The learning rate of each update that is made, as the optimiser has it then."""
    used: list[float] = []
    step = torch.optim.Adagrad.step

    def recorded(self: torch.optim.Adagrad, *args):
        used.append(self.param_groups[0]["lr"])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.Adagrad, "step", recorded)
    return used


def run(config: TrainingConfig) -> Trainer:
    trainer = quiet(config)
    trainer.run()
    return trainer


def test_constant_without_one(make_config: MakeConfig, rates: list[float]) -> None:
    assert run(make_config(**keys(16))).batches_per_epoch == EPOCH
    assert rates == [0.2] * 16


def test_it_falls_in_equal_steps_to_zero(make_config: MakeConfig, rates: list[float]) -> None:
    run(make_config(**keys(32, 8)))
    assert rates == [0.2] * 24 + [pytest.approx(0.2 * left / 8) for left in range(8, 0, -1)]


def test_longer_than_the_run(make_config: MakeConfig, rates: list[float]) -> None:
    run(make_config(**keys(8, 16)))
    assert rates == [pytest.approx(0.2 * left / 16) for left in range(8, 0, -1)]


@pytest.mark.parametrize("stop", [20, 24, 25, 29])
def test_a_run_that_is_stopped_goes_on_the_same(stop: int, make_config: MakeConfig, rates: list[float]) -> None:
    """Before the cooldown, at its begin, and in the middle of it."""
    whole = run(make_config(output="whole", state_reset_probability=0.1, **keys(32, 8)))
    first = quiet(make_config(output="parts", state_reset_probability=0.1, **keys(32, 8)))
    step = first.step

    def stopping() -> torch.Tensor:
        first.stopped = first.batches_done == stop - 1
        return step()

    first.step = stopping  # type: ignore[method-assign]
    first.run()
    assert first.batches_done == stop
    second = run(make_config(output="parts", state_reset_probability=0.1, **keys(32, 8)))
    assert rates[:32] == rates[32:]
    expected, found = everything(whole), everything(second)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("batches", [32, 24], ids=["later", "now"])
def test_a_cooldown_that_is_added_is_that_of_one_run(batches: int, make_config: MakeConfig, rates: list[float]) -> None:
    whole = run(make_config(output="whole", **keys(batches, 8)))
    run(make_config(output="parts", **keys(16)))
    second = run(make_config(output="parts", **keys(batches, 8)))
    assert rates[:batches] == rates[batches:]
    assert torch.equal(second.model.softmax.weight.weight, whole.model.softmax.weight.weight)


def test_more_epochs_before_it_has_begun_and_not_after(make_config: MakeConfig, rates: list[float]) -> None:
    first = quiet(make_config(**keys(32, 8)))
    first._train(25)  # as far as the learning rate is full
    old = keys(48, 8)
    second = quiet(make_config(**old))
    second._resume()
    second._train(42)
    assert rates == [0.2] * 41 + [pytest.approx(0.2 * 7 / 8)]
    for key in old:
        with pytest.raises(InputError) as caught:
            quiet(make_config(**{**old, key: 2.0}))
        assert str(caught.value).endswith(
            f"out: the learning rate has been falling since batch 42, so {key} must stay {old[key]}; to train "
            "otherwise, begin in another folder."
        )
    assert quiet(make_config(**old)).continues


def test_a_cooldown_that_should_have_begun_already(make_config: MakeConfig) -> None:
    run(make_config(**keys(32)))
    with pytest.raises(InputError, match=r"32 batches are done, and the learning rate would have had to fall from ba"):
        quiet(make_config(**keys(38, 8)))
    assert quiet(make_config(**keys(39, 8))).continues
