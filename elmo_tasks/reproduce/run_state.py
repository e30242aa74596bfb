"""
What a training run holds in memory outside of its weights: random generators, metric counts, carried encoder states.

AllenNLP's checkpoints leave all of it out, and without it a run that was killed goes on as another run. Everything
here is captured as tensors, numbers, strings, lists and dictionaries, so that it loads under ``weights_only``.
"""

import contextlib
import logging
import random
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from allennlp.data import Vocabulary
from allennlp.modules.encoder_base import _EncoderBase
from allennlp.training.metrics import Metric

from elmo_tasks.bilm.lstm import LSTMState
from elmo_tasks.bilm.model import BiLM

logger = logging.getLogger(__name__)

State = dict[str, Any]

# A metric may hold these, but they count nothing; walking through them would cost more than the rest of the checkpoint.
_NOT_COUNTS = (Vocabulary, torch.nn.Module, FunctionType, MethodType, ModuleType, type)


class _NotPlainError(Exception):
    """A value that is neither a number, a string, a tensor nor made of those."""


def capture_generators() -> State:
    """
    Return the state of every random generator a model or a reader may draw from: Python's, numpy's, torch's on the CPU
    and, once CUDA is in use, on each GPU.
    """
    version, internal, gauss = random.getstate()
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002  (AllenNLP seeds this one)
    assert isinstance(numpy_state, dict)
    in_use = torch.cuda.is_available() and torch.cuda.is_initialized()
    return {
        "python": {"version": version, "internal": torch.tensor(internal, dtype=torch.int64), "gauss": gauss},
        "numpy": {
            "key": torch.tensor(numpy_state["state"]["key"].astype(np.int64)),
            "position": int(numpy_state["state"]["pos"]),
            "has_gauss": int(numpy_state["has_gauss"]),
            "gauss": float(numpy_state["gauss"]),
        },
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state(device) for device in range(torch.cuda.device_count())] if in_use else [],
    }


def restore_generators(state: State) -> None:
    """Put every generator back into a captured state; GPUs that this machine lacks are left out."""
    python, numpy_state = state["python"], state["numpy"]
    random.setstate((python["version"], tuple(python["internal"].tolist()), python["gauss"]))
    np.random.set_state(  # noqa: NPY002
        (
            "MT19937",
            numpy_state["key"].numpy().astype(np.uint32),
            numpy_state["position"],
            numpy_state["has_gauss"],
            numpy_state["gauss"],
        )
    )
    torch.set_rng_state(state["torch"])
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for device, cuda_state in enumerate(state["cuda"][:available]):
        torch.cuda.set_rng_state(cuda_state, device)


def capture_metrics(model: torch.nn.Module) -> State:
    """
    Return the counts of every metric a model holds, by the place where it holds it.

    A metric's attributes are taken if they are plain (numbers, strings, tensors, arrays and containers of those) or
    objects made of plain attributes; others, such as a vocabulary, are its configuration and left out.
    """
    return {place: _encode_items(vars(metric), set()) for place, metric in _metrics(model)}


def restore_metrics(model: torch.nn.Module, state: State) -> None:
    """Give the metrics of a model that was built from the same configuration their captured counts."""
    for place, metric in _metrics(model):
        try:
            _fill(vars(metric), state.get(place, []))
        except _NotPlainError:
            logger.warning(
                "the counts of the metric at %s (%s) could not be restored, so that the training metrics of the epoch "
                "that was cut short cover its remaining batches only; weights and validation metrics are not affected",
                place,
                type(metric).__name__,
            )


def capture_carried(model: torch.nn.Module) -> State:
    """Return the states that stateful encoders (AllenNLP's, and a biLM that carries) keep from batch to batch."""
    carried: State = {}
    for name, module in model.named_modules():
        states: tuple[torch.Tensor, ...] | None = None
        if isinstance(module, BiLM):
            # A run that recovers has to see what the biLM's own users need not: BiLM only forgets it (reset_states).
            if module._carried is not None:
                states = (module._carried.hidden, module._carried.cell)
        elif isinstance(module, _EncoderBase) and module.stateful:
            states = module._states
        if states is not None:
            carried[name] = [tensor.detach().cpu() for tensor in states]
    return carried


def restore_carried(model: torch.nn.Module, state: State) -> None:
    """Give stateful encoders their captured states."""
    for name, module in model.named_modules():
        if name not in state:
            continue
        device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
        states = [tensor.to(device) for tensor in state[name]]
        if isinstance(module, BiLM):
            module._carried = LSTMState(*states)
        elif isinstance(module, _EncoderBase):
            module._states = tuple(states)


def without_numpy_scalars(value: Any) -> Any:
    """Return a copy of nested dictionaries, lists and tuples in which numpy's numbers are Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {without_numpy_scalars(key): without_numpy_scalars(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(without_numpy_scalars(item) for item in value)
    return value


def _metrics(model: torch.nn.Module) -> Iterator[tuple[str, Metric]]:
    for module_name, module in model.named_modules():
        for attribute, value in vars(module).items():
            if attribute not in ("_modules", "_parameters", "_buffers"):
                yield from _metrics_within(f"{module_name}.{attribute}", value)


def _metrics_within(place: str, value: Any) -> Iterator[tuple[str, Metric]]:
    if isinstance(value, Metric):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _metrics_within(f"{place}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _metrics_within(f"{place}.{index}", item)


def _encode(value: Any, above: set[int]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if id(value) in above or isinstance(value, _NOT_COUNTS):
        raise _NotPlainError
    above = above | {id(value)}
    if isinstance(value, torch.Tensor):
        return {"kind": "tensor", "value": value.detach().cpu().clone(), "on_gpu": value.is_cuda}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {"kind": "array", "value": torch.tensor(value)}
    if isinstance(value, dict):
        return {"kind": "dict", "value": _encode_items(value, above)}
    if type(value) in (list, tuple, set):
        return {"kind": type(value).__name__, "value": [_encode(item, above) for item in value]}
    if hasattr(value, "__dict__"):
        return {"kind": "object", "value": _encode_items(vars(value), above)}
    raise _NotPlainError


def _encode_items(mapping: dict[Any, Any], above: set[int]) -> list[list[Any]]:
    items = []
    for key, item in mapping.items():
        with contextlib.suppress(_NotPlainError):
            items.append([_encode(key, above), _encode(item, above)])
    return items


def _decode(state: Any, like: Any) -> Any:
    """Build a value again; dictionaries and objects that stand in its place already are filled and keep their type."""
    if not isinstance(state, dict):
        return state
    kind, value = state["kind"], state["value"]
    if kind == "tensor":
        return value.cuda() if state["on_gpu"] and torch.cuda.is_available() else value
    if kind == "array":
        return value.numpy()
    if kind == "dict":
        return _fill(like if isinstance(like, dict) else {}, value)
    if kind == "object":
        if not hasattr(like, "__dict__"):
            raise _NotPlainError
        _fill(vars(like), value)
        return like
    likes = like if isinstance(like, (list, tuple)) and len(like) == len(value) else [None] * len(value)
    items = [_decode(item, item_like) for item, item_like in zip(value, likes, strict=False)]
    return {"list": list, "tuple": tuple, "set": set}[kind](items)


def _fill(mapping: dict[Any, Any], items: list[list[Any]]) -> dict[Any, Any]:
    for encoded_key, encoded_item in items:
        key = _decode(encoded_key, like=None)
        # A defaultdict makes the right kind of container for a key that is not there yet.
        made_here = key in mapping or getattr(mapping, "default_factory", None) is not None
        mapping[key] = _decode(encoded_item, like=mapping[key] if made_here else None)
    return mapping
