"""Batches that are made while the GPU is at work on others."""

import queue
import threading
from collections.abc import Iterator
from typing import Any

from elmo_tasks.bilm.training.corpus import Batch, Batcher

_DEPTH = 3

# How often a thread that waits for room looks whether anybody still wants its batches.
_SECONDS = 0.1


class Ahead:
    """
    Hands out a batcher's batches in their order, made by a thread of its own, a few ahead.

    Parameters
    ----------
    batcher : what makes them; nobody else may use it.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._queue: queue.Queue[tuple[Batch, dict[str, Any]] | BaseException] = queue.Queue(_DEPTH)
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._state: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self._thread is None:
            if self._state is not None:
                self._batcher.restore(self._state)
            self._ended.clear()
            self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
            self._thread.start()
        made = self._queue.get()
        if isinstance(made, BaseException):
            self.close()
            raise made
        batch, self._state = made
        return batch

    def state(self) -> dict[str, Any]:
        """Where the batcher stood when it had made the last batch that was handed out."""
        return self._batcher.state() if self._state is None else self._state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`state` was taken."""
        self.close()
        self._state = state

    def close(self) -> None:
        """End the thread; the next batch asked for begins another."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread, self._queue = None, queue.Queue(_DEPTH)

    def _work(self) -> None:
        made: tuple[Batch, dict[str, Any]] | BaseException
        while not isinstance(made := self._next(), BaseException):
            if not self._put(made):
                return
        self._put(made)

    def _next(self) -> tuple[Batch, dict[str, Any]] | BaseException:
        try:
            return next(self._batcher), self._batcher.state()
        except BaseException as error:  # is raised where the batch is asked for
            return error

    def _put(self, made: tuple[Batch, dict[str, Any]] | BaseException) -> bool:
        """Whether somebody wanted it."""
        while not self._ended.is_set():
            try:
                self._queue.put(made, timeout=_SECONDS)
                return True
            except queue.Full:
                continue
        return False
