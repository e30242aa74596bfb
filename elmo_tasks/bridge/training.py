"""Fixes of training: checkpoints and one learning rate scheduler."""

import inspect
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

logger = logging.getLogger(__name__)


@contextmanager
def weights_only_by_default(module: ModuleType) -> Iterator[None]:
    """
    What: `torch.load` reads tensors and plain values only, unless it is told otherwise, with torch before 2.6 too.

    Where: nn/util.py, nn/initializers.py and training/ call `torch.load(file)` on weights, archives and checkpoints.
    Why: before torch 2.6 that executed whatever code such a file carried. Set through torch's own environment
    variable; `TORCH_FORCE_WEIGHTS_ONLY_LOAD=0` keeps the old way.
    Until: torch 2.6 is the oldest that is supported.
    """
    import torch

    release = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if release < (2, 6):
        os.environ.setdefault("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    yield


@contextmanager
def numpy_scalars_in_states(module: ModuleType) -> Iterator[None]:
    """
    What: numpy's scalars count as plain values when a checkpoint is read.

    Where: training/checkpointer.py; the trainer's state holds the metrics so far.
    Why: a metric that returns `numpy.float64` is saved, but `--recover` then ends with `Weights only load failed ...
    Unsupported global: GLOBAL numpy._core.multiarray.scalar`. numpy's scalars and dtypes carry no code.
    Until: torch allows them itself.
    """
    yield
    import codecs

    import numpy as np
    import torch

    core = np._core if hasattr(np, "_core") else np.core
    kinds = ("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8")
    # A scalar's bytes are pickled as text that is encoded again; torch 2.4 does not allow that by itself.
    torch.serialization.add_safe_globals(
        [codecs.encode, core.multiarray.scalar, np.dtype, *(type(np.dtype(kind)) for kind in kinds)],
    )


@contextmanager
def plateau_without_verbose(module: ModuleType) -> Iterator[None]:
    """
    What: the scheduler "reduce_on_plateau" can be made.

    Where: training/learning_rate_schedulers/pytorch_lr_schedulers.py hands `verbose` on to torch.
    Why: torch has dropped that argument: `ReduceLROnPlateau.__init__() got an unexpected keyword argument`.
    Until: AllenNLP leaves it out.
    """
    yield
    from torch.optim.lr_scheduler import ReduceLROnPlateau

    if "verbose" in inspect.signature(ReduceLROnPlateau).parameters:
        return
    scheduler = module.ReduceOnPlateauLearningRateScheduler
    wrapper = scheduler.__mro__[2]

    def __init__(  # noqa: N807  (it becomes a method)
        self: Any,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        verbose: bool = False,
        threshold_mode: str = "rel",
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if verbose:
            logger.warning("reduce_on_plateau: this torch has no 'verbose' any more; the rates stand in the metrics")
        plateau = ReduceLROnPlateau(
            optimizer,
            mode=mode,  # type: ignore[arg-type]
            factor=factor,
            patience=patience,
            threshold=threshold,
            threshold_mode=threshold_mode,  # type: ignore[arg-type]
            cooldown=cooldown,
            min_lr=min_lr,
            eps=eps,
        )
        wrapper.__init__(self, plateau)

    scheduler.__init__ = __init__
