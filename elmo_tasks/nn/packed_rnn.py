"""``torch.nn.LSTM`` and ``torch.nn.GRU`` run by loops of our own."""

import torch
from torch.nn.functional import dropout, linear
from torch.nn.utils.rnn import PackedSequence

from elmo_tasks.nn.cells import LSTMCell
from elmo_tasks.nn.gru_recurrence import run_packed_gru
from elmo_tasks.nn.recurrence import reversal, run_packed


def run_rnn(rnn: torch.nn.LSTM | torch.nn.GRU, inputs: PackedSequence) -> PackedSequence:
    """
    What a ``torch.nn.LSTM`` or ``torch.nn.GRU`` gives for packed sequences, from zero states.

    Under ``torch.autocast`` the products alone are in its type: gates, states and sums over time steps keep the
    weights'. torch's own then round all of them, and add up the gradient of the state's weights in bfloat16, one time
    step after the other.

    Parameters
    ----------
    rnn
        its weights, number of layers and directions, and dropout between layers; without ``proj_size``.
    inputs
        sequences, ``data`` of shape ``(num_packed, input_size)``.

    Returns
    -------
    Hidden states of the last layer, ``data`` of shape ``(num_packed, num_directions * hidden_size)``.

    Raises
    ------
    ValueError
        for an LSTM with projections.
    """
    if rnn.proj_size:
        raise ValueError("an LSTM with projections (proj_size) cannot be run here")
    run = _run_lstm if isinstance(rnn, torch.nn.LSTM) else _run_gru
    sizes = inputs.batch_sizes.tolist()
    backward = reversal(inputs.batch_sizes.to(inputs.data.device)) if rnn.bidirectional else None
    data = inputs.data
    for layer in range(rnn.num_layers):
        if layer:
            data = dropout(data, rnn.dropout, rnn.training)
        device = data.device.type
        if torch.is_autocast_enabled(device):
            data = data.to(torch.get_autocast_dtype(device))  # once for both directions
        directions = [run(rnn, f"l{layer}", data, sizes, None)]
        if backward is not None:
            directions.append(run(rnn, f"l{layer}_reverse", data, sizes, backward))
        data = torch.cat(directions, dim=1)
    return inputs._replace(data=data)


# One layer in one direction, which reads the sequences in the packed `order`: (num_packed, hidden_size).


def _run_lstm(
    lstm: torch.nn.RNNBase, suffix: str, data: torch.Tensor, sizes: list[int], order: torch.Tensor | None
) -> torch.Tensor:
    gates = _ordered(linear(data, getattr(lstm, f"weight_ih_{suffix}")), order)
    if lstm.bias:
        gates = gates + (getattr(lstm, f"bias_ih_{suffix}") + getattr(lstm, f"bias_hh_{suffix}"))
    state_weight = getattr(lstm, f"weight_hh_{suffix}").t()
    return _ordered(run_packed(LSTMCell(), gates, None, state_weight, None, sizes), order)


def _run_gru(
    gru: torch.nn.RNNBase, suffix: str, data: torch.Tensor, sizes: list[int], order: torch.Tensor | None
) -> torch.Tensor:
    gates = _ordered(linear(data, getattr(gru, f"weight_ih_{suffix}")), order)
    state_bias = None
    if gru.bias:
        gates = gates + getattr(gru, f"bias_ih_{suffix}")
        state_bias = getattr(gru, f"bias_hh_{suffix}")
    return _ordered(run_packed_gru(gates, getattr(gru, f"weight_hh_{suffix}").t(), state_bias, sizes), order)


def _ordered(packed: torch.Tensor, order: torch.Tensor | None) -> torch.Tensor:
    return packed if order is None else packed.index_select(0, order)
