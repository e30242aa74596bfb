"""Batches that are made while the GPU is at work on others."""

import multiprocessing
import pickle
import queue
import signal
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from typing import Any

import numpy as np
import torch

from elmo_tasks.bilm.training.corpus import Batch, Batcher

_DEPTH = 4

# How often one who waits for a batch looks whether it can still come.
_SECONDS = 5.0

# No fork: the parent may have a GPU in use, and threads.
_CONTEXT = multiprocessing.get_context("spawn")


class Ahead:
    """
    Hands out a batcher's batches in their order, made by a process of its own, a few ahead.

    A process, because a thread would take turns with the one that starts the GPU's kernels, a few milliseconds each.

    Parameters
    ----------
    batcher : what makes them; nobody else may use it.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._process: SpawnProcess | None = None
        self._queue: Any = None
        self._state: bytes | None = None

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._process is None:
            self._begin()
        made = self._get()
        if isinstance(made, Exception):
            self.close()
            raise made
        (character_ids, index, targets), self._state = made
        return Batch(torch.from_numpy(character_ids).long(), torch.from_numpy(index), torch.from_numpy(targets))

    def state(self) -> dict[str, Any]:
        """Where the batcher stood when it had made the last batch that was handed out."""
        state: dict[str, Any] = self._batcher.state() if self._state is None else pickle.loads(self._state)
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`state` was taken."""
        self.close()
        self._batcher.restore(state)
        self._state = None

    def close(self) -> None:
        """End the process; the next batch asked for begins another."""
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._process = None

    def _begin(self) -> None:
        if self._state is not None:
            self._batcher.restore(self.state())
        self._queue = _CONTEXT.Queue(_DEPTH)
        self._process = _CONTEXT.Process(target=_work, args=(self._batcher, self._queue), name="batches", daemon=True)
        self._process.start()

    def _get(self) -> Any:
        assert self._process is not None
        while True:
            # Asked before the queue is: what it put there before its end still counts.
            alive = self._process.is_alive()
            try:
                return self._queue.get(timeout=_SECONDS)
            except queue.Empty:
                if not alive:
                    status = self._process.exitcode
                    return RuntimeError(f"the process that makes batches has ended with status {status}")


def _work(batcher: Batcher, batches: Any) -> None:
    # Ctrl-C is for the parent, who ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            batch = next(batcher)
        except Exception as error:  # is raised where the batch is asked for
            batches.put(error)
            return
        arrays = (batch.character_ids.numpy().astype(np.int16), batch.index.numpy(), batch.targets.numpy())
        batches.put((arrays, pickle.dumps(batcher.state())))
