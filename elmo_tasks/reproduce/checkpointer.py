"""
A checkpointer whose runs, killed at any moment and recovered, end with the very weights they would have had.

``allennlp train --recover`` with AllenNLP's own checkpointer goes on with other random numbers and other batches, and
loses more than that (docs/recover.md lists it). This checkpointer keeps beside AllenNLP's two files of a checkpoint
a third one with what the run held in memory; the trainer (elmo_tasks/reproduce/trainer.py) fills and reads it.
"""

import logging
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from allennlp.common.util import is_distributed
from allennlp.training.checkpointer import Checkpointer
from allennlp.training.trainer import Trainer, TrainerCheckpoint
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.run_state import without_numpy_scalars

logger = logging.getLogger(__name__)


@Checkpointer.register("exact_resume")
class ExactResumeCheckpointer(Checkpointer):
    """
    Checkpoints from which ``allennlp train --recover`` ends, on the CPU, with the weights of an uninterrupted run.

    Registered as ``exact_resume``; the arguments are those of AllenNLP's checkpointer and mean the same. By default
    the state is saved at the end of each epoch, so that a killed run repeats at most one epoch;
    ``save_every_num_batches`` or ``save_every_num_seconds`` bound the loss in long epochs. How often a run saves never
    changes its result.

    A checkpoint is ``model_state_eE_bB.th``, ``training_state_eE_bB.th`` (both as AllenNLP writes them) and one
    ``resume_state_eE_bB_wRANK.th`` for each process, after ``E`` epochs and ``B`` batches. Each file is written aside
    and renamed, and a checkpoint counts only when all its files are there: a kill while one is being written leaves
    the one before. Nothing but tensors and plain values is ever unpickled.

    Parameters
    ----------
    serialization_dir : the run's folder.
    save_completed_epochs : save at the end of each epoch.
    save_every_num_seconds : save after a batch if this many seconds have passed since the last time; not for
        distributed training.
    save_every_num_batches : save after this many batches (optimizer steps) since the last time.
    keep_most_recent_by_count : how many checkpoints stay on disk.
    keep_most_recent_by_age : for how many seconds a checkpoint stays on disk, whatever their number.

    Raises
    ------
    InputError
        If the trainer is one that does not hand over its state (any but AllenNLP's default, ``gradient_descent``).
    """

    def __init__(
        self,
        serialization_dir: str | os.PathLike[str],
        save_completed_epochs: bool = True,
        save_every_num_seconds: float | None = None,
        save_every_num_batches: int | None = None,
        keep_most_recent_by_count: int | None = 2,
        keep_most_recent_by_age: int | None = None,
    ) -> None:
        super().__init__(
            serialization_dir,
            save_completed_epochs,
            save_every_num_seconds,
            save_every_num_batches,
            keep_most_recent_by_count,
            keep_most_recent_by_age,
        )
        self._world_size = dist.get_world_size() if is_distributed() else 1
        self.resume_state: dict[str, Any] | None = None

    @overrides
    def save_checkpoint(self, trainer: Trainer) -> None:
        """
        Save what the trainer holds now, and remove the checkpoints that need not stay.

        In distributed training every process calls this after the same batch and writes its own ``resume_state``; the
        first one writes the other two files.
        """
        hand_over = getattr(trainer, "resume_state", None)
        if hand_over is None:
            raise InputError(
                f"trainer.checkpointer is 'exact_resume', which the trainer {type(trainer).__name__} cannot fill: "
                "leave trainer.type out (or 'gradient_descent'), or take the checkpointer 'default'."
            )
        resume_state: dict[str, Any] = hand_over()
        point = (resume_state["epochs_completed"], resume_state["batches_in_epoch_completed"])
        checkpoint = trainer.get_checkpoint_state()
        if checkpoint is not None:
            write_aside(checkpoint.model_state, self._model_state_path(*point))
            write_aside(without_numpy_scalars(checkpoint.trainer_state), self._training_state_path(*point))
        write_aside(without_numpy_scalars(resume_state), self._resume_state_path(*point, self._rank))
        if self._is_primary:
            self._remove_unfinished(point)
        # AllenNLP's part finds its files there and is left with its bookkeeping: times, counts, what to remove.
        super().save_checkpoint(trainer)
        self._last_save_num_epochs_completed, self._last_save_num_batches_in_epoch_completed = point

    @overrides
    def find_latest_checkpoint(self) -> tuple[str, str] | None:
        """Return the paths of model state and training state of the latest checkpoint whose files are all there."""
        point = self._latest_point()
        return None if point is None else (self._model_state_path(*point), self._training_state_path(*point))

    @overrides
    def load_checkpoint(self) -> TrainerCheckpoint | None:
        """Load the latest complete checkpoint; ``resume_state`` then holds this process's part of it."""
        self.resume_state = None
        if self._is_primary:
            for unfinished in Path(self._serialization_dir).glob("*.th.part"):
                unfinished.unlink()
        point = self._latest_point()
        newer = sorted(other for other in self._find_all_checkpoints() if point is None or other > point)
        if newer:
            logger.warning(
                "%s: the checkpoint after %d epochs and %d batches is not complete (the run was stopped while it was "
                "written); going on from %s",
                self._serialization_dir,
                *newer[-1],
                "the beginning" if point is None else f"the one after {point[0]} epochs and {point[1]} batches",
            )
        if point is None:
            return None
        self.resume_state = _load(self._resume_state_path(*point, self._rank))
        # So that a recovered run saves after the same batches as one that was never stopped.
        self._last_save_num_epochs_completed, self._last_save_num_batches_in_epoch_completed = point
        return TrainerCheckpoint(_load(self._model_state_path(*point)), _load(self._training_state_path(*point)))

    @overrides
    def _remove_checkpoint(self, epochs_completed: int, batches_in_epoch_completed: int) -> None:
        point = (epochs_completed, batches_in_epoch_completed)
        # While other processes are still writing the newest one, this may be all there is.
        if point != self._latest_point():
            for path in self._paths(point):
                Path(path).unlink(missing_ok=True)

    def _remove_unfinished(self, current: tuple[int, int]) -> None:
        # Every process has written its part of a checkpoint before any process gets to the next one.
        for point in self._find_all_checkpoints() - {current}:
            if not all(map(os.path.isfile, self._paths(point))):
                self._remove_checkpoint(*point)

    def _latest_point(self) -> tuple[int, int] | None:
        complete = [point for point in self._find_all_checkpoints() if all(map(os.path.isfile, self._paths(point)))]
        return max(complete, default=None)

    def _paths(self, point: tuple[int, int]) -> list[str]:
        resume_states = [self._resume_state_path(*point, rank) for rank in range(self._world_size)]
        return [self._model_state_path(*point), self._training_state_path(*point), *resume_states]

    def _resume_state_path(self, epochs_completed: int, batches_in_epoch_completed: int, rank: int) -> str:
        name = f"resume_state_e{epochs_completed}_b{batches_in_epoch_completed}_w{rank}.th"
        return os.path.join(self._serialization_dir, name)


def write_aside(state: Any, path: str) -> None:
    """Save ``state`` beside ``path``, then rename it: at any moment the file is the old one or the new one."""
    aside = Path(path + ".part")
    with aside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _load(path: str) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
