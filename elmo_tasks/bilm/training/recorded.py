"""A training step that is recorded once and replayed for every batch: a CUDA graph."""

import gc
from collections.abc import Callable

import torch

from elmo_tasks.bilm.lstm import LSTMState
from elmo_tasks.bilm.training.corpus import Batch

# There is room for so many times the distinct words of the first batch, in whole blocks.
_ROOM, _BLOCK = 1.25, 256

# torch asks for a few runs before a recording, on a stream of their own.
_RUNS_BEFORE = 3


class FixedPlaces:
    """
    Places on a device that hold one batch after the other, and the state before it: a recording reads these alone.

    Parameters
    ----------
    batch, state : the first ones; the batch on the CPU. They give the shapes, and the room for distinct words.
    device : where the places are.
    """

    def __init__(self, batch: Batch, state: LSTMState, device: torch.device) -> None:
        count, width = batch.character_ids.shape
        self.room = min(-(-int(count * _ROOM) // _BLOCK) * _BLOCK, batch.index.numel())
        # No index points behind a batch's own words, but what stands there is run through the encoder too.
        words = batch.character_ids[:1].expand(self.room, width).contiguous()
        self.batch = Batch(*(torch.empty_like(part, device=device) for part in (words, batch.index, batch.targets)))
        self.batch.character_ids.copy_(words)
        self.state = LSTMState(state.hidden.to(device, copy=True), state.cell.to(device, copy=True))
        self.put(batch, state)

    def holds(self, batch: Batch) -> bool:
        """Whether the batch has not too many distinct words."""
        return len(batch.character_ids) <= self.room

    def put(self, batch: Batch, state: LSTMState) -> None:
        """Copy them there; a GPU is not waited for."""
        pairs = [
            (self.batch.character_ids[: len(batch.character_ids)], batch.character_ids),
            (self.batch.index, batch.index),
            (self.batch.targets, batch.targets),
        ]
        for place, values in pairs:
            place.copy_(values.pin_memory() if place.is_cuda else values, non_blocking=True)
        self.state.hidden.copy_(state.hidden)
        self.state.cell.copy_(state.cell)


class RecordedStep:
    """
    Loss and gradients of a batch on a GPU, without starting every kernel anew.

    A step is some thousand short kernels, and to start one takes longer than many of them run. A batch of more distinct
    words than the recording has room for makes a new one. A recording keeps the memory that a step needs.

    Parameters
    ----------
    gradients : from a batch and the state before it to its loss and the state after it; leaves the gradients in the
        parameters. It must not wait for the GPU, and must need no other input.
    device : a GPU.
    """

    def __init__(
        self, gradients: Callable[[Batch, LSTMState], tuple[torch.Tensor, LSTMState]], device: torch.device
    ) -> None:
        self._gradients = gradients
        self._device = device
        self._places: FixedPlaces | None = None

    def __call__(self, batch: Batch, state: LSTMState) -> tuple[torch.Tensor, LSTMState]:
        """
        The loss, and the final state, which is good until the next call.

        Parameters
        ----------
        batch : on the CPU.
        state : on the GPU.
        """
        with torch.cuda.device(self._device):
            if self._places is None or not self._places.holds(batch):
                self._places = FixedPlaces(batch, state, self._device)
                self._record(self._places)
            else:
                self._places.put(batch, state)
            self._graph.replay()
            return self._loss.clone(), self._final

    def _record(self, places: FixedPlaces) -> None:
        # A recording that nobody needs any more, of another trainer too, gives its memory back.
        self._graph = torch.cuda.CUDAGraph()
        gc.collect()
        random = torch.cuda.get_rng_state(self._device)
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(_RUNS_BEFORE):
                self._gradients(places.batch, places.state)
        with torch.cuda.graph(self._graph, stream=aside):
            self._loss, self._final = self._gradients(places.batch, places.state)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        torch.cuda.set_rng_state(random, self._device)
