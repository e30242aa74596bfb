"""The bidirectional LSTM with coupled gates of Lee et al. (2017)."""

import torch
from allennlp.modules import Seq2SeqEncoder
from allennlp.nn.initializers import block_orthogonal
from overrides import overrides
from torch import nn

from elmo_tasks.nn.cells import CoupledCell
from elmo_tasks.nn.recurrence import Packing, run_packed


class CoupledLSTMLayer(nn.Module):
    """
    One direction (docs/coref.md)::

        [i o g] = W x_t + U (m h_(t-1)) + b
        c = (1 - sigm(i)) c' + sigm(i) tanh(g),   h = sigm(o) tanh(c)

    with m, the dropout of the state, drawn once a sequence, and learned states before the first step.

    Parameters
    ----------
    input_size, hidden_size
        of x and of h.
    recurrent_dropout
        rate of m.
    """

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.recurrent_dropout = recurrent_dropout
        self._cell = CoupledCell()
        num_gates = self._cell.num_gates
        self.input_weight = nn.Parameter(torch.empty(num_gates * hidden_size, input_size))
        self.state_weight = nn.Parameter(torch.empty(hidden_size, num_gates * hidden_size))
        self.bias = nn.Parameter(torch.empty(num_gates * hidden_size))
        self.initial_hidden = nn.Parameter(torch.empty(hidden_size))
        self.initial_cell = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Each gate's matrix of the state orthonormal, those of the input Glorot uniform; biases and states 0."""
        size = self.hidden_size
        with torch.no_grad():
            nn.init.xavier_uniform_(self.input_weight)
            block_orthogonal(self.state_weight, [size, size])
            for parameter in (self.bias, self.initial_hidden, self.initial_cell):
                parameter.zero_()

    def forward(self, inputs: torch.Tensor, batch_sizes: list[int]) -> torch.Tensor:
        """
        Run over packed sequences (:mod:`elmo_tasks.nn.recurrence`).

        Parameters
        ----------
        inputs
            ``(num_packed, input_size)``.
        batch_sizes
            rows of each time step.

        Returns
        -------
        ``(num_packed, hidden_size)``.
        """
        rows = batch_sizes[0] if batch_sizes else 0
        state = self.initial_hidden.expand(rows, self.hidden_size)
        mask = None
        if self.training and self.recurrent_dropout:
            mask = nn.functional.dropout(torch.ones_like(state), self.recurrent_dropout)
            state = state * mask
        gates = nn.functional.linear(inputs, self.input_weight, self.bias)
        first = gates[:rows] + state @ self.state_weight
        gates = torch.cat([first, gates[rows:]])
        cell = self.initial_cell.expand(rows, self.hidden_size)
        return run_packed(self._cell, gates, None, self.state_weight, mask, batch_sizes, cell)


@Seq2SeqEncoder.register("coupled_lstm")
class CoupledLSTM(Seq2SeqEncoder):
    """
    A :class:`CoupledLSTMLayer` in each direction, side by side.

    Parameters
    ----------
    input_size
        of what comes in.
    hidden_size
        of each direction.
    recurrent_dropout
        see :class:`CoupledLSTMLayer`.
    """

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self._sizes = input_size, 2 * hidden_size
        self.forwards = CoupledLSTMLayer(input_size, hidden_size, recurrent_dropout)
        self.backwards = CoupledLSTMLayer(input_size, hidden_size, recurrent_dropout)

    @overrides
    def get_input_dim(self) -> int:
        """``input_size``."""
        return self._sizes[0]

    @overrides
    def get_output_dim(self) -> int:
        """Twice ``hidden_size``."""
        return self._sizes[1]

    @overrides
    def is_bidirectional(self) -> bool:
        """Yes."""
        return True

    @overrides(check_signature=False)
    def forward(self, inputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Encode sequences.

        Parameters
        ----------
        inputs
            ``(batch_size, num_tokens, input_size)``.
        mask
            bool ``(batch_size, num_tokens)``, true at tokens, which come first.

        Returns
        -------
        ``(batch_size, num_tokens, 2 * hidden_size)``, zeros where there is no token.
        """
        packing = Packing(mask)
        packed = packing.pack(inputs)  # (num_packed, input_size)
        ahead = self.forwards(packed, packing.batch_sizes)
        back = self.backwards(packed.index_select(0, packing.reversal), packing.batch_sizes)
        return packing.unpack(torch.cat([ahead, back.index_select(0, packing.reversal)], dim=1))
