"""``torch.nn.LSTM`` run by the loop of :mod:`elmo_tasks.nn.recurrence`."""

import torch
from torch.nn.functional import dropout, linear
from torch.nn.utils.rnn import PackedSequence

from elmo_tasks.nn.cells import LSTMCell
from elmo_tasks.nn.recurrence import reversal, run_packed


def run_lstm(lstm: torch.nn.LSTM, inputs: PackedSequence) -> PackedSequence:
    """
    What a ``torch.nn.LSTM`` gives for packed sequences, from zero states.

    Under ``torch.autocast`` the products alone are in its type: gates, states and sums over time steps keep the
    weights'. torch's own LSTM then rounds all of them, and adds up the gradient of the state's weights in bfloat16,
    one time step after the other.

    Parameters
    ----------
    lstm
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
    if lstm.proj_size:
        raise ValueError("an LSTM with projections (proj_size) cannot be run here")
    sizes = inputs.batch_sizes.tolist()
    backward = reversal(inputs.batch_sizes.to(inputs.data.device)) if lstm.bidirectional else None
    data = inputs.data
    for layer in range(lstm.num_layers):
        if layer:
            data = dropout(data, lstm.dropout, lstm.training)
        device = data.device.type
        if torch.is_autocast_enabled(device):
            data = data.to(torch.get_autocast_dtype(device))  # once for both directions
        directions = [_run_direction(lstm, f"l{layer}", data, sizes, None)]
        if backward is not None:
            directions.append(_run_direction(lstm, f"l{layer}_reverse", data, sizes, backward))
        data = torch.cat(directions, dim=1)
    return inputs._replace(data=data)


def _run_direction(
    lstm: torch.nn.LSTM, suffix: str, data: torch.Tensor, sizes: list[int], order: torch.Tensor | None
) -> torch.Tensor:
    """One layer in one direction, which reads the sequences in the packed ``order``: ``(num_packed, hidden_size)``."""
    gates = linear(data, getattr(lstm, f"weight_ih_{suffix}"))
    if order is not None:
        gates = gates.index_select(0, order)
    if lstm.bias:
        gates = gates + (getattr(lstm, f"bias_ih_{suffix}") + getattr(lstm, f"bias_hh_{suffix}"))
    state_weight = getattr(lstm, f"weight_hh_{suffix}").t()
    hidden = run_packed(LSTMCell(), gates, None, state_weight, None, sizes)
    return hidden if order is None else hidden.index_select(0, order)
