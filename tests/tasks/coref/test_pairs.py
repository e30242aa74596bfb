"""Scores of pairs: blocks against the plain computation with one wide vector for each pair, values and gradients."""

import numpy as np
import pytest
import torch

from elmo_tasks.tasks.coref.pairs import PairScorer, distance_bins
from tests.tasks.coref.largest import Largest, kept_for_the_gradient

DIM, GENRES, FEATURE = 7, 4, 3


def scorer(max_antecedents: int, block_size: int, dropout: float = 0.0) -> PairScorer:
    torch.manual_seed(8)
    made = PairScorer(DIM, GENRES, [6, 5], dropout, max_antecedents, block_size, FEATURE).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def plain(made: PairScorer, spans: torch.Tensor, speakers: torch.Tensor, genre: torch.Tensor) -> torch.Tensor:
    """Pair by pair, each with its whole vector; the distance's bin by the paper's list of them."""
    bins = [0, 1, 2, 3, 4, *[5] * 3, *[6] * 8, *[7] * 16, *[8] * 32, *[9] * 1000]
    rows = []
    columns = min(made.max_antecedents, len(spans) - 1)
    for i in range(len(spans)):
        row = []
        for distance in range(1, columns + 1):
            if distance > i:
                row.append(torch.tensor(-torch.inf).double())
                continue
            j = i - distance
            features = [made.speaker[int(speakers[i] == speakers[j])], made.genre[genre], made.distance[bins[distance]]]
            x = torch.cat([spans[i], spans[j], spans[i] * spans[j], *features])
            for layer in made.scorer.hidden:
                x = torch.relu(layer(x))
            row.append(made.scorer.output(x).squeeze())
        rows.append(torch.stack(row) if row else torch.zeros(0).double())
    return torch.stack(rows)


def inputs(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(9)
    return torch.randn(count, DIM).double(), torch.randint(3, (count,)), torch.tensor(2)


@pytest.mark.parametrize("block_size", [1, 2, 7, 100])
@pytest.mark.parametrize(("count", "max_antecedents"), [(1, 5), (2, 5), (9, 4), (9, 250), (80, 70)])
def test_blocks_equal_the_plain_computation(count: int, max_antecedents: int, block_size: int) -> None:
    made = scorer(max_antecedents, block_size)
    results = []
    for run in (made, lambda *given: plain(made, *given)):
        spans, speakers, genre = inputs(count)
        spans.requires_grad_()
        made.zero_grad()
        scores = run(spans, speakers, genre)
        finite = torch.isfinite(scores)
        weights = torch.arange(1.0, scores.numel() + 1).double().sin().view_as(scores)
        if finite.any():
            (weights * torch.where(finite, scores, 0.0).pow(2)).sum().backward()
        gradients = {name: parameter.grad for name, parameter in made.named_parameters()}
        results.append({"scores": scores.detach(), "spans": spans.grad, **gradients})
    found, expected = results
    assert found["scores"].shape == (count, min(max_antecedents, count - 1))
    for name, value in found.items():
        if count == 1 and name != "scores":
            assert value is None
            continue
        np.testing.assert_allclose(value, expected[name], rtol=0, atol=1e-10, err_msg=name)
        if count > 1:
            assert float(torch.where(torch.isfinite(value), value, 0.0).abs().max()) > 1e-6


def test_without_gradients_the_scores_are_the_same() -> None:
    made = scorer(6, 4).eval()
    with_gradients = made(*inputs(13)).detach()
    with torch.no_grad():
        assert torch.equal(made(*inputs(13)), with_gradients)


def test_no_span_has_no_scores() -> None:
    assert scorer(5, 2)(*inputs(0)).shape == (0, 0)


def test_dropout_is_the_same_when_a_block_is_computed_once_more_for_the_gradient() -> None:
    """The gradient of the last bias is the number of scores, that of the last weights what was kept in the forward."""
    made = scorer(6, 4, dropout=0.5).train()
    spans, speakers, genre = inputs(13)
    torch.manual_seed(3)
    scores = made(spans, speakers, genre)
    finite = torch.isfinite(scores)
    scores[finite].sum().backward()
    output = made.scorer.output
    assert float(output.bias.grad) == int(finite.sum())
    # the output is linear in the last weights, so that weights times gradient are the scores less the bias
    expected = float((scores[finite].sum() - output.bias * finite.sum()).detach())
    assert float((output.weight * output.weight.grad).sum().detach()) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("block_size", [4, 16, 64])
def test_memory_is_that_of_a_block(block_size: int) -> None:
    """No tensor has the spans' numbers for each pair, and no block's hidden layers are kept for the gradient."""
    count, dim, hidden, feature, antecedents = 150, 64, 30, 4, 60
    made = PairScorer(dim, GENRES, [hidden, hidden], 0.2, antecedents, block_size, feature)
    spans = torch.randn(count, dim, requires_grad=True)
    given = spans, torch.zeros(count, dtype=torch.long), torch.tensor(0)
    pairs_of_a_block = block_size * (block_size + antecedents)
    largest_allowed = max(pairs_of_a_block * hidden, block_size * hidden * dim, count * max(antecedents, dim))
    assert largest_allowed < count * antecedents * dim
    with Largest() as forward:
        scores = made(*given)
    with Largest() as backward:
        torch.where(torch.isfinite(scores), scores, 0.0).sum().backward()
    assert forward.size <= largest_allowed
    assert backward.size <= largest_allowed
    # of all pairs their scores, where there are any, and of each block what it is computed from
    blocks = -(-count // block_size)
    weights = sum(parameter.numel() for parameter in made.parameters())
    assert kept_for_the_gradient(lambda: made(*given)) <= blocks * (count * dim + count + weights) + count * antecedents
    assert blocks * pairs_of_a_block * hidden > count * antecedents * hidden


def test_bins_of_distances() -> None:
    expected = [0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]
    distances = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 31, 32, 63, 64, 1000])
    assert distance_bins(distances).tolist() == expected
