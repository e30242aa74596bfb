"""A gated recurrent unit as one loop over packed time steps, as :mod:`elmo_tasks.nn.recurrence` runs LSTM cells."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable


def run_packed_gru(
    input_gates: torch.Tensor,
    state_weight: torch.Tensor,
    state_bias: torch.Tensor | None,
    batch_sizes: Sequence[int],
) -> torch.Tensor:
    """
    Run a GRU layer over packed sequences, from zero states (the unit of ``torch.nn.GRU``)::

        [r z] = sigm(x + s),   n = tanh(x_n + r s_n),   h = (1 - z) n + z h'

    with x what the inputs add to r, z and n, and s = U h' + b. A GRU is no :class:`elmo_tasks.nn.cells.Cell`: its
    reset gate stands between the state's product and the candidate, and its state is what it hands on.

    Under ``torch.autocast`` the products alone are in its type.

    Parameters
    ----------
    input_gates
        x, ``(num_packed, 3 * hidden_size)``.
    state_weight
        U, ``(hidden_size, 3 * hidden_size)``.
    state_bias
        b, ``(3 * hidden_size,)``, or None.
    batch_sizes
        rows of each time step, not rising.

    Returns
    -------
    Hidden states ``(num_packed, hidden_size)``.
    """
    device = input_gates.device.type
    lower = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    with torch.autocast(device, enabled=False):
        output: torch.Tensor = _GRURecurrence.apply(
            input_gates, state_weight, state_bias, tuple(batch_sizes), lower or state_weight.dtype
        )
    return output


class _GRURecurrence(torch.autograd.Function):
    """The loop, and its gradient with the products over all steps outside the loop."""

    @staticmethod
    def forward(
        ctx: Any,
        input_gates: torch.Tensor,
        state_weight: torch.Tensor,
        state_bias: torch.Tensor | None,
        batch_sizes: tuple[int, ...],
        product_type: torch.dtype,
    ) -> torch.Tensor:
        size = state_weight.size(0)
        gates = input_gates.to(state_weight.dtype, copy=True)
        output, before, state_part = (gates.new_empty(gates.size(0), size) for _ in range(3))
        hidden = gates.new_zeros(batch_sizes[0] if batch_sizes else 0, size)
        factor = state_weight.to(product_type)
        start = 0
        for rows in batch_sizes:
            stop = start + rows
            hidden = hidden[:rows]
            before[start:stop] = hidden
            product = (hidden.to(product_type) @ factor).to(gates.dtype)
            if state_bias is not None:
                product += state_bias
            step = gates[start:stop]
            step[:, : 2 * size] += product[:, : 2 * size]
            step[:, : 2 * size].sigmoid_()
            reset, update, candidate = step.split(size, dim=1)
            state_part[start:stop] = product[:, 2 * size :]
            candidate.addcmul_(reset, product[:, 2 * size :]).tanh_()
            hidden = torch.lerp(candidate, hidden, update)
            output[start:stop] = hidden
            start = stop
        ctx.save_for_backward(gates, before, state_part, state_weight)
        ctx.batch_sizes, ctx.product_type, ctx.input_type = batch_sizes, product_type, input_gates.dtype
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: torch.Tensor) -> Any:
        gates, before, state_part, state_weight = ctx.saved_tensors
        size = state_weight.size(0)
        # of x, and of s
        grad_gates, grad_product = torch.empty_like(gates), torch.empty_like(gates)
        grad_hidden = gates.new_zeros(ctx.batch_sizes[0] if ctx.batch_sizes else 0, size)
        transposed = state_weight.to(ctx.product_type).t()
        # the slopes of all sigmoids and tanhs at once
        slopes = torch.cat(
            [gates[:, : 2 * size] * (1.0 - gates[:, : 2 * size]), 1.0 - gates[:, 2 * size :] ** 2], dim=1
        )
        stop = gates.size(0)
        for rows in reversed(ctx.batch_sizes):
            start = stop - rows
            reset, update, candidate = gates[start:stop].split(size, dim=1)
            here = grad_gates[start:stop]
            grad_reset, grad_update, grad_candidate = here.split(size, dim=1)
            grad = grad_output[start:stop] + grad_hidden[:rows]
            kept = grad * update
            torch.mul(grad, before[start:stop] - candidate, out=grad_update)
            torch.sub(grad, kept, out=grad_candidate)
            grad_candidate *= slopes[start:stop, 2 * size :]
            torch.mul(grad_candidate, state_part[start:stop], out=grad_reset)
            here[:, : 2 * size] *= slopes[start:stop, : 2 * size]
            of_product = grad_product[start:stop]
            of_product[:, : 2 * size] = here[:, : 2 * size]
            torch.mul(grad_candidate, reset, out=of_product[:, 2 * size :])
            grad_hidden[:rows] = kept + (of_product.to(ctx.product_type) @ transposed)
            stop = start
        grad_weight = None
        if ctx.needs_input_grad[1]:
            states = before.to(ctx.product_type).t()
            grad_weight = (states @ grad_product.to(ctx.product_type)).to(state_weight.dtype)
        grad_bias = grad_product.sum(dim=0) if ctx.needs_input_grad[2] else None
        return grad_gates.to(ctx.input_type), grad_weight, grad_bias, None, None
