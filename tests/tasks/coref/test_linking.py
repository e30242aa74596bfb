"""The loss against sums of probabilities, and clusters against chains followed by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.tasks.coref.linking import antecedent_loss, gold_clusters, predicted_clusters

NO = -math.inf


def scores_of(count: int, columns: int) -> torch.Tensor:
    torch.manual_seed(count)
    scores = torch.randn(count, columns).double()
    for row in range(count):
        scores[row, row:] = NO
    return scores


def test_spans_have_the_numbers_of_all_their_clusters() -> None:
    clusters = {(0, 2): [3], (5, 6): [1, 4], (9, 9): [7]}
    assert gold_clusters([(0, 2), (1, 2), (5, 6)], clusters).tolist() == [[3, -1], [-1, -1], [1, 4]]
    assert gold_clusters([(1, 2)], clusters).shape == (1, 0)
    assert gold_clusters([], clusters).shape == (0, 0)


@pytest.mark.parametrize("columns", [0, 2, 5])
def test_the_loss_is_minus_the_log_of_what_falls_on_right_antecedents(columns: int) -> None:
    # the third span is in two clusters, the fifth in none, the last has its antecedent beyond two columns
    clusters = [{0}, {1}, {0, 1}, {1}, set(), {0}]
    numbers = torch.tensor([[0, -1], [1, -1], [0, 1], [1, -1], [-1, -1], [0, -1]])
    scores = scores_of(6, columns)
    expected = 0.0
    for i in range(6):
        weights = {None: 1.0}
        weights.update({i - 1 - c: math.exp(scores[i, c]) for c in range(columns) if c < i})
        right = [j for j in weights if j is not None and clusters[i] & clusters[j]] or [None]
        expected -= math.log(sum(weights[j] for j in right) / sum(weights.values()))
    assert float(antecedent_loss(scores, numbers)) == pytest.approx(expected, abs=1e-10)


def test_the_loss_has_a_gradient_everywhere_and_is_zero_without_spans() -> None:
    scores = scores_of(4, 3).requires_grad_()
    antecedent_loss(scores, torch.tensor([[0], [0], [-1], [0]])).backward()
    assert torch.isfinite(scores.grad).all()
    assert (scores.grad != 0).tolist() == torch.isfinite(scores).tolist()
    empty = torch.zeros(0, 0, requires_grad=True)
    loss = antecedent_loss(empty, torch.zeros(0, 0, dtype=torch.long))
    loss.backward()
    assert float(loss.detach()) == 0.0


def test_mentions_go_with_their_best_antecedent() -> None:
    scores = torch.tensor(
        [
            [NO, NO, NO],
            [-1.0, NO, NO],  # none
            [-2.0, 0.5, NO],  # the first
            [0.0, -1.0, -1.0],  # none: no score is above 0
            [0.1, -1.0, 0.3],  # the second
            [0.4, 0.1, 0.2],  # the fifth
        ]
    )
    assert predicted_clusters("abcdef", scores) == [["a", "c"], ["b", "e", "f"]]
    assert predicted_clusters("", torch.zeros(0, 0)) == []
    assert predicted_clusters("a", torch.zeros(1, 0)) == []


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_clusters_are_what_chains_of_antecedents_join(choices: list[int]) -> None:
    best = [min(choice, place) for place, choice in enumerate(choices)]
    scores = torch.full((len(best), 4), -1.0)
    for place, choice in enumerate(best):
        scores[place, place:] = NO
        if choice:
            scores[place, choice - 1] = 1.0

    def root(place: int) -> int:
        return root(place - best[place]) if best[place] else place

    chains: dict[int, list[int]] = {}
    for place in range(len(best)):
        chains.setdefault(root(place), []).append(place)
    expected = [chain for chain in chains.values() if len(chain) > 1]
    assert predicted_clusters(range(len(best)), scores) == expected
