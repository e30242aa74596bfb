"""The cells of recurrent layers: the arithmetic of a time step, forward and backward."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch


class Cell(ABC):
    """
    The arithmetic of one time step, forward and backward.

    Gates stand side by side, each ``hidden_size`` wide: those of a sigmoid, and among them the candidate of a tanh.

    Attributes
    ----------
    num_gates
        How many there are, the candidate included.
    candidate
        The candidate's place among them, from 0.
    """

    num_gates: int
    candidate: int

    def parts(self, gates: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Split ``(num_rows, num_gates * hidden_size)`` into the blocks of sigmoids and the candidate."""
        size = gates.size(1) // self.num_gates
        start, stop = self.candidate * size, (self.candidate + 1) * size
        sigmoids = [block for block in (gates[:, :start], gates[:, stop:]) if block.size(1)]
        return sigmoids, gates[:, start:stop]

    @abstractmethod
    def step(
        self, gates: Sequence[torch.Tensor], cell: torch.Tensor, bypass: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Change ``cell`` ``(num_rows, hidden_size)`` to the state after this step.

        Returns
        -------
        The hidden state and the tanh of the cell state, both as ``cell``.
        """

    @abstractmethod
    def gradient(
        self,
        grad_hidden: torch.Tensor,
        gates: Sequence[torch.Tensor],
        cell_before: torch.Tensor,
        tanh_cell: torch.Tensor,
        bypass: torch.Tensor | None,
        grad_cell: torch.Tensor,
        grad_gates: Sequence[torch.Tensor],
        grad_bypass: torch.Tensor | None,
    ) -> None:
        """Write the gradients of gates (behind their sigmoid or tanh) and bypass; change that of the cell state."""


class HighwayCell(Cell):
    """
    An LSTM cell with a highway connection past it (Zhang et al. 2016; He et al. 2017, section 2.2; docs/srl.md)::

        c = f c' + i g,   h = r (o tanh(c)) + (1 - r) p

    Gates: i, f, o, r, and g; the bypass is p.
    """

    num_gates = 5
    candidate = 4

    def step(
        self, gates: Sequence[torch.Tensor], cell: torch.Tensor, bypass: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`Cell`."""
        assert bypass is not None
        input_gate, forget_gate, output_gate, carry_gate, candidate = gates
        cell.mul_(forget_gate).addcmul_(input_gate, candidate)
        tanh_cell = torch.tanh(cell)
        return torch.lerp(bypass, output_gate * tanh_cell, carry_gate), tanh_cell

    def gradient(
        self,
        grad_hidden: torch.Tensor,
        gates: Sequence[torch.Tensor],
        cell_before: torch.Tensor,
        tanh_cell: torch.Tensor,
        bypass: torch.Tensor | None,
        grad_cell: torch.Tensor,
        grad_gates: Sequence[torch.Tensor],
        grad_bypass: torch.Tensor | None,
    ) -> None:
        """See :class:`Cell`."""
        assert bypass is not None
        assert grad_bypass is not None
        input_gate, forget_gate, output_gate, carry_gate, candidate = gates
        grad_input, grad_forget, grad_output, grad_carry, grad_candidate = grad_gates
        torch.mul(grad_hidden, output_gate * tanh_cell - bypass, out=grad_carry)
        through_cell = grad_hidden * carry_gate
        torch.sub(grad_hidden, through_cell, out=grad_bypass)
        torch.mul(through_cell, tanh_cell, out=grad_output)
        grad_cell.addcmul_(through_cell.mul_(output_gate), 1.0 - tanh_cell * tanh_cell)
        torch.mul(grad_cell, candidate, out=grad_input)
        torch.mul(grad_cell, cell_before, out=grad_forget)
        torch.mul(grad_cell, input_gate, out=grad_candidate)
        grad_cell.mul_(forget_gate)


class LSTMCell(Cell):
    """
    The cell of ``torch.nn.LSTM``::

        c = f c' + i g,   h = o tanh(c)

    Gates: i, f, g, and o.
    """

    num_gates = 4
    candidate = 2

    def step(
        self, gates: Sequence[torch.Tensor], cell: torch.Tensor, bypass: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`Cell`."""
        input_gate, forget_gate, candidate, output_gate = gates
        cell.mul_(forget_gate).addcmul_(input_gate, candidate)
        tanh_cell = torch.tanh(cell)
        return output_gate * tanh_cell, tanh_cell

    def gradient(
        self,
        grad_hidden: torch.Tensor,
        gates: Sequence[torch.Tensor],
        cell_before: torch.Tensor,
        tanh_cell: torch.Tensor,
        bypass: torch.Tensor | None,
        grad_cell: torch.Tensor,
        grad_gates: Sequence[torch.Tensor],
        grad_bypass: torch.Tensor | None,
    ) -> None:
        """See :class:`Cell`."""
        input_gate, forget_gate, candidate, output_gate = gates
        grad_input, grad_forget, grad_candidate, grad_output = grad_gates
        torch.mul(grad_hidden, tanh_cell, out=grad_output)
        grad_cell.addcmul_(grad_hidden * output_gate, 1.0 - tanh_cell * tanh_cell)
        torch.mul(grad_cell, candidate, out=grad_input)
        torch.mul(grad_cell, cell_before, out=grad_forget)
        torch.mul(grad_cell, input_gate, out=grad_candidate)
        grad_cell.mul_(forget_gate)


class CoupledCell(Cell):
    """
    An LSTM cell whose input gate closes the forget gate (Lee et al. 2017; docs/coref.md)::

        c = (1 - i) c' + i g,   h = o tanh(c)

    Gates: i, o, and g.
    """

    num_gates = 3
    candidate = 2

    def step(
        self, gates: Sequence[torch.Tensor], cell: torch.Tensor, bypass: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`Cell`."""
        input_gate, output_gate, candidate = gates
        cell.lerp_(candidate, input_gate)
        tanh_cell = torch.tanh(cell)
        return output_gate * tanh_cell, tanh_cell

    def gradient(
        self,
        grad_hidden: torch.Tensor,
        gates: Sequence[torch.Tensor],
        cell_before: torch.Tensor,
        tanh_cell: torch.Tensor,
        bypass: torch.Tensor | None,
        grad_cell: torch.Tensor,
        grad_gates: Sequence[torch.Tensor],
        grad_bypass: torch.Tensor | None,
    ) -> None:
        """See :class:`Cell`."""
        input_gate, output_gate, candidate = gates
        grad_input, grad_output, grad_candidate = grad_gates
        torch.mul(grad_hidden, tanh_cell, out=grad_output)
        grad_cell.addcmul_(grad_hidden * output_gate, 1.0 - tanh_cell * tanh_cell)
        torch.mul(grad_cell, candidate - cell_before, out=grad_input)
        torch.mul(grad_cell, input_gate, out=grad_candidate)
        grad_cell.mul_(1.0 - input_gate)
