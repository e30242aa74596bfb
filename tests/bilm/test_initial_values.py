"""Weights before training are drawn as the original program draws them."""

import math
from dataclasses import replace

import pytest
import torch

from elmo_tasks.bilm import BiLM, BiLMOptions

OPTIONS = BiLMOptions(
    filters=((1, 64), (3, 96), (5, 96)), character_dim=16, num_highway=1, cell_dim=96, projection_dim=64
)


@pytest.fixture(scope="module")
def bilm() -> BiLM:
    torch.manual_seed(0)
    return BiLM(OPTIONS)


def spread(values: torch.Tensor) -> float:
    """Standard deviation; the mean is near zero."""
    values = values.detach()
    assert abs(float(values.mean())) < 5 * float(values.std()) / math.sqrt(values.numel())
    return float(values.std())


def assert_uniform(values: torch.Tensor, bound: float) -> None:
    assert float(values.detach().abs().max()) <= bound
    assert spread(values) == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_characters_and_convolutions(bilm: BiLM) -> None:
    encoder = bilm.encoder
    assert_uniform(encoder.embedding.weight[1:], 1.0)
    assert not encoder.embedding.weight[0].any()
    for matrix, bias in zip(encoder.filters, encoder.filter_biases, strict=True):
        assert_uniform(matrix, 0.05)
        assert not bias.any()
    torch.manual_seed(0)
    # With tanh a normal law, its variance one over the numbers that a filter sees.
    for (width, _), matrix in zip(
        OPTIONS.filters, BiLM(replace(OPTIONS, activation="tanh")).encoder.filters, strict=True
    ):
        assert spread(matrix) == pytest.approx(math.sqrt(1 / (width * 16)), rel=0.05)


def test_highway_and_projection(bilm: BiLM) -> None:
    highway, projection = bilm.encoder.highways[0].linear, bilm.encoder.projection
    assert spread(highway.weight) == pytest.approx(math.sqrt(1 / 256), rel=0.02)
    assert spread(projection.weight) == pytest.approx(math.sqrt(1 / 256), rel=0.05)
    # The gate, the second half, starts closed: most of the input passes.
    assert highway.bias.tolist() == [0.0] * 256 + [-2.0] * 256
    assert not projection.bias.any()


def test_lstm(bilm: BiLM) -> None:
    for layer in bilm.lstm.layers:
        # Glorot's law of the kernel that input and state have together: 128 rows, 384 columns.
        assert_uniform(layer.input_weight, math.sqrt(6 / (128 + 384)))
        assert_uniform(layer.state_weight, math.sqrt(6 / (128 + 384)))
        assert_uniform(layer.projection, math.sqrt(6 / (96 + 64)))
        assert not layer.bias.any()


def test_the_seed_decides() -> None:
    weights = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        weights.append(BiLM(OPTIONS).lstm.layers[0].input_weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
