"""Learning rates that fall by the number of steps."""

from typing import Any

from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.optimizers import Optimizer
from overrides import overrides

from elmo_tasks.errors import InputError


@LearningRateScheduler.register("staircase")
class Staircase(LearningRateScheduler):
    """
    A learning rate that is multiplied by a factor after every so many steps (docs/coref.md).

    Parameters
    ----------
    optimizer
        whose learning rates these are.
    factor
        what they are multiplied by.
    every
        steps between two falls.

    Raises
    ------
    InputError
        If ``every`` is below 1.
    """

    def __init__(self, optimizer: Optimizer, factor: float, every: int, **kwargs: Any) -> None:
        super().__init__(optimizer, **kwargs)
        if every < 1:
            raise InputError(f"learning_rate_scheduler.every is {every}, expected 1 step or more.")
        self.factor = factor
        self.every = every
        self._falls = 0

    @overrides(check_signature=False)
    def step_batch(self, batch_num_total: int) -> None:
        """Set the rate of a step; steps are counted from 1, and told before the optimizer's."""
        self._falls = (batch_num_total - 1) // self.every
        for group, value in zip(self.optimizer.param_groups, self.get_values(), strict=True):
            group[self.param_group_field] = value

    @overrides
    def get_values(self) -> list[float]:
        """The rates at present, which an epoch's end does not change."""
        return [value * self.factor**self._falls for value in self.base_values]
