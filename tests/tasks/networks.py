"""What tests of the tasks' networks share: tensors of instances, padding, and an LSTM as a loop in numpy."""

from typing import Any

import numpy as np
import torch
from allennlp.data import Instance
from allennlp.data.batch import Batch
from allennlp.models import Model


def tensors_of(model: Model, instances: list[Instance]) -> dict[str, Any]:
    batch = Batch(instances)
    batch.index_instances(model.vocab)
    return batch.as_tensor_dict()


def logits_of(model: Model, instances: list[Instance]) -> np.ndarray:
    with torch.no_grad():
        return model(**tensors_of(model, instances))["logits"].numpy()


def without_gradient(model: Model, instances: list[Instance]) -> tuple[set[str], set[str]]:
    """The names of the parameters that a step without dropout does not move, and of those that are frozen."""
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model(**tensors_of(model, instances))["loss"].backward()
    still, frozen = set(), set()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            frozen.add(name)
        if parameter.grad is None or float(parameter.grad.abs().max()) < 1e-12:
            still.add(name)
    return still, frozen


def padded(tensors: dict[str, Any]) -> dict[str, Any]:
    """The same batch with three tokens of padding behind each of its texts."""

    def longer(text: dict[str, dict[str, torch.Tensor]]) -> dict[str, dict[str, torch.Tensor]]:
        return {
            indexer: {
                name: torch.cat([t, torch.zeros_like(t[:, :1]).repeat_interleave(3, 1)], 1) for name, t in inner.items()
            }
            for indexer, inner in text.items()
        }

    return {name: longer(value) if isinstance(value, dict) else value for name, value in tensors.items()}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def lstm_loop(weights: dict[str, np.ndarray], prefix: str, inputs: np.ndarray) -> np.ndarray:
    """(num_tokens, 2 * hidden) of a bidirectional LSTM with torch's parameter names."""
    halves = []
    for suffix, positions in (("", range(len(inputs))), ("_reverse", range(len(inputs) - 1, -1, -1))):
        w_in, w_rec = weights[f"{prefix}weight_ih_l0{suffix}"], weights[f"{prefix}weight_hh_l0{suffix}"]
        bias = weights[f"{prefix}bias_ih_l0{suffix}"] + weights[f"{prefix}bias_hh_l0{suffix}"]
        size = w_rec.shape[1]
        h, c, outputs = np.zeros(size), np.zeros(size), {}
        for position in positions:
            i, f, g, o = np.split(w_in @ inputs[position] + w_rec @ h + bias, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs[position] = h
        halves.append([outputs[position] for position in range(len(inputs))])
    return np.concatenate([np.array(half) for half in halves], axis=1)


def gru_loop(weights: dict[str, np.ndarray], prefix: str, inputs: np.ndarray) -> np.ndarray:
    """(num_tokens, 2 * hidden) of a bidirectional GRU with torch's parameter names."""
    halves = []
    for suffix, positions in (("", range(len(inputs))), ("_reverse", range(len(inputs) - 1, -1, -1))):
        w_in, w_rec = weights[f"{prefix}weight_ih_l0{suffix}"], weights[f"{prefix}weight_hh_l0{suffix}"]
        b_in, b_rec = weights[f"{prefix}bias_ih_l0{suffix}"], weights[f"{prefix}bias_hh_l0{suffix}"]
        h, outputs = np.zeros(w_rec.shape[1]), {}
        for position in positions:
            r_in, z_in, n_in = np.split(w_in @ inputs[position] + b_in, 3)
            r_rec, z_rec, n_rec = np.split(w_rec @ h + b_rec, 3)
            z = sigmoid(z_in + z_rec)
            h = (1 - z) * np.tanh(n_in + sigmoid(r_in + r_rec) * n_rec) + z * h
            outputs[position] = h
        halves.append([outputs[position] for position in range(len(inputs))])
    return np.concatenate([np.array(half) for half in halves], axis=1)
