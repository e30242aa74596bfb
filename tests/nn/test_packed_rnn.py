"""``torch.nn.LSTM`` and ``torch.nn.GRU`` run by our loops against torch's own run."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from elmo_tasks.nn.packed_rnn import run_rnn

LENGTHS = ([7, 5, 5, 1], [3, 3, 3], [1], [9, 1])


def gradients(
    run: Callable[[PackedSequence], PackedSequence], rnn: torch.nn.RNNBase, lengths: list[int]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    dtype = next(rnn.parameters()).dtype
    drawn = torch.randn(len(lengths), lengths[0], rnn.input_size, dtype=torch.float64)
    inputs = drawn.to(dtype).requires_grad_()
    rnn.zero_grad()
    output = run(pack_padded_sequence(inputs, torch.tensor(lengths), batch_first=True))
    (output.data.double() * torch.randn(output.data.shape, dtype=torch.float64)).sum().backward()
    assert inputs.grad is not None
    found = {name: parameter.grad for name, parameter in rnn.named_parameters()}
    return output.data, {"inputs": inputs.grad, **found}  # type: ignore[dict-item]


def torchs(rnn: torch.nn.RNNBase) -> Callable[[PackedSequence], PackedSequence]:
    return lambda packed: rnn(packed)[0]


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("settings", [{}, {"num_layers": 2}, {"bidirectional": False}, {"bias": False}])
def test_values_and_gradients(kind: Any, lengths: list[int], settings: dict[str, Any]) -> None:
    torch.manual_seed(5)
    rnn = kind(6, 8, **{"bidirectional": True, "batch_first": True, **settings}).double()
    expected, expected_gradients = gradients(torchs(rnn), rnn, lengths)
    found, found_gradients = gradients(lambda packed: run_rnn(rnn, packed), rnn, lengths)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert found_gradients.keys() == expected_gradients.keys()
    for name, gradient in found_gradients.items():
        torch.testing.assert_close(gradient, expected_gradients[name], rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU])
def test_bfloat16_is_nearer_the_exact_result_than_torchs(kind: Any) -> None:
    torch.manual_seed(5)
    rnn = kind(40, 30, bidirectional=True)
    exact = kind(40, 30, bidirectional=True).double()
    exact.load_state_dict(rnn.state_dict())
    lengths = [30, 28, 20, 11]

    def lower(run: Callable[[PackedSequence], PackedSequence]) -> Callable[[PackedSequence], PackedSequence]:
        def under_autocast(packed: PackedSequence) -> PackedSequence:
            with torch.autocast("cpu", torch.bfloat16):
                return run(packed)

        return under_autocast

    _, truth = gradients(torchs(exact), exact, lengths)
    _, ours = gradients(lower(lambda packed: run_rnn(rnn, packed)), rnn, lengths)
    _, theirs = gradients(lower(torchs(rnn)), rnn, lengths)
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0_reverse"):
        errors = [float((found[name] - truth[name]).norm() / truth[name].norm()) for found in (ours, theirs)]
        assert errors[0] < min(0.01, 0.7 * errors[1]), name


def test_dropout_lies_between_the_layers_alone() -> None:
    torch.manual_seed(5)
    rnn = torch.nn.LSTM(6, 8, num_layers=2, dropout=1.0)
    packed = pack_padded_sequence(torch.randn(3, 2, 6), torch.tensor([3, 2]))
    dropped = run_rnn(rnn, packed).data
    other = run_rnn(rnn, packed._replace(data=torch.randn_like(packed.data))).data
    torch.testing.assert_close(dropped, other)  # nothing of the input reaches the second layer
    assert not torch.allclose(run_rnn(rnn.eval(), packed).data, dropped)


def test_refuses_projections() -> None:
    packed = pack_padded_sequence(torch.randn(3, 2, 6), torch.tensor([3, 2]))
    with pytest.raises(ValueError, match="proj_size"):
        run_rnn(torch.nn.LSTM(6, 8, proj_size=3), packed)
