"""
The recurrent part of a biLM: LSTM layers with projection and clipped states, both directions at once
(docs/file-format.md).

Sequences come *packed*: sorted by falling length, one time step after the other, and within a step only the rows that
still have a token. ``batch_sizes[t]`` is the number of such rows. The backward direction reads each sequence from its
own end, so that both directions have the same ``batch_sizes`` and run as one.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from elmo_tasks.bilm.options import BiLMOptions
from elmo_tasks.bilm.unrolled import UnrolledRecurrence

NUM_DIRECTIONS = 2

# With so few rows a BLAS adds a product's terms one by one, which rounds a long sum several times as much as the blocks
# of a larger product. A single sentence would be further from the exact numbers than a batch: such sums begin from zero
# and, over the cells, are made in parts.
_FEW_ROWS = 3
_PARTS = 8

# Added to the forget gate's bias when it is used, never stored (TensorFlow's LSTMCell).
FORGET_BIAS = 1.0


class LSTMState:
    """
    State of all layers and directions.

    Parameters
    ----------
    hidden : ``(num_lstm_layers, 2, batch_size, projection_dim)``, the projected, clipped outputs.
    cell : ``(num_lstm_layers, 2, batch_size, cell_dim)``.
    """

    def __init__(self, hidden: torch.Tensor, cell: torch.Tensor) -> None:
        self.hidden = hidden
        self.cell = cell

    @classmethod
    def zeros(cls, options: BiLMOptions, batch_size: int, like: torch.Tensor) -> "LSTMState":
        """The state before the first token, on the device and of the type of ``like``."""
        shape = (options.num_lstm_layers, NUM_DIRECTIONS, batch_size)
        return cls(like.new_zeros(*shape, options.projection_dim), like.new_zeros(*shape, options.cell_dim))

    def rows(self, index: torch.Tensor) -> "LSTMState":
        """The state of the rows ``index`` of the batch, in that order."""
        return LSTMState(self.hidden.index_select(2, index), self.cell.index_select(2, index))

    def split(self, num_parts: int) -> "list[LSTMState]":
        """The state in parts of as many rows each."""
        pieces = (values.chunk(num_parts, dim=2) for values in (self.hidden, self.cell))
        return [LSTMState(hidden, cell) for hidden, cell in zip(*pieces, strict=True)]

    @classmethod
    def join(cls, parts: "Sequence[LSTMState]") -> "LSTMState":
        """The rows of all parts."""
        return cls(*(torch.cat([getattr(part, name) for part in parts], dim=2) for name in ("hidden", "cell")))

    def detach(self) -> "LSTMState":
        """The same values, without their history."""
        return LSTMState(self.hidden.detach(), self.cell.detach())


class ProjectedLSTMLayer(nn.Module):
    """
    One LSTM layer in both directions; each direction has its own weights.

    Gates stand in the order input, forget, output, candidate, so that the three sigmoids are one run of memory.
    """

    forget_bias: torch.Tensor

    def __init__(self, options: BiLMOptions) -> None:
        super().__init__()
        cells, size = options.cell_dim, options.projection_dim
        self.cell_clip = options.cell_clip
        self.projection_clip = options.projection_clip
        self.input_weight = nn.Parameter(torch.empty(NUM_DIRECTIONS, size, 4 * cells))
        self.state_weight = nn.Parameter(torch.empty(NUM_DIRECTIONS, size, 4 * cells))
        self.bias = nn.Parameter(torch.zeros(NUM_DIRECTIONS, 4 * cells))
        # The projection is left out where cell and output have one size, as in the weight files.
        self.projection = nn.Parameter(torch.empty(NUM_DIRECTIONS, cells, size)) if cells != size else None
        forget = torch.zeros(4 * cells)
        forget[cells : 2 * cells] = FORGET_BIAS
        self.register_buffer("forget_bias", forget, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot-uniform kernels over input and state together, zero biases (bilm-tf's TensorFlow defaults)."""
        size, gates = self.input_weight.shape[1:]
        bound = (6.0 / (2 * size + gates)) ** 0.5
        nn.init.uniform_(self.input_weight, -bound, bound)
        nn.init.uniform_(self.state_weight, -bound, bound)
        nn.init.zeros_(self.bias)
        if self.projection is not None:
            bound = (6.0 / sum(self.projection.shape[1:])) ** 0.5
            nn.init.uniform_(self.projection, -bound, bound)

    def input_gates(self, inputs: torch.Tensor) -> torch.Tensor:
        """
        What the inputs add to the gates of every step: ``(2, n, projection_dim)`` or, the same for both directions,
        ``(n, projection_dim)`` to ``(2, n, 4 * cell_dim)``.
        """
        bias = (self.bias + self.forget_bias).unsqueeze(1)
        if inputs.dim() == 2:
            inputs = inputs.expand(NUM_DIRECTIONS, -1, -1)
        if inputs.size(1) <= _FEW_ROWS:
            return torch.bmm(inputs, self.input_weight) + bias
        return torch.baddbmm(bias, inputs, self.input_weight)

    def forward(
        self,
        input_gates: torch.Tensor,
        hidden: torch.Tensor,
        cell: torch.Tensor,
        batch_sizes: Sequence[int],
        unrolled: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Run over packed sequences.

        Parameters
        ----------
        input_gates : ``(2, num_packed, 4 * cell_dim)`` from :meth:`input_gates`.
        hidden, cell : initial state, ``(2, batch_size, projection_dim)`` and ``(2, batch_size, cell_dim)``.
        batch_sizes : rows of each time step, not rising.
        unrolled : run them as :mod:`elmo_tasks.bilm.unrolled` does; all steps must have as many rows.

        Returns
        -------
        Outputs ``(2, num_packed, projection_dim)`` and each row's last cell state ``(2, batch_size, cell_dim)``.
        """
        device = input_gates.device.type
        # Under automatic mixed precision the products alone are in the lower precision; states and gates keep theirs.
        product_type = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else cell.dtype
        weights = (self.state_weight, self.projection)
        how = (self.cell_clip, self.projection_clip, product_type)
        with torch.autocast(device, enabled=False):
            if unrolled:
                return UnrolledRecurrence.apply(input_gates, hidden, cell, *weights, batch_sizes[0], *how)
            return _Recurrence.apply(input_gates, hidden, cell, *weights, tuple(batch_sizes), *how)


class BidirectionalLSTM(nn.Module):
    """The stack of :class:`ProjectedLSTMLayer`; layers from the second on may add their input to their output."""

    def __init__(self, options: BiLMOptions) -> None:
        super().__init__()
        self.options = options
        layers = [ProjectedLSTMLayer(options) for _ in range(options.num_lstm_layers)]
        self.layers: Sequence[ProjectedLSTMLayer] = nn.ModuleList(layers)  # type: ignore[assignment]

    def forward(
        self,
        first_gates: torch.Tensor,
        batch_sizes: Sequence[int],
        state: LSTMState,
        dropout: float = 0.0,
        unrolled: bool = False,
    ) -> tuple[list[torch.Tensor], LSTMState]:
        """
        Run all layers over packed sequences.

        Parameters
        ----------
        first_gates : input gates of the first layer, ``(2, num_packed, 4 * cell_dim)``.
        batch_sizes : rows of each time step.
        state : initial state, rows in the packed order.
        dropout : rate at the input of every layer but the first (whose input the caller has), in training only. The
            skip connection adds the dropped-out input, as in bilm-tf.
        unrolled : see :class:`ProjectedLSTMLayer`.

        Returns
        -------
        Each layer's outputs ``(2, num_packed, projection_dim)``, and the final state of each row.
        """
        last_index = None if _equal(batch_sizes) else _last_positions(batch_sizes, first_gates.device)
        outputs: list[torch.Tensor] = []
        last_hidden, last_cells = [], []
        for number, layer in enumerate(self.layers):
            if number == 0:
                inputs, gates = None, first_gates
            else:
                inputs = nn.functional.dropout(outputs[-1], dropout, self.training)
                gates = layer.input_gates(inputs)
            output, last_cell = layer(gates, state.hidden[number], state.cell[number], batch_sizes, unrolled)
            last = output[:, -batch_sizes[0] :] if last_index is None else output.index_select(1, last_index)
            last_hidden.append(last)
            last_cells.append(last_cell)
            if inputs is not None and self.options.use_skip_connections:
                output = output + inputs
            outputs.append(output)
        return outputs, LSTMState(torch.stack(last_hidden), torch.stack(last_cells))


def _equal(batch_sizes: Sequence[int]) -> bool:
    """Whether there are steps, all of as many rows."""
    return bool(batch_sizes) and 0 < batch_sizes[0] == batch_sizes[-1]


def _last_positions(batch_sizes: Sequence[int], device: torch.device) -> torch.Tensor:
    """Packed position of each row's last token: ``(batch_size,)``."""
    last = [0] * (batch_sizes[0] if batch_sizes else 0)
    start = 0
    for size in batch_sizes:
        last[:size] = range(start, start + size)
        start += size
    return torch.tensor(last, dtype=torch.long, device=device)


class _Recurrence(torch.autograd.Function):
    """
    The loop over time steps, and its gradient with the weights' gradients as one product over all steps.

    Only what depends on the step before is in the loop: one product with the state weights, the cell, one product with
    the projection. The slow loop that tests compare with is in the tests.
    """

    @staticmethod
    def forward(
        ctx: Any,
        input_gates: torch.Tensor,
        hidden: torch.Tensor,
        cell: torch.Tensor,
        state_weight: torch.Tensor,
        projection: torch.Tensor | None,
        batch_sizes: tuple[int, ...],
        cell_clip: float | None,
        projection_clip: float | None,
        product_type: torch.dtype | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        product_type = product_type or cell.dtype
        needs_gradient = any(ctx.needs_input_grad)
        cells = cell.size(2)
        # Under mixed precision they come in the lower one.
        gates = input_gates.to(cell.dtype, copy=True)
        total = gates.size(1)
        output = gates.new_empty(NUM_DIRECTIONS, total, hidden.size(2))
        # Cell states before each step and tanh of those after it: only the gradient needs them.
        cells_before = gates.new_empty(NUM_DIRECTIONS, total, cells) if needs_gradient else None
        tanh_cells = gates.new_empty(NUM_DIRECTIONS, total, cells) if needs_gradient else None
        current = cell.clone()
        previous = hidden
        lower = product_type != gates.dtype
        factor = state_weight.to(product_type)
        projecting = None if projection is None else projection.to(product_type)
        start = 0
        for size in batch_sizes:
            stop = start + size
            step = gates[:, start:stop]
            for direction in range(NUM_DIRECTIONS):
                if lower or size <= _FEW_ROWS:
                    step[direction] += previous[direction, :size].to(product_type) @ factor[direction]
                else:
                    step[direction].addmm_(previous[direction, :size], factor[direction])
            step[..., : 3 * cells].sigmoid_()
            step[..., 3 * cells :].tanh_()
            input_gate, forget_gate, output_gate, candidate = step.split(cells, dim=2)
            active = current[:, :size]
            if cells_before is not None:
                cells_before[:, start:stop] = active
            active.mul_(forget_gate).addcmul_(input_gate, candidate)
            if cell_clip is not None:
                active.clamp_(-cell_clip, cell_clip)
            squashed = torch.tanh(active)
            if tanh_cells is not None:
                tanh_cells[:, start:stop] = squashed
            squashed = squashed * output_gate
            previous = output[:, start:stop]
            _project(squashed.to(product_type), projecting, previous)
            if projection_clip is not None:
                previous.clamp_(-projection_clip, projection_clip)
            start = stop
        if needs_gradient:
            ctx.save_for_backward(gates, output, cells_before, tanh_cells, current, hidden, state_weight, projection)
            ctx.batch_sizes, ctx.cell_clip, ctx.projection_clip = batch_sizes, cell_clip, projection_clip
            ctx.product_type = product_type
        return output, current

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: torch.Tensor, grad_last_cell: torch.Tensor) -> Any:
        gates, output, cells_before, tanh_cells, last_cell, hidden, state_weight, projection = ctx.saved_tensors
        cells = cells_before.size(2)
        batch_sizes: tuple[int, ...] = ctx.batch_sizes
        # A clipped value does not depend on what went into it. Where no value reaches the bound there is no mask.
        unclipped_output = _inside(output, ctx.projection_clip)
        cell_after = _after_from_before(cells_before, last_cell, batch_sizes) if ctx.cell_clip is not None else None
        unclipped_cell = None if cell_after is None else _inside(cell_after, ctx.cell_clip)
        grad_gates = torch.empty_like(gates)
        grad_projected = torch.empty_like(output)
        grad_cell = grad_last_cell.clone()
        grad_hidden = torch.zeros_like(hidden)
        product_type: torch.dtype = ctx.product_type
        lower = product_type != gates.dtype
        transposed_state = state_weight.to(product_type).transpose(1, 2)
        transposed_projection = None if projection is None else projection.to(product_type).transpose(1, 2)
        stop = output.size(1)
        for size in reversed(batch_sizes):
            start = stop - size
            grad = grad_projected[:, start:stop]
            torch.add(grad_output[:, start:stop], grad_hidden[:, :size], out=grad)
            if unclipped_output is not None:
                grad.mul_(unclipped_output[:, start:stop])
            grad_squashed = grad
            if transposed_projection is not None:
                grad_squashed = torch.bmm(grad.to(product_type), transposed_projection).to(gates.dtype)
            input_gate, forget_gate, output_gate, candidate = gates[:, start:stop].split(cells, dim=2)
            tanh_cell = tanh_cells[:, start:stop]
            active = grad_cell[:, :size]
            active.addcmul_(grad_squashed * output_gate, 1.0 - tanh_cell * tanh_cell)
            if unclipped_cell is not None:
                active.mul_(unclipped_cell[:, start:stop])
            grad_input, grad_forget, grad_out, grad_candidate = grad_gates[:, start:stop].split(cells, dim=2)
            torch.mul(active, candidate, out=grad_input)
            torch.mul(active, cells_before[:, start:stop], out=grad_forget)
            torch.mul(grad_squashed, tanh_cell, out=grad_out)
            torch.mul(active, input_gate, out=grad_candidate)
            sigmoids = gates[:, start:stop, : 3 * cells]
            grad_gates[:, start:stop, : 3 * cells].mul_(sigmoids - sigmoids * sigmoids)
            grad_candidate.mul_(1.0 - candidate * candidate)
            active.mul_(forget_gate)
            for direction in range(NUM_DIRECTIONS):
                if lower:
                    product = grad_gates[direction, start:stop].to(product_type) @ transposed_state[direction]
                    grad_hidden[direction, :size] = product
                else:
                    torch.mm(
                        grad_gates[direction, start:stop],
                        transposed_state[direction],
                        out=grad_hidden[direction, :size],
                    )
            stop = start
        grad_state_weight = grad_projection = None
        # Both products that follow, here and with the input's weights, take it in that type.
        grad_gates = grad_gates.to(product_type)
        if ctx.needs_input_grad[3]:
            before = _before(output, hidden, batch_sizes)
            grad_state_weight = _product(before.transpose(1, 2), grad_gates, product_type)
        if projection is not None and ctx.needs_input_grad[4]:
            squashed = tanh_cells * gates[..., 2 * cells : 3 * cells]
            grad_projection = _product(squashed.transpose(1, 2), grad_projected, product_type)
        return grad_gates, grad_hidden, grad_cell, grad_state_weight, grad_projection, None, None, None, None


def _product(left: torch.Tensor, right: torch.Tensor, product_type: torch.dtype) -> torch.Tensor:
    """``torch.bmm`` computed in another type."""
    return torch.bmm(left.to(product_type), right.to(product_type)).to(left.dtype)


def _project(squashed: torch.Tensor, projection: torch.Tensor | None, out: torch.Tensor) -> None:
    """Put ``(2, num_rows, cell_dim)`` times ``(2, cell_dim, projection_dim)``, or itself without it, in ``out``."""
    if projection is None:
        out.copy_(squashed)
    elif squashed.dtype != out.dtype:
        out.copy_(torch.bmm(squashed, projection))
    elif squashed.size(1) > _FEW_ROWS:
        for direction in range(NUM_DIRECTIONS):
            torch.mm(squashed[direction], projection[direction], out=out[direction])
    else:
        rows, cells = squashed.shape[1:]
        parts = math.gcd(cells, _PARTS)
        # (2, num_rows, parts, cells / parts), then directions and parts together as a batch of products.
        pieces = squashed.view(NUM_DIRECTIONS, rows, parts, -1).transpose(1, 2).reshape(-1, rows, cells // parts)
        products = torch.bmm(pieces, projection.view(len(pieces), cells // parts, -1))
        torch.sum(products.view(NUM_DIRECTIONS, parts, rows, -1), dim=1, out=out)


def _inside(values: torch.Tensor, bound: float | None) -> torch.Tensor | None:
    if bound is None:
        return None
    magnitude = values.abs()
    return (magnitude < bound).to(values.dtype) if bool((magnitude >= bound).any()) else None


def _before(after: torch.Tensor, initial: torch.Tensor, batch_sizes: Sequence[int]) -> torch.Tensor:
    """The value before each packed step from those after it: the initial ones, then each row's step before."""
    if not batch_sizes:
        return after
    index = torch.arange(after.size(1), device=after.device)
    sizes = torch.tensor(batch_sizes, device=after.device)
    previous_size = torch.repeat_interleave(torch.cat([sizes[:1], sizes[:-1]]), sizes)
    shifted = index - previous_size
    first = batch_sizes[0]
    return torch.cat([initial[:, :first], after.index_select(1, shifted[first:])], dim=1)


def _after_from_before(before: torch.Tensor, last: torch.Tensor, batch_sizes: Sequence[int]) -> torch.Tensor:
    """The value after each packed step from those before it and each row's last."""
    after = torch.empty_like(before)
    start = 0
    for number, size in enumerate(batch_sizes):
        stop = start + size
        following = batch_sizes[number + 1] if number + 1 < len(batch_sizes) else 0
        after[:, start : start + following] = before[:, stop : stop + following]
        after[:, start + following : stop] = last[:, following:size]
        start = stop
    return after
