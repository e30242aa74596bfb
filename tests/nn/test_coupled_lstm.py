"""The LSTM with coupled gates against a loop over its equations."""

import numpy as np
import pytest
import torch

from elmo_tasks.nn.coupled_lstm import CoupledLSTM

LENGTHS = [[5, 1, 3, 3, 7], [1], [4, 4], [2, 0, 6, 0], [9, 2, 8, 1, 1, 4, 9]]


def encoder(recurrent_dropout: float = 0.0) -> CoupledLSTM:
    torch.manual_seed(6)
    made = CoupledLSTM(4, 5, recurrent_dropout).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return made


def batch(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    inputs = torch.randn(len(lengths), max(lengths) + 1, 4, generator=generator, dtype=torch.float64)
    mask = torch.arange(max(lengths) + 1) < torch.tensor(lengths).unsqueeze(1)
    return inputs, mask


def loop(made: CoupledLSTM, inputs: torch.Tensor, mask: torch.Tensor, drops: list[torch.Tensor]) -> torch.Tensor:
    """Sequence by sequence, token by token; its gradient is autograd's."""
    rows = []
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        halves = []
        for layer, drop, step in zip((made.forwards, made.backwards), drops, (1, -1), strict=True):
            h, c, outputs = layer.initial_hidden, layer.initial_cell, []
            for x in list(inputs[row, :length])[::step]:
                i, o, g = (layer.input_weight @ x + (h * drop[row]) @ layer.state_weight + layer.bias).split(5)
                c = (1 - torch.sigmoid(i)) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                outputs.append(h)
            padding = [torch.zeros(5).double()] * (mask.size(1) - length)
            halves.append(torch.stack([*outputs[::step], *padding]))
        rows.append(torch.cat(halves, dim=1))
    return torch.stack(rows)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("lengths", LENGTHS)
def test_values_and_gradients_equal_a_loop(lengths: list[int], dropout: float, monkeypatch: pytest.MonkeyPatch) -> None:
    made = encoder(dropout).train()
    inputs, mask = batch(lengths)
    order = torch.argsort(mask.sum(dim=1), descending=True, stable=True)
    drawn: list[torch.Tensor] = []
    plain = torch.nn.functional.dropout

    def drawing(ones: torch.Tensor, rate: float) -> torch.Tensor:
        drawn.append(plain(ones, rate).detach())
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
            drops = [torch.ones(len(lengths), 5).double() for _ in range(2)]
            for target, mask_of_layer in zip(drops, drawn, strict=False):
                target[order[: len(mask_of_layer)]] = mask_of_layer
            output = loop(made, given, mask, drops)
        weights = torch.arange(1.0, output.numel() + 1).double().sin().view_as(output)
        (weights * output).sum().backward()
        gradients = {name: parameter.grad for name, parameter in made.named_parameters()}
        results.append({"output": output.detach(), "inputs": given.grad, **gradients})
    assert bool(drawn) == bool(dropout)
    for name, found in results[0].items():
        np.testing.assert_allclose(found, results[1][name], rtol=0, atol=1e-10, err_msg=name)
        assert float(found.abs().max()) > 1e-3
    assert not results[0]["output"][~mask].any()


def test_evaluation_has_no_dropout() -> None:
    inputs, mask = batch(LENGTHS[0])
    with torch.no_grad():
        assert torch.equal(encoder(0.4).eval()(inputs, mask), encoder().eval()(inputs, mask))


def test_it_begins_with_orthonormal_matrices_of_the_state() -> None:
    torch.manual_seed(2)
    layer = CoupledLSTM(7, 5).forwards
    for block in layer.state_weight.split(5, dim=1):
        torch.testing.assert_close(block.t() @ block, torch.eye(5))
    for parameter in (layer.bias, layer.initial_hidden, layer.initial_cell):
        assert not parameter.any()


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
