"""
AllenNLP's trainer, handing over to the checkpointer ``exact_resume`` what a killed run has to get back.

It is registered in the place of AllenNLP's own under the same name, ``gradient_descent``, because ``allennlp find-lr``
accepts no other. With any other checkpointer it *is* AllenNLP's trainer: every override below begins by saying so.
"""

import itertools
import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

from allennlp.data import TensorDict
from allennlp.data.data_loaders import DataLoader, MultiProcessDataLoader
from allennlp.nn.util import dist_reduce_sum
from allennlp.training import util as training_util
from allennlp.training.callbacks import ConfidenceChecksCallback, TrackEpochCallback, TrainerCallback
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from allennlp.training.trainer import Trainer
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.checkpointer import ExactResumeCheckpointer, write_aside
from elmo_tasks.reproduce.run_state import (
    State,
    capture_carried,
    capture_generators,
    capture_metrics,
    restore_carried,
    restore_generators,
    restore_metrics,
)

logger = logging.getLogger(__name__)


class RunningTotals(TrainerCallback):
    """
    The sums behind an epoch's training loss, which AllenNLP's trainer keeps in local variables.

    Parameters
    ----------
    serialization_dir : the run's folder; nothing is written there.
    """

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self.loss = 0.0
        self.reg_loss: float | None = None
        self.epoch_metrics: dict[str, Any] = {}

    @overrides(check_signature=False)
    def on_batch(
        self,
        trainer: GradientDescentTrainer,
        batch_inputs: list[TensorDict],
        batch_outputs: list[dict[str, Any]],
        batch_metrics: dict[str, Any],
        epoch: int,
        batch_number: int,
        is_training: bool,
        **kwargs: Any,
    ) -> None:
        """Add one batch (of an optimizer step, that is all the batches whose gradients it accumulates)."""
        if not is_training:
            return
        self.loss += batch_metrics["batch_loss"]
        if "batch_reg_loss" in batch_metrics:
            # One addition for each accumulated batch, as the trainer does it: the last digit depends on it.
            for _ in batch_inputs:
                self.reg_loss = (self.reg_loss or 0.0) + batch_metrics["batch_reg_loss"]

    @overrides(check_signature=False)
    def on_epoch(self, trainer: GradientDescentTrainer, metrics: dict[str, Any], epoch: int, **kwargs: Any) -> None:
        """Remember an epoch's metrics, for a run that is killed after its last epoch."""
        # AllenNLP repeats the last validation's figures in an epoch without one, from a variable that a recovered run
        # has lost.
        for name, value in self.epoch_metrics.items():
            if name.startswith("validation_"):
                metrics.setdefault(name, value)
        self.epoch_metrics = dict(metrics)

    def begin_epoch(self) -> None:
        """Start the sums again."""
        self.loss, self.reg_loss = 0.0, None


@Trainer.register("gradient_descent", constructor="from_partial_objects", exist_ok=True)
class ExactResumeTrainer(GradientDescentTrainer):
    """
    AllenNLP's gradient descent trainer; together with the checkpointer ``exact_resume``, ``--recover`` is exact.

    It takes the arguments of AllenNLP's. What is exact, on the CPU: weights, training and validation metrics, the
    choice of the best epoch, early stopping. Two assumptions: the reader gives the same instances every time, and a
    loader that draws random numbers in mid-epoch (``max_instances_in_memory``) shares its generator (Python's) with
    nothing in the model.

    Epochs that are complete are skipped without reading their batches if the loader holds all instances in memory.

    Raises
    ------
    InputError
        If ``exact_resume`` is asked for a model whose parameters are spread over several processes.
    """

    data_loader: DataLoader
    _best_model_filename: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        checkpointer = self._checkpointer
        self._exact = checkpointer if isinstance(checkpointer, ExactResumeCheckpointer) else None
        self._to_restore: State | None = None
        self._epoch_starts: list[State] = []
        self._totals = RunningTotals(self._serialization_dir)
        if self._exact is not None:
            self._callbacks.append(self._totals)
            if self._ddp_wrapped_model is not None and self._ddp_wrapped_model.is_sharded:
                raise InputError(
                    "trainer.checkpointer is 'exact_resume', which cannot save a model whose parameters are spread "
                    "over several processes: take the checkpointer 'default' or the ddp_accelerator 'torch'."
                )

    def resume_state(self) -> State:
        """
        Return what this process holds in memory that AllenNLP's checkpoint leaves out, as plain values and tensors.

        Only between batches or between epochs, that is where the checkpointer is called.
        """
        at_end_of_epoch = self._batches_in_epoch_completed == 0 and self._epochs_completed > 0
        return {
            "epochs_completed": self._epochs_completed,
            "batches_in_epoch_completed": self._batches_in_epoch_completed,
            "generators": capture_generators(),
            "epoch_starts": self._epoch_starts,
            "loss": self._totals.loss,
            "reg_loss": self._totals.reg_loss,
            "epoch_metrics": self._totals.epoch_metrics,
            "metric_counts": capture_metrics(self.model),
            "carried": capture_carried(self.model),
            "should_validate": self._should_validate_this_epoch,
            # AllenNLP writes best.th after the checkpoint: a run that is killed in between has to make up for it.
            "is_best": at_end_of_epoch and self._should_validate_this_epoch and self._metric_tracker.is_best_so_far(),
            "grad_scaler": None if self._scaler is None else self._scaler.state_dict(),
        }

    @overrides
    def _maybe_restore_checkpoint(self) -> None:
        average = self._moving_average
        parameters = [] if average is None else average._parameters
        super()._maybe_restore_checkpoint()
        if self._exact is None or self._exact.resume_state is None:
            return
        state = self._to_restore = self._exact.resume_state
        self._epoch_starts = state["epoch_starts"]
        self._totals.epoch_metrics = state["epoch_metrics"]
        if self._scaler is not None:
            self._scaler.load_state_dict(state["grad_scaler"])
        if average is not None:
            # AllenNLP takes the parameters themselves from the file, and would average copies that nobody trains.
            average._parameters = parameters
            for name, parameter in parameters:
                average._shadows[name] = average._shadows[name].to(parameter.device)
                average._backups[name] = average._backups[name].to(parameter.device)
        if state["is_best"]:
            self._write_best_model()
        elif self._best_model_filename is not None:
            # The folder may have been moved.
            self._best_model_filename = self._path_of_best_model()
        if state["batches_in_epoch_completed"] == 0 and self._metric_tracker.should_stop_early():
            logger.info("The run had run out of patience when it was stopped: nothing is left to train.")
            self._num_epochs = self._start_after_epochs_completed

    @overrides
    def _try_train(self) -> tuple[dict[str, Any], int]:
        if self._to_restore is not None:
            self._restore_after_start(self._to_restore)
        metrics, epoch = super()._try_train()
        if self._to_restore is not None:
            # All epochs were complete; only what comes after them (test metrics, the archive) was missing.
            metrics = {**metrics, **self._totals.epoch_metrics}
            self._restore_memory(self._to_restore)
        return metrics, epoch

    @overrides
    def _train_epoch(self, epoch: int) -> dict[str, float]:
        if self._exact is None:
            return super()._train_epoch(epoch)
        if epoch < self._start_after_epochs_completed:
            return self._skip_epoch(epoch)
        if self._to_restore is not None and self._start_after_batches_in_epoch_completed > 0:
            metrics = self._finish_epoch(epoch, self._to_restore)
        else:
            if self._to_restore is not None:
                self._restore_memory(self._to_restore)
            self._totals.begin_epoch()
            self._epoch_starts.append({"generators": capture_generators(), "batches": 0})
            metrics = super()._train_epoch(epoch)
        self._epoch_starts[epoch]["batches"] = self._batches_in_epoch_completed
        return metrics

    @overrides
    def _save_model_state(self, path: str) -> None:
        if self._exact is None:
            super()._save_model_state(path)
        else:
            write_aside((self._ddp_wrapped_model or self.model).state_dict(), path)

    def _skip_epoch(self, epoch: int) -> dict[str, float]:
        start = self._epoch_starts[epoch]
        restore_generators(start["generators"])
        if not _has_no_memory(self.data_loader):
            return super()._train_epoch(epoch)
        # AllenNLP counts the batches of a skipped epoch (schedulers need their number) and looks at none of them.
        steps = start["batches"] * self._num_gradient_accumulation_steps
        return self._train_epoch_on(epoch, itertools.repeat({}, steps))

    def _finish_epoch(self, epoch: int, state: State) -> dict[str, float]:
        """Train the rest of the epoch that was cut short, and return the metrics of the whole."""
        restore_generators(self._epoch_starts[epoch]["generators"])
        totals = self._totals
        totals.loss, totals.reg_loss = state["loss"], state["reg_loss"]
        metrics = self._train_epoch_on(epoch, self._batches_of_interrupted_epoch(self.data_loader, state))
        # AllenNLP has the losses of the remaining batches only, and no metrics at all if none remained.
        losses = (dist_reduce_sum(totals.loss), None if totals.reg_loss is None else dist_reduce_sum(totals.reg_loss))
        num_batches = dist_reduce_sum(self._batches_in_epoch_completed)
        if "loss" not in metrics:
            whole = training_util.get_metrics(self.model, *losses, None, None, num_batches, reset=True)
            return {**whole, **metrics}
        for name, loss in zip(("loss", "reg_loss"), losses, strict=False):
            if loss is not None:
                metrics[name] = float(loss / num_batches)
        return metrics

    def _batches_of_interrupted_epoch(self, loader: DataLoader, state: State) -> Iterator[TensorDict]:
        batches = iter(loader)
        done = self._start_after_batches_in_epoch_completed * self._num_gradient_accumulation_steps
        yield from itertools.islice(batches, done)
        self._restore_memory(state)
        yield from batches

    def _train_epoch_on(self, epoch: int, batches: Iterable[TensorDict]) -> dict[str, float]:
        loader = self.data_loader
        self.data_loader = _PreparedBatches(loader, batches)
        try:
            return super()._train_epoch(epoch)
        finally:
            self.data_loader = loader

    def _restore_memory(self, state: State) -> None:
        """Go back to the very moment of the checkpoint; from here on the run is the one that was stopped."""
        restore_generators(state["generators"])
        restore_metrics(self.model, state["metric_counts"])
        restore_carried(self.model, state["carried"])
        self._to_restore = None

    def _restore_after_start(self, state: State) -> None:
        """Undo what the callbacks' start does as if this were a new run."""
        self._should_validate_this_epoch = state["should_validate"]
        for callback in self._callbacks:
            if isinstance(callback, TrackEpochCallback):
                self.model.epoch = self._start_after_epochs_completed
            if isinstance(callback, ConfidenceChecksCallback) and self._primary:
                # Its hooks go after the first batch of the first epoch, which does not come again; until then they
                # keep a record of every module's every call.
                callback._verification.destroy_hooks()

    def _write_best_model(self) -> None:
        self._best_model_filename = self._path_of_best_model()
        if not self._primary:
            return
        if self._moving_average is None:
            self._save_model_state(self._best_model_filename)
            return
        self._moving_average.assign_average_value()
        try:
            self._save_model_state(self._best_model_filename)
        finally:
            self._moving_average.restore()

    def _path_of_best_model(self) -> str:
        return os.path.join(self._serialization_dir, "best.th")


class _PreparedBatches(DataLoader):
    """For one epoch, other batches in the place of a loader's own; its length stays."""

    def __init__(self, loader: DataLoader, batches: Iterable[TensorDict]) -> None:
        self._loader = loader
        self._batches = batches

    @overrides
    def __len__(self) -> int:
        return len(self._loader)

    @overrides
    def __iter__(self) -> Iterator[TensorDict]:
        return iter(self._batches)


def _has_no_memory(loader: DataLoader) -> bool:
    """Whether an epoch's batches depend on nothing but the instances and the generators' state at its start."""
    return (
        type(loader) is MultiProcessDataLoader
        and loader.max_instances_in_memory is None
        and loader.batches_per_epoch is None
        and type(loader.batch_sampler).__module__.startswith(("builtins", "allennlp.data.samplers."))
    )
