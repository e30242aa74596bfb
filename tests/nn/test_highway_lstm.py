"""The alternating highway LSTM against a loop over its equations, and against AllenNLP's."""

import math

import numpy as np
import pytest
import torch
from allennlp.modules.stacked_alternating_lstm import StackedAlternatingLstm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elmo_tasks.nn.highway_lstm import AlternatingHighwayLSTM
from elmo_tasks.nn.recurrence import Packing

LENGTHS = [[5, 1, 3, 3, 7], [1], [1, 1, 1], [4, 4], [2, 0, 6, 0], [9, 2, 8, 1, 1, 4, 9]]


def encoder(num_layers: int = 3, **options) -> AlternatingHighwayLSTM:
    torch.manual_seed(6)
    made = AlternatingHighwayLSTM(4, 5, num_layers, **options).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return made


def batch(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    inputs = torch.randn(len(lengths), max(lengths) + 1, 4, generator=generator, dtype=torch.float64)
    mask = torch.arange(max(lengths) + 1) < torch.tensor(lengths).unsqueeze(1)
    return inputs, mask


def loop(made: AlternatingHighwayLSTM, inputs: torch.Tensor, mask: torch.Tensor, drops: list) -> torch.Tensor:
    """Sequence by sequence, layer by layer, token by token; its gradient is autograd's."""
    rows = []
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        xs = list(inputs[row, :length])
        for number, layer in enumerate(made.layers):
            if number % 2:
                xs = xs[::-1]
            size = layer.hidden_size
            h, c, outputs = torch.zeros(size).double(), torch.zeros(size).double(), []
            for x in xs:
                wx = layer.input_weight @ x + (0 if layer.input_bias is None else layer.input_bias)
                dropped = h if drops[number] is None else h * drops[number][row]
                i, f, o, r, g = (wx[: 5 * size] + dropped @ layer.state_weight + layer.bias).split(size)
                p = wx[5 * size :]
                c = torch.sigmoid(i) * torch.tanh(g) + torch.sigmoid(f) * c
                h = torch.sigmoid(r) * torch.sigmoid(o) * torch.tanh(c) + (1 - torch.sigmoid(r)) * p
                outputs.append(h)
            xs = outputs[::-1] if number % 2 else outputs
        padding = [torch.zeros(made.get_output_dim()).double()] * (mask.size(1) - length)
        rows.append(torch.stack([*xs, *padding]))
    return torch.stack(rows)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("input_bias", [True, False])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_values_and_gradients_equal_a_loop(
    lengths: list[int], input_bias: bool, dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = encoder(recurrent_dropout=dropout, input_bias=input_bias).train()
    inputs, mask = batch(lengths)
    order = torch.argsort(mask.sum(dim=1), descending=True, stable=True)
    drawn: list[torch.Tensor] = []
    plain = torch.nn.functional.dropout

    def drawing(ones: torch.Tensor, rate: float) -> torch.Tensor:
        drawn.append(plain(ones, rate))
        return drawn[-1]

    monkeypatch.setattr(torch.nn.functional, "dropout", drawing)
    results = []
    for run in (made, loop):
        given = inputs.clone().requires_grad_()
        made.zero_grad()
        if run is made:
            output = made(given, mask)
        else:
            # the masks drawn for rows in packed order, in the order of the batch; empty rows have none
            restored = [torch.zeros(len(lengths), 5).double() for _ in made.layers]
            for target, mask_of_layer in zip(restored, drawn, strict=False):
                target[order[: len(mask_of_layer)]] = mask_of_layer
            output = loop(made, given, mask, restored if dropout else [None] * 3)
        weights = torch.arange(1.0, output.numel() + 1).double().sin().view_as(output)
        (weights * output).sum().backward()
        results.append({"output": output.detach(), "inputs": given.grad, **dict(_gradients(made))})
    assert bool(drawn) == bool(dropout)
    for name, found in results[0].items():
        np.testing.assert_allclose(found, results[1][name], rtol=0, atol=1e-10, err_msg=name)
    assert float(results[0]["inputs"].abs().max()) > 1e-3
    assert not results[0]["output"][~mask].any()


def _gradients(made: torch.nn.Module):
    return ((name, parameter.grad.clone()) for name, parameter in made.named_parameters())


def test_the_dropout_mask_is_one_for_a_sequence_and_scaled() -> None:
    made = encoder(1, recurrent_dropout=0.4).train()
    with torch.no_grad():
        made.layers[0].input_weight.zero_()
        made.layers[0].state_weight.copy_(torch.eye(5).repeat(1, 5))
    seen = []
    original = made.layers[0]._cell.step
    made.layers[0]._cell.step = lambda gates, cell, bypass: (
        seen.append(gates[0].clone()),
        original(gates, cell, bypass),
    )[1]
    inputs, mask = batch([6, 6, 6])
    torch.manual_seed(1)
    output = made(inputs, mask)[:, :-1]
    # with unit state weights a gate's logit is its bias and the dropped-out state before
    logit = torch.stack([torch.logit(gate) for gate in seen], dim=1)[:, 1:]
    layer = made.layers[0]
    bias = layer.bias[:5] + layer.input_bias[:5]
    factors = ((logit - bias) / output[:, :-1]).detach().numpy()
    np.testing.assert_allclose(factors, np.repeat(factors[:, :1], 5, axis=1), atol=1e-8)
    assert set(np.round(factors.ravel(), 6)) == {0.0, round(1 / 0.6, 6)}


def test_evaluation_has_no_dropout() -> None:
    inputs, mask = batch(LENGTHS[0])
    with torch.no_grad():
        assert torch.equal(encoder(recurrent_dropout=0.4).eval()(inputs, mask), encoder().eval()(inputs, mask))


@pytest.mark.parametrize("input_bias", [True, False])
def test_it_computes_what_allennlp_does(input_bias: bool) -> None:
    made = encoder(4, input_bias=input_bias)
    stock = StackedAlternatingLstm(4, 5, 4, use_input_projection_bias=input_bias).double()
    blocks = [0, 1, 4, 2, 3]  # theirs are i f g o r
    for number, layer in enumerate(made.layers):
        cell = getattr(stock, f"layer_{number}").cell

        def reordered(values: torch.Tensor) -> torch.Tensor:
            parts = values.split(5)
            return torch.cat([*(parts[block] for block in blocks), *parts[5:]])

        with torch.no_grad():
            cell.input_linearity.weight.copy_(reordered(layer.input_weight))
            if input_bias:
                cell.input_linearity.bias.copy_(reordered(layer.input_bias))
            cell.state_linearity.weight.copy_(reordered(layer.state_weight.t()))
            cell.state_linearity.bias.copy_(reordered(layer.bias))
    lengths = [7, 5, 5, 2, 1]
    inputs, mask = batch(lengths)
    packed = pack_padded_sequence(inputs, lengths, batch_first=True)
    expected, _ = pad_packed_sequence(stock(packed)[0], batch_first=True, total_length=inputs.size(1))
    np.testing.assert_allclose(made(inputs, mask).detach(), expected.detach(), rtol=0, atol=1e-12)


def test_it_begins_orthonormal_with_an_open_forget_gate() -> None:
    torch.manual_seed(2)
    layer = AlternatingHighwayLSTM(7, 5, 1).layers[0]
    for block in layer.input_weight.split(5):
        torch.testing.assert_close(block @ block.t(), torch.eye(5))
    for block in layer.state_weight.split(5, dim=1):
        torch.testing.assert_close(block.t() @ block, torch.eye(5))
    assert layer.bias.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 15
    assert not layer.input_bias.any()


def test_autocast_rounds_the_products_alone() -> None:
    made = encoder().float()
    inputs, mask = batch(LENGTHS[0])
    exact = made(inputs.float(), mask)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = made(inputs.float(), mask)
    assert rounded.dtype is torch.float32
    error = float((rounded - exact).norm().detach() / exact.norm().detach())
    assert 1e-4 < error < 3e-2
    (rounded**2).sum().backward()
    assert all(parameter.grad.dtype is torch.float32 for parameter in made.parameters())


@pytest.mark.parametrize("lengths", LENGTHS)
def test_packed_places(lengths: list[int]) -> None:
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    packing = Packing(mask)
    rows = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    expected = [(row, t) for t in range(max(lengths)) for row in rows if t < lengths[row]]
    found = [divmod(place, max(lengths)) for place in packing.places.tolist()]
    assert found == expected
    assert [found[place] for place in packing.reversal.tolist()] == [(row, lengths[row] - 1 - t) for row, t in expected]
    assert packing.batch_sizes == [sum(length > t for length in lengths) for t in range(max(lengths))]
    assert math.prod(packing.places.shape) == sum(lengths)
