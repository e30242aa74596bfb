"""The recurrence and its hand-written gradient against a loop that autograd differentiates, in float64."""

import pytest
import torch

from elmo_tasks.bilm.lstm import ProjectedLSTMLayer, _Recurrence
from elmo_tasks.bilm.unrolled import UnrolledRecurrence
from tests.bilm.conftest import TINY
from tests.bilm.slow_loop import slow_loop

CELLS, SIZE = 5, 3
BATCH_SIZES = {"one length": (3, 3, 3, 3), "many lengths": (4, 4, 3, 1, 1), "one row": (1, 1, 1), "one step": (4,)}
BOUNDS = {"no bounds": (None, None), "both bind": (0.6, 0.4), "cell binds": (0.5, None), "output binds": (None, 0.3)}


def random_inputs(batch_sizes, projected: bool, seed: int = 0) -> list[torch.Tensor | None]:
    torch.manual_seed(seed)
    size = SIZE if projected else CELLS

    def tensor(*shape):
        return torch.randn(*shape, dtype=torch.float64).requires_grad_()

    rows = batch_sizes[0]
    return [
        tensor(2, sum(batch_sizes), 4 * CELLS),
        tensor(2, rows, size),
        tensor(2, rows, CELLS),
        tensor(2, size, 4 * CELLS),
        tensor(2, CELLS, size) if projected else None,
    ]


@pytest.fixture(params=BATCH_SIZES.values(), ids=BATCH_SIZES.keys())
def batch_sizes(request) -> tuple[int, ...]:
    return request.param


@pytest.fixture(params=BOUNDS.values(), ids=BOUNDS.keys())
def bounds(request) -> tuple[float | None, float | None]:
    return request.param


@pytest.mark.parametrize("projected", [True, False], ids=["projected", "not projected"])
def test_values_and_gradients(batch_sizes, bounds, projected: bool) -> None:
    inputs = random_inputs(batch_sizes, projected)
    given = [tensor for tensor in inputs if tensor is not None]
    output, last_cell = _Recurrence.apply(*inputs, batch_sizes, *bounds)
    expected_output, expected_cell = slow_loop(*inputs, batch_sizes, *bounds)
    torch.testing.assert_close(output, expected_output, atol=1e-12, rtol=0)
    torch.testing.assert_close(last_cell, expected_cell, atol=1e-12, rtol=0)

    if bounds[0] is not None:
        assert (expected_cell.abs() == bounds[0]).any(), "the cell's bound does not bind"
    if bounds[1] is not None:
        assert (expected_output.abs() == bounds[1]).any(), "the output's bound does not bind"

    weights = torch.randn_like(output), torch.randn_like(last_cell)
    actual = torch.autograd.grad((output * weights[0]).sum() + (last_cell * weights[1]).sum(), given)
    expected = torch.autograd.grad((expected_output * weights[0]).sum() + (expected_cell * weights[1]).sum(), given)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)


def test_gradient_numerically() -> None:
    inputs = random_inputs((2, 2, 1), projected=True, seed=3)
    assert torch.autograd.gradcheck(lambda *tensors: _Recurrence.apply(*tensors, (2, 2, 1), 0.6, 0.4), inputs)


def test_gradient_twice(batch_sizes) -> None:
    """A graph that is kept gives the same gradient again."""
    inputs = random_inputs(batch_sizes, projected=True)
    total = _Recurrence.apply(*inputs, batch_sizes, 0.6, 0.4)[0].square().sum()
    first = torch.autograd.grad(total, inputs, retain_graph=True)
    for ours, again in zip(first, torch.autograd.grad(total, inputs), strict=True):
        assert torch.equal(ours, again)


def test_only_the_gradients_asked_for(batch_sizes) -> None:
    """A frozen layer hands the gradient on to its input and computes none for its own weights."""
    inputs = random_inputs(batch_sizes, projected=True)
    everything = torch.autograd.grad(_Recurrence.apply(*inputs, batch_sizes, 0.6, 0.4)[0].square().sum(), inputs)
    for tensor in inputs[1:]:
        tensor.requires_grad_(False)
    output, _ = _Recurrence.apply(*inputs, batch_sizes, 0.6, 0.4)
    (alone,) = torch.autograd.grad(output.square().sum(), inputs[:1])
    torch.testing.assert_close(alone, everything[0], atol=0, rtol=0)


def test_inputs_are_left_as_they_were(batch_sizes) -> None:
    inputs = [tensor.detach() for tensor in random_inputs(batch_sizes, projected=True)]
    before = [tensor.clone() for tensor in inputs]
    _Recurrence.apply(*inputs, batch_sizes, 0.6, 0.4)
    for tensor, kept in zip(inputs, before, strict=True):
        assert torch.equal(tensor, kept)


def test_no_second_derivative_rather_than_a_wrong_one() -> None:
    inputs = random_inputs((2, 1), projected=True)
    output, _ = _Recurrence.apply(*inputs, (2, 1), None, None)
    (gradient,) = torch.autograd.grad(output.square().sum(), inputs[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_the_forget_gate_starts_open() -> None:
    """The bias of 1 is used and not stored: it stands in no parameter and in no state dict."""
    layer = ProjectedLSTMLayer(TINY)
    assert not layer.bias.any()
    assert "forget_bias" not in layer.state_dict()
    gates = layer.input_gates(torch.zeros(1, TINY.projection_dim))
    cells = TINY.cell_dim
    expected = torch.zeros(2, 1, 4 * cells)
    expected[..., cells : 2 * cells] = 1.0
    assert torch.equal(gates, expected)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 9])
def test_a_few_rows_are_rounded_no_more_than_many(rows: int) -> None:
    """Long sums in float32 stay near the exact ones, whichever product the number of rows takes."""
    torch.manual_seed(0)
    cells, size = 2048, 256
    inputs = [
        torch.randn(2, 4 * rows, 4 * cells) * 2.0,
        torch.randn(2, rows, size),
        torch.randn(2, rows, cells),
        torch.randn(2, size, 4 * cells) / size**0.5,
        torch.randn(2, cells, size) / cells**0.5 * 4.0,
    ]
    single, _ = _Recurrence.apply(*inputs, (rows,) * 4, 3.0, 3.0)
    double, _ = _Recurrence.apply(*(tensor.double() for tensor in inputs), (rows,) * 4, 3.0, 3.0)
    assert float((single - double).square().mean().sqrt()) < 8e-7


@pytest.mark.parametrize("projected", [True, False], ids=["projected", "not projected"])
@pytest.mark.parametrize("rows", [1, 3])
def test_unrolled(bounds, rows: int, projected: bool) -> None:
    """The recurrence for rows of one length, which training on a GPU takes, against that for packed rows."""
    sizes = (rows,) * 4
    inputs = random_inputs(sizes, projected)
    given = [tensor for tensor in inputs if tensor is not None]
    expected = _Recurrence.apply(*inputs, sizes, *bounds)
    found = UnrolledRecurrence.apply(*inputs, rows, *bounds, torch.float64)
    weights = [torch.randn_like(values) for values in expected]
    gradients = []
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    for values in (found, expected):
        total = sum((part * weight).sum() for part, weight in zip(values, weights, strict=True))
        gradients.append(torch.autograd.grad(total, given))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("projected", [True, False], ids=["projected", "not projected"])
def test_unrolled_in_lower_precision(bounds, projected: bool) -> None:
    """As a GPU runs it, products in bfloat16: roundings alone are between it and the recurrence of packed rows."""
    sizes = (3,) * 4
    inputs = [None if t is None else t.detach().float().requires_grad_() for t in random_inputs(sizes, projected)]
    given = [tensor for tensor in inputs if tensor is not None]
    expected = _Recurrence.apply(*inputs, sizes, *bounds, torch.bfloat16)
    found = UnrolledRecurrence.apply(*inputs, 3, *bounds, torch.bfloat16)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0)
    gradients = [torch.autograd.grad(output.sum() + cell.sum(), given) for output, cell in (found, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        assert float((ours - theirs).norm()) < 0.03 * float(theirs.norm())


def test_unrolled_only_the_gradients_asked_for() -> None:
    inputs = random_inputs((3, 3), projected=True)
    everything = torch.autograd.grad(UnrolledRecurrence.apply(*inputs, 3, 0.6, 0.4, torch.float64)[0].sum(), inputs)
    for weights in inputs[3:]:
        weights.requires_grad_(False)
    frozen = UnrolledRecurrence.apply(*inputs, 3, 0.6, 0.4, torch.float64)[0].sum()
    for found, expected in zip(torch.autograd.grad(frozen, inputs[:3]), everything[:3], strict=True):
        assert torch.equal(found, expected)
