"""Decoding against a search of all spans, and the loss against sums of probabilities."""

import itertools

import numpy as np
import pytest
import torch
from allennlp.nn.util import min_value_of_dtype

from elmo_tasks.tasks.squad.spans import PADDING, best_spans, boundary_loss, draw_one
from tests.tasks.networks import softmax

LENGTHS = (23, 1, 5, 18)


@pytest.fixture
def scores() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    start, end = (3 * torch.randn(len(LENGTHS), max(LENGTHS), generator=generator) for _ in range(2))
    for row, length in enumerate(LENGTHS):
        start[row, length:] = end[row, length:] = min_value_of_dtype(torch.float)
    return start, end


def all_spans(start: np.ndarray, end: np.ndarray, max_length: int) -> list[tuple[float, tuple[int, int]]]:
    """Every span that there may be with its score, the best first."""
    places = [
        (first, last)
        for first, last in itertools.product(range(len(start)), range(len(end)))
        if 0 <= last - first < max_length
    ]
    return sorted(((float(start[first] + end[last]), (first, last)) for first, last in places), reverse=True)


@pytest.mark.parametrize("max_length", [1, 2, 17, 40])
@pytest.mark.parametrize("count", [1, 7])
def test_the_best_spans_are_those_of_a_search(scores, max_length: int, count: int) -> None:
    spans, values = best_spans(*scores, max_length, count)
    for row, length in enumerate(LENGTHS):
        start, end = (part[row, :length].numpy() for part in scores)
        expected = all_spans(start, end, max_length)[:count]
        found = [tuple(span) for span in spans[row].tolist()][: len(expected)]
        assert found == [span for _, span in expected]
        np.testing.assert_allclose(values[row, : len(expected)], [value for value, _ in expected], rtol=1e-6)
        # where there is no further span, what stands there ends in padding
        assert all(last >= length for _, last in spans[row, len(expected) :].tolist())


def test_the_bound_is_on_tokens() -> None:
    start, end = torch.zeros(1, 30), torch.zeros(1, 30)
    start[0, 4], end[0, 20], end[0, 21] = 10.0, 8.0, 9.0
    assert best_spans(start, end, 17, 1)[0].tolist() == [[[4, 20]]]
    assert best_spans(start, end, 18, 1)[0].tolist() == [[[4, 21]]]


def test_more_spans_than_there_are() -> None:
    spans, values = best_spans(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), 17, 9)
    assert spans[0, :3].tolist()[0] == [0, 0]
    assert sorted(spans[0, :3].tolist()) == [[0, 0], [0, 1], [1, 1]]
    assert spans.shape[1] == values.shape[1] == 4


def test_the_loss_is_of_the_probability_of_any_gold_place(scores) -> None:
    gold = torch.tensor([[22, 3, 22], [0, PADDING, PADDING], [4, 0, PADDING], [17, 17, 17]])
    start, _ = scores
    expected = []
    for row, length in enumerate(LENGTHS):
        probabilities = softmax(start[row, :length].double().numpy())
        places = {place for place in gold[row].tolist() if place != PADDING}
        expected.append(-np.log(sum(probabilities[place] for place in places)))
    assert float(boundary_loss(start, gold)) == pytest.approx(np.mean(expected), rel=1e-5)
    one = gold[:, :1]
    assert float(boundary_loss(start, one)) == pytest.approx(
        float(torch.nn.functional.cross_entropy(start, one[:, 0])), rel=1e-6
    )


def test_one_answer_is_drawn_and_each_as_often() -> None:
    spans = torch.tensor([[[1, 2], [3, 3], [5, 9]], [[7, 7], [PADDING] * 2, [PADDING] * 2]]).repeat(3000, 1, 1)
    torch.manual_seed(1)
    drawn = draw_one(spans)
    assert drawn.shape == (6000, 1, 2)
    assert {tuple(one) for one in drawn[1::2, 0].tolist()} == {(7, 7)}
    counts = [int((drawn[::2, 0, 0] == first).sum()) for first in (1, 3, 5)]
    assert sum(counts) == 3000
    assert all(abs(count - 1000) < 150 for count in counts)
