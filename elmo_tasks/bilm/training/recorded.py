"""A training step that is recorded once and replayed for every batch: a CUDA graph."""

from collections.abc import Callable

import torch

from elmo_tasks.bilm.lstm import LSTMState
from elmo_tasks.bilm.training.corpus import Batch, on_device

# A recording has room for so many times the words of its first batch, in whole blocks.
_ROOM, _BLOCK = 1.25, 256

# torch asks for a few runs before a recording, on a stream of their own.
_RUNS_BEFORE = 3


class RecordedStep:
    """
    Loss and gradients of a batch on a GPU, without starting every kernel anew.

    A step is some thousand short kernels, and to start one takes longer than many of them run. A recording has fixed
    places for what goes in and comes out, so each batch is copied to the same place; a batch of more distinct words
    than the recording has room for makes a new one.

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
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch, state: LSTMState) -> tuple[torch.Tensor, LSTMState]:
        """
        The loss, and the final state, which is good until the next call.

        Parameters
        ----------
        batch : on the CPU.
        state : on the GPU.
        """
        if self._graph is None or len(batch.character_ids) > len(self._batch.character_ids):
            self._record(batch, state)
        self._put(batch, state)
        assert self._graph is not None
        self._graph.replay()
        return self._loss.clone(), self._final

    def _put(self, batch: Batch, state: LSTMState) -> None:
        self._batch.character_ids[: len(batch.character_ids)].copy_(on_device(batch.character_ids, self._device))
        self._batch.index.copy_(on_device(batch.index, self._device))
        self._batch.targets.copy_(on_device(batch.targets, self._device))
        self._state.hidden.copy_(state.hidden)
        self._state.cell.copy_(state.cell)

    def _record(self, batch: Batch, state: LSTMState) -> None:
        count, width = batch.character_ids.shape
        room = -(-int(count * _ROOM) // _BLOCK) * _BLOCK
        # Whatever stands behind the batch's words is a word that occurs nowhere.
        words = batch.character_ids[:1].expand(room, width).contiguous()
        self._graph = None
        self._batch = Batch(words.to(self._device), batch.index.to(self._device), batch.targets.to(self._device))
        self._state = LSTMState(state.hidden.clone(), state.cell.clone())
        self._put(batch, state)
        random = torch.cuda.get_rng_state(self._device)
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(_RUNS_BEFORE):
                self._gradients(self._batch, self._state)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._loss, self._final = self._gradients(self._batch, self._state)
        torch.cuda.set_rng_state(random, self._device)
        self._graph = graph
