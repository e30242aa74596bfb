"""The staircase of learning rates, as the trainer walks it."""

import pytest
import torch
from allennlp.common import Params
from allennlp.training.learning_rate_schedulers import LearningRateScheduler

import elmo_tasks.plugin  # noqa: F401  (registers the scheduler)
from elmo_tasks.errors import InputError


def made(every: int = 3) -> tuple[torch.optim.Optimizer, LearningRateScheduler]:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    params = Params({"type": "staircase", "factor": 0.9, "every": every})
    return optimizer, LearningRateScheduler.from_params(params, optimizer=optimizer)


def rates(optimizer: torch.optim.Optimizer, scheduler: LearningRateScheduler, steps: range) -> list[float]:
    found = []
    for step in steps:
        scheduler.step_batch(step)
        found.append(optimizer.param_groups[0]["lr"])
        if step % 4 == 0:  # an epoch's end
            scheduler.step(0.1)
            assert optimizer.param_groups[0]["lr"] == found[-1]
    return found


def test_the_rate_falls_after_every_so_many_steps() -> None:
    expected = [0.5 * 0.9 ** (step // 3) for step in range(10)]
    assert rates(*made(), range(1, 11)) == expected


def test_steps_between_two_falls() -> None:
    with pytest.raises(InputError, match=r"learning_rate_scheduler\.every is 0, expected 1 step or more\."):
        made(every=0)


def test_it_goes_on_where_it_was() -> None:
    optimizer, scheduler = made()
    whole = rates(optimizer, scheduler, range(1, 11))
    optimizer, scheduler = made()
    rates(optimizer, scheduler, range(1, 6))
    state, state_of_optimizer = scheduler.state_dict(), optimizer.state_dict()
    optimizer, scheduler = made()
    optimizer.load_state_dict(state_of_optimizer)
    scheduler.load_state_dict(state)
    assert rates(optimizer, scheduler, range(6, 11)) == whole[5:]
