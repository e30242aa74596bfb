"""Gradients of weights of which a step touches few rows."""

from collections.abc import Iterable

import torch


def opt_out_of_sparse_checks() -> None:
    """Say outright what is torch's default, which warns once if nobody does: sparse gradients are not re-checked."""
    if not torch.sparse.check_sparse_tensor_invariants.is_enabled():
        torch.sparse.check_sparse_tensor_invariants.disable()


def clip_gradients(parameters: Iterable[torch.nn.Parameter], max_norm: float) -> torch.Tensor | None:
    """Scale all gradients, sparse ones too, so that their common norm is at most ``max_norm``; 0 does nothing."""
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None:
            if parameter.grad.is_sparse:
                # The rows of one word are summed before they count, as in bilm-tf.
                parameter.grad = parameter.grad.coalesce()
                gradients.append(parameter.grad.values())
            else:
                gradients.append(parameter.grad)
    if not max_norm or not gradients:
        return None
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    scale = (max_norm / norm).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)
    return norm
