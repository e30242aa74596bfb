"""A trainer callback for `--include-package`: the process kills itself at a batch that the environment names."""

import os
import signal
from typing import Any

from allennlp.training.callbacks import TrainerCallback

# "EPOCH BATCH RANK"; unset, the callback does nothing, so that the same configuration runs to the end.
KILL_VARIABLE = "SELF_KILLING"


@TrainerCallback.register("self_killing")
class SelfKilling(TrainerCallback):
    """Sends SIGKILL, which nothing can catch, after a training batch and before anything is saved for it."""

    def on_batch(
        self,
        trainer: Any,
        batch_inputs: Any,
        batch_outputs: Any,
        batch_metrics: Any,
        epoch: int,
        batch_number: int,
        is_training: bool,
        **kwargs: Any,
    ) -> None:
        wanted = os.environ.get(KILL_VARIABLE)
        if is_training and wanted and [epoch, batch_number, trainer._rank] == [int(part) for part in wanted.split()]:
            os.kill(os.getpid(), signal.SIGKILL)
