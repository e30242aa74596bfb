"""The alternating highway LSTM of He et al. (2017)."""

import torch
from allennlp.modules import Seq2SeqEncoder
from allennlp.nn.initializers import block_orthogonal
from overrides import overrides
from torch import nn

from elmo_tasks.nn.cells import HighwayCell
from elmo_tasks.nn.recurrence import Packing, run_packed

# What the forget gate's bias begins with (Jozefowicz et al. 2015).
FORGET_BIAS = 1.0


class HighwayLSTMLayer(nn.Module):
    """
    One layer in one direction (docs/srl.md)::

        [i f o r g] = W x_t + U (m h_(t-1)) + b,   p = W_p x_t
        c = sigm(i) tanh(g) + sigm(f) c',   h = sigm(r) sigm(o) tanh(c) + (1 - sigm(r)) p

    with m, the variational dropout of the state, drawn once a sequence.

    Parameters
    ----------
    input_size, hidden_size
        of x and of h.
    recurrent_dropout
        rate of m.
    input_bias
        whether the product with x has a bias of its own, also on p. There is always one on the gates.
    """

    def __init__(
        self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0, input_bias: bool = True
    ) -> None:
        super().__init__()
        self.recurrent_dropout = recurrent_dropout
        self._cell = HighwayCell()
        num_gates = self._cell.num_gates
        # The gates, and behind them p.
        self.input_weight = nn.Parameter(torch.empty((num_gates + 1) * hidden_size, input_size))
        self.input_bias = nn.Parameter(torch.empty((num_gates + 1) * hidden_size)) if input_bias else None
        self.state_weight = nn.Parameter(torch.empty(hidden_size, num_gates * hidden_size))
        self.bias = nn.Parameter(torch.empty(num_gates * hidden_size))
        self.hidden_size = hidden_size
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Each gate's matrices orthonormal, biases 0, the forget gate's 1."""
        size = self.hidden_size
        with torch.no_grad():
            block_orthogonal(self.input_weight, [size, self.input_weight.size(1)])
            block_orthogonal(self.state_weight, [size, size])
            self.bias.zero_()
            self.bias[size : 2 * size] = FORGET_BIAS
            if self.input_bias is not None:
                self.input_bias.zero_()

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
        projected = nn.functional.linear(inputs, self.input_weight, self.input_bias)
        gates, bypass = projected.split([self.bias.numel(), self.hidden_size], dim=1)
        mask = None
        if self.training and self.recurrent_dropout:
            ones = self.bias.new_ones(batch_sizes[0], self.hidden_size)
            mask = nn.functional.dropout(ones, self.recurrent_dropout)
        return run_packed(self._cell, gates + self.bias, bypass, self.state_weight, mask, batch_sizes)


@Seq2SeqEncoder.register("alternating_highway_lstm")
class AlternatingHighwayLSTM(Seq2SeqEncoder):
    """
    A stack of :class:`HighwayLSTMLayer` in turns from left to right and from right to left, each on the one before.

    It computes what AllenNLP's ``alternating_lstm`` does, faster (docs/benchmarks.md).

    Parameters
    ----------
    input_size, hidden_size
        of what comes in and goes out.
    num_layers
        how many layers; the first goes from left to right.
    recurrent_dropout, input_bias
        see :class:`HighwayLSTMLayer`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        recurrent_dropout: float = 0.0,
        input_bias: bool = True,
    ) -> None:
        super().__init__()
        self._sizes = input_size, hidden_size
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            HighwayLSTMLayer(size, hidden_size, recurrent_dropout, input_bias) for size in sizes
        )

    @overrides
    def get_input_dim(self) -> int:
        """``input_size``."""
        return self._sizes[0]

    @overrides
    def get_output_dim(self) -> int:
        """``hidden_size``."""
        return self._sizes[1]

    @overrides
    def is_bidirectional(self) -> bool:
        """No: a layer has one direction."""
        return False

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
        ``(batch_size, num_tokens, hidden_size)``, zeros where there is no token.
        """
        packing = Packing(mask)
        # (num_packed, size of the layer), as read from the left
        packed = packing.pack(inputs)
        for number, layer in enumerate(self.layers):
            if number % 2 == 0:
                packed = layer(packed, packing.batch_sizes)
            else:
                reversed_ = layer(packed.index_select(0, packing.reversal), packing.batch_sizes)
                packed = reversed_.index_select(0, packing.reversal)
        return packing.unpack(packed)
