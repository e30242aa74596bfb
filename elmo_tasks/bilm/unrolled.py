"""
The recurrence of a biLM's LSTM layer for rows of one length, as in training on a GPU.

There a step's time is that of starting kernels, not of arithmetic, so each step is four of them: two products and, in
between, everything that is done element by element (`elmo_tasks.bilm.fused`). Nothing waits for the GPU, so that a
whole training step can be recorded and replayed. `elmo_tasks.bilm.lstm` has the recurrence of packed sequences, which
tests compare with.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from elmo_tasks.bilm.fused import fused


class UnrolledRecurrence(torch.autograd.Function):
    """
    The loop over time steps, and its gradient with the weights' gradients as one product over all steps.

    Takes and gives what the recurrence of packed sequences does, but for ``rows``, the number of rows of every step.
    """

    @staticmethod
    def forward(  # noqa: D102
        ctx: Any,
        input_gates: torch.Tensor,
        hidden: torch.Tensor,
        cell: torch.Tensor,
        state_weight: torch.Tensor,
        projection: torch.Tensor | None,
        rows: int,
        cell_clip: float | None,
        projection_clip: float | None,
        product_type: torch.dtype,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        device = input_gates.device.type
        advance, bounded = fused(_advance, device), fused(_bounded, device)
        factor = state_weight.to(product_type)
        projecting = None if projection is None else projection.to(product_type)
        before, cells, activated, squashed, outputs = [hidden.to(product_type)], [cell], [], [], []
        for gates in _by_step(input_gates, rows):
            recurrent = torch.bmm(before[-1], factor)
            activation, cell, product = advance(gates, recurrent, cell, cell_clip)
            activated.append(activation)
            cells.append(cell)
            squashed.append(product)
            projected = product if projecting is None else torch.bmm(product, projecting)
            output, lower = bounded(projected, projection_clip, hidden.dtype)
            outputs.append(output)
            before.append(lower)
        output = torch.cat(outputs, dim=1)
        ctx.save_for_backward(*activated, *cells, *squashed, *before[:-1], output, state_weight, projection)
        ctx.steps, ctx.rows, ctx.product_type = len(outputs), rows, product_type
        ctx.cell_clip, ctx.projection_clip = cell_clip, projection_clip
        return output, cell

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: torch.Tensor, grad_cell: torch.Tensor) -> Any:  # noqa: D102
        steps = ctx.steps
        *saved, output, state_weight, projection = ctx.saved_tensors
        activated, cells = saved[:steps], saved[steps : 2 * steps + 1]
        squashed, before = saved[2 * steps + 1 : 3 * steps + 1], saved[3 * steps + 1 :]
        device = output.device.type
        retreat, within = fused(_retreat, device), fused(_within, device)
        transposed_state = state_weight.to(ctx.product_type).transpose(1, 2)
        transposed_projection = None if projection is None else projection.to(ctx.product_type).transpose(1, 2)
        outputs, grads = _by_step(output, ctx.rows), _by_step(grad_output, ctx.rows)
        grad_hidden = torch.zeros_like(before[0])
        grad_gates, grad_projected = [], []
        for step in reversed(range(steps)):
            grad = within(grads[step], grad_hidden, outputs[step], ctx.projection_clip)
            grad_projected.append(grad)
            grad_squashed = grad if transposed_projection is None else torch.bmm(grad, transposed_projection)
            grad, grad_cell = retreat(
                activated[step], cells[step], cells[step + 1], grad_squashed, grad_cell, ctx.cell_clip
            )
            grad_gates.append(grad)
            grad_hidden = torch.bmm(grad, transposed_state)
        of_gates = torch.cat(grad_gates[::-1], dim=1)
        grad_state_weight = grad_projection = None
        if ctx.needs_input_grad[3]:
            product = torch.bmm(torch.cat(before, dim=1).transpose(1, 2), of_gates)
            grad_state_weight = product.to(state_weight.dtype)
        if projection is not None and ctx.needs_input_grad[4]:
            product = torch.bmm(torch.cat(squashed, dim=1).transpose(1, 2), torch.cat(grad_projected[::-1], dim=1))
            grad_projection = product.to(projection.dtype)
        state_type = grad_output.dtype
        return of_gates, grad_hidden.to(state_type), grad_cell, grad_state_weight, grad_projection, *(4 * [None])


def _by_step(packed: torch.Tensor, rows: int) -> tuple[torch.Tensor, ...]:
    """``(2, steps * rows, size)`` as a tensor ``(2, rows, size)`` a step."""
    return packed.split(rows, dim=1)


def _advance(
    gates: torch.Tensor, recurrent: torch.Tensor, cell: torch.Tensor, clip: float | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gates after their activations, the new cell state, and the projection's input, typed as products are."""
    total = gates.to(cell.dtype) + recurrent.to(cell.dtype)
    input_gate, forget_gate, output_gate, candidate = total.chunk(4, dim=2)
    input_gate, forget_gate, output_gate = input_gate.sigmoid(), forget_gate.sigmoid(), output_gate.sigmoid()
    candidate = candidate.tanh()
    after = cell * forget_gate + input_gate * candidate
    if clip is not None:
        after = after.clamp(-clip, clip)
    activated = torch.cat([input_gate, forget_gate, output_gate, candidate], dim=2)
    return activated, after, (after.tanh() * output_gate).to(recurrent.dtype)


def _bounded(projected: torch.Tensor, clip: float | None, state_type: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """The clipped output as a state is typed, and as products are."""
    output = projected.to(state_type)
    if clip is not None:
        output = output.clamp(-clip, clip)
    return output, output.to(projected.dtype)


def _within(
    grad_output: torch.Tensor, grad_hidden: torch.Tensor, output: torch.Tensor, clip: float | None
) -> torch.Tensor:
    """The gradient before the clip, typed as products are: a clipped value does not depend on what went into it."""
    grad = grad_output + grad_hidden.to(grad_output.dtype)
    if clip is not None:
        grad = torch.where(output.abs() < clip, grad, 0.0)
    return grad.to(grad_hidden.dtype)


def _retreat(
    activated: torch.Tensor,
    before: torch.Tensor,
    after: torch.Tensor,
    grad_squashed: torch.Tensor,
    grad_cell: torch.Tensor,
    clip: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of a step's gates, typed as products are, and of the cell state before it."""
    input_gate, forget_gate, output_gate, candidate = activated.chunk(4, dim=2)
    grad = grad_squashed.to(after.dtype)
    tanh_cell = after.tanh()
    grad_cell = grad_cell + grad * output_gate * (1.0 - tanh_cell * tanh_cell)
    if clip is not None:
        grad_cell = torch.where(after.abs() < clip, grad_cell, 0.0)
    grad_gates = torch.cat(
        [
            grad_cell * candidate * input_gate * (1.0 - input_gate),
            grad_cell * before * forget_gate * (1.0 - forget_gate),
            grad * tanh_cell * output_gate * (1.0 - output_gate),
            grad_cell * input_gate * (1.0 - candidate * candidate),
        ],
        dim=2,
    )
    return grad_gates.to(grad_squashed.dtype), grad_cell * forget_gate
