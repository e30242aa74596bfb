"""
Recurrent layers as one loop over packed time steps, whose gradient has every product over all steps outside the loop.

Sequences come *packed*: sorted by falling length, one time step after the other, and within a step only the rows that
still have a token. ``batch_sizes[t]`` is the number of such rows. What inputs add to the gates is computed by the
caller, for all steps at once; in the loop remain one product with the state's weights and the cell's own arithmetic.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from elmo_tasks.nn.cells import Cell


class Packing:
    """
    Where the tokens of padded sequences stand when packed.

    Parameters
    ----------
    mask
        bool ``(batch_size, num_tokens)``, true at tokens, which come first; a row may have none.

    Attributes
    ----------
    batch_sizes
        rows of each time step.
    places
        ``(num_packed,)``: for each packed place the flat position, ``row * num_tokens + t``, of its token.
    reversal
        ``(num_packed,)``: the packed place of the token that stands there if each sequence is read from its own end.
        Taken twice it leads back.
    """

    def __init__(self, mask: torch.Tensor) -> None:
        num_tokens = mask.size(1)
        lengths = mask.sum(dim=1)
        order = torch.argsort(lengths, descending=True, stable=True)
        lengths = lengths[order]
        # (num_tokens, batch_size): time steps first, so that what is true comes in packed order
        alive = torch.arange(num_tokens, device=mask.device).unsqueeze(1) < lengths
        time, rank = alive.nonzero(as_tuple=True)
        sizes = alive.sum(dim=1)
        self.batch_sizes: list[int] = [size for size in sizes.tolist() if size]
        self.places = order[rank] * num_tokens + time
        self.reversal = reversal(sizes)
        self._shape = mask.shape

    def pack(self, padded: torch.Tensor) -> torch.Tensor:
        """``(num_packed, dim)`` of ``(batch_size, num_tokens, dim)``."""
        return padded.flatten(0, 1).index_select(0, self.places)

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """``(batch_size, num_tokens, dim)`` of ``(num_packed, dim)``, zeros where there is no token."""
        flat = packed.new_zeros(self._shape.numel(), packed.size(1))
        return flat.index_copy(0, self.places, packed).unflatten(0, self._shape)


def reversal(sizes: torch.Tensor) -> torch.Tensor:
    """
    For each packed place, the place of the token that stands there if each sequence is read from its own end.

    Parameters
    ----------
    sizes
        ``(num_steps,)``: rows of each time step, not rising.

    Returns
    -------
    ``(num_packed,)``. Taken twice it leads back.
    """
    rows = torch.arange(int(sizes.max()) if len(sizes) else 0, device=sizes.device)
    # (num_steps, num_rows)
    alive = rows < sizes.unsqueeze(1)
    time, rank = alive.nonzero(as_tuple=True)
    lengths = alive.sum(dim=0)
    starts = sizes.cumsum(0) - sizes
    return starts[lengths[rank] - 1 - time] + rank


def run_packed(
    cell: Cell,
    input_gates: torch.Tensor,
    bypass: torch.Tensor | None,
    state_weight: torch.Tensor,
    dropout_mask: torch.Tensor | None,
    batch_sizes: Sequence[int],
    initial_cell: torch.Tensor | None = None,
) -> torch.Tensor:
    """
    Run a recurrent layer over packed sequences, from zero states unless a cell state is given.

    A hidden state to begin with needs no argument: what it adds to the first step's gates is input.

    Under ``torch.autocast`` the products alone are in its type.

    Parameters
    ----------
    cell
        the arithmetic of a step.
    input_gates
        ``(num_packed, num_gates * hidden_size)``: what inputs and biases add to the gates.
    bypass
        ``(num_packed, hidden_size)``, for a cell that has one.
    state_weight
        ``(hidden_size, num_gates * hidden_size)``.
    dropout_mask
        ``(batch_size, hidden_size)``, rows in packed order: what the hidden state is multiplied by before the state's
        weights, the same at every step (Gal and Ghahramani 2016).
    batch_sizes
        rows of each time step, not rising.
    initial_cell
        ``(batch_size, hidden_size)``, rows in packed order: the cell state before the first step.

    Returns
    -------
    Hidden states ``(num_packed, hidden_size)``.
    """
    device = input_gates.device.type
    lower = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    with torch.autocast(device, enabled=False):
        output: torch.Tensor = _Recurrence.apply(
            cell,
            input_gates,
            bypass,
            state_weight,
            dropout_mask,
            tuple(batch_sizes),
            lower or state_weight.dtype,
            initial_cell,
        )
    return output


class _Recurrence(torch.autograd.Function):
    """The loop, and its gradient. The slow loop that tests compare with is in the tests."""

    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        input_gates: torch.Tensor,
        bypass: torch.Tensor | None,
        state_weight: torch.Tensor,
        dropout_mask: torch.Tensor | None,
        batch_sizes: tuple[int, ...],
        product_type: torch.dtype,
        initial_cell: torch.Tensor | None,
    ) -> torch.Tensor:
        size = state_weight.size(0)
        gates = input_gates.to(state_weight.dtype, copy=True)
        if bypass is not None:
            bypass = bypass.to(gates.dtype)
        total = gates.size(0)
        output = gates.new_empty(total, size)
        cells_before = gates.new_empty(total, size)
        tanh_cells = gates.new_empty(total, size)
        current = gates.new_zeros(batch_sizes[0] if batch_sizes else 0, size)
        if initial_cell is not None:
            current.copy_(initial_cell)
        factor = state_weight.to(product_type)
        lower = product_type != gates.dtype
        start = 0
        previous: torch.Tensor | None = None
        for rows in batch_sizes:
            stop = start + rows
            step = gates[start:stop]
            if previous is not None:
                state = previous[:rows] if dropout_mask is None else previous[:rows] * dropout_mask[:rows]
                if lower:
                    step += state.to(product_type) @ factor
                else:
                    step.addmm_(state, factor)
            sigmoids, candidate = cell.parts(step)
            for block in sigmoids:
                block.sigmoid_()
            candidate.tanh_()
            active = current[:rows]
            cells_before[start:stop] = active
            hidden, tanh_cells[start:stop] = cell.step(
                step.split(size, dim=1), active, None if bypass is None else bypass[start:stop]
            )
            output[start:stop] = hidden
            previous = hidden
            start = stop
        ctx.save_for_backward(gates, bypass, output, cells_before, tanh_cells, state_weight, dropout_mask)
        ctx.cell, ctx.batch_sizes, ctx.product_type = cell, batch_sizes, product_type
        ctx.input_type = input_gates.dtype
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: torch.Tensor) -> Any:
        gates, bypass, output, cells_before, tanh_cells, state_weight, dropout_mask = ctx.saved_tensors
        batch_sizes: tuple[int, ...] = ctx.batch_sizes
        product_type: torch.dtype = ctx.product_type
        lower = product_type != gates.dtype
        size = state_weight.size(0)
        grad_gates = torch.empty_like(gates)
        grad_bypass = None if bypass is None else torch.empty_like(bypass)
        first = batch_sizes[0] if batch_sizes else 0
        grad_cell, grad_hidden = gates.new_zeros(first, size), gates.new_zeros(first, size)
        transposed = state_weight.to(product_type).t()
        stop = gates.size(0)
        for rows in reversed(batch_sizes):
            start = stop - rows
            here = grad_gates[start:stop]
            ctx.cell.gradient(
                grad_output[start:stop] + grad_hidden[:rows],
                gates[start:stop].split(size, dim=1),
                cells_before[start:stop],
                tanh_cells[start:stop],
                None if bypass is None else bypass[start:stop],
                grad_cell[:rows],
                here.split(size, dim=1),
                None if grad_bypass is None else grad_bypass[start:stop],
            )
            sigmoids, candidate = ctx.cell.parts(gates[start:stop])
            grad_sigmoids, grad_candidate = ctx.cell.parts(here)
            for grad_block, block in zip(grad_sigmoids, sigmoids, strict=True):
                grad_block.mul_(block - block * block)
            grad_candidate.mul_(1.0 - candidate * candidate)
            if start:
                if lower:
                    grad_hidden[:rows] = here.to(product_type) @ transposed
                else:
                    torch.mm(here, transposed, out=grad_hidden[:rows])
                if dropout_mask is not None:
                    grad_hidden[:rows] *= dropout_mask[:rows]
            stop = start
        grad_weight = None
        if ctx.needs_input_grad[3]:
            before, after = _consecutive(batch_sizes, gates.device)
            states = output.index_select(0, before)
            if dropout_mask is not None:
                states = states * dropout_mask.index_select(0, _row_of_each(batch_sizes, gates.device)[after])
            following = grad_gates[first:].to(product_type)
            grad_weight = (states.to(product_type).t() @ following).to(state_weight.dtype)
        # All rows begin at the first step, so that this is by now the gradient of the state before it.
        grad_initial = grad_cell if ctx.needs_input_grad[7] else None
        return None, grad_gates.to(ctx.input_type), grad_bypass, grad_weight, None, None, None, grad_initial


def _consecutive(batch_sizes: Sequence[int], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """For each packed place behind the first step: that of the same row one step before, and its own."""
    sizes = torch.tensor(batch_sizes, dtype=torch.long, device=device)
    after = torch.arange(int(sizes[0]) if len(sizes) else 0, int(sizes.sum()), device=device)
    return after - torch.repeat_interleave(sizes[:-1], sizes[1:]), after


def _row_of_each(batch_sizes: Sequence[int], device: torch.device) -> torch.Tensor:
    """The row of each packed place."""
    return torch.cat([torch.arange(rows, device=device) for rows in batch_sizes])
