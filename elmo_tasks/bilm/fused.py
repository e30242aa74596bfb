"""Functions of a few element-wise steps that run as one kernel on a GPU."""

import shutil
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


@cache
def _can_compile() -> bool:
    """Whether torch can write kernels for the GPU: it needs Triton, and Triton a C compiler."""
    return find_spec("triton") is not None and any(shutil.which(name) for name in ("cc", "gcc", "clang"))


@cache
def fused(function: Callable[P, R], device_type: str) -> Callable[P, R]:
    """
    The function for tensors on such a device: on a GPU compiled, where that can be, otherwise as it is.

    Parameters
    ----------
    function : of tensors, without side effects.
    device_type : ``torch.device.type`` of its arguments.
    """
    if device_type != "cuda" or not _can_compile():
        return function
    return torch.compile(function, dynamic=False)
