"""Functions of a few element-wise steps that run as one kernel on a GPU."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


@cache
def can_compile(device_type: str) -> bool:
    """
    Whether torch can write kernels for such a device: it tries.

    For a GPU it needs one that Triton knows, Triton itself, and a C compiler with Python's headers.
    """
    try:
        torch.compile(_probe)(torch.zeros(1, device=device_type))
    except Exception as error:  # what is missing decides which one
        reason = (str(error) or type(error).__name__).splitlines()[0]
        warnings.warn(f"kernels are not fused, so training on this device is slower: {reason}", stacklevel=2)
        return False
    return True


@cache
def fused(function: Callable[P, R], device_type: str) -> Callable[P, R]:
    """
    The function for tensors on such a device: on a GPU compiled, where that can be, otherwise as it is.

    It is compiled for each shape, so it is for shapes that come again and again.

    Parameters
    ----------
    function : of tensors, without side effects.
    device_type : ``torch.device.type`` of its arguments.
    """
    if device_type != "cuda" or not can_compile(device_type):
        return function
    return torch.compile(function, dynamic=False)


def _probe(values: torch.Tensor) -> torch.Tensor:
    return values.sigmoid() + 1.0
