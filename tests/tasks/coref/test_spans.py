"""Spans: which are kept against brute force, vectors and scores against loops, and dropout alike in both ways."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.tasks.coref.spans import SpanEncoder, best_spans, without_crossing
from tests.tasks.coref.largest import Largest
from tests.tasks.networks import softmax

WORDS, ENCODED, TOKEN, WIDTH, FEATURE = 11, 4, 5, 4, 3
SENTENCES = [0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 3]
Span = tuple[int, int]


def crosses(one: Span, other: Span) -> bool:
    """By the words themselves, as the definition has it."""
    first, second = set(range(*one)), set(range(*other))
    return bool(first & second) and not first <= second and not second <= first


def brute_force(spans: list[Span], count: int) -> list[Span]:
    kept: list[Span] = []
    for span in spans:
        if len(kept) < count and not any(crosses(span, other) for other in kept):
            kept.append(span)
    return kept


spans_of_ten = st.permutations([(start, end) for start in range(9) for end in range(start + 1, min(start + 5, 10) + 1)])


@given(spans_of_ten, st.integers(0, 12))
def test_spans_that_cross_a_better_one_are_left_out(spans: list[Span], count: int) -> None:
    assert without_crossing(iter(spans), count, 10) == brute_force(spans, count)


@given(st.lists(st.integers(0, 4), min_size=WORDS * WIDTH, max_size=WORDS * WIDTH), st.integers(0, 9))
def test_the_best_spans_are_kept_in_the_order_of_the_text(numbers: list[int], count: int) -> None:
    """Scores with many ties."""
    scores = torch.tensor(numbers, dtype=torch.float64).view(WORDS, WIDTH)
    for start, width in itertools.product(range(WORDS), range(WIDTH)):
        if start + width >= WORDS or SENTENCES[start] != SENTENCES[start + width]:
            scores[start, width] = -torch.inf
    candidates = [
        (start, start + width + 1)
        for start, width in itertools.product(range(WORDS), range(WIDTH))
        if torch.isfinite(scores[start, width])
    ]
    ordered = sorted(candidates, key=lambda span: -float(scores[span[0], span[1] - span[0] - 1]))
    starts, ends = best_spans(scores, count)
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == sorted(brute_force(ordered, count))


@pytest.fixture
def encoder() -> SpanEncoder:
    torch.manual_seed(4)
    made = SpanEncoder(ENCODED, TOKEN, [6, 7], 0.3, WIDTH, FEATURE).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made.eval()


@pytest.fixture
def texts() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(5)
    return torch.randn(WORDS, ENCODED).double(), torch.randn(WORDS, TOKEN).double()


def candidates() -> list[Span]:
    return [
        (start, end)
        for start in range(WORDS)
        for end in range(start + 1, min(start + WIDTH, WORDS) + 1)
        if SENTENCES[start] == SENTENCES[end - 1]
    ]


def vector_loop(made: SpanEncoder, encoded: np.ndarray, tokens: np.ndarray, start: int, end: int) -> np.ndarray:
    attention = softmax(encoded[start:end] @ made.attention.weight.detach().numpy()[0])
    head = sum(share * token for share, token in zip(attention, tokens[start:end], strict=True))
    width = made.width.detach().numpy()[end - start - 1]
    return np.concatenate([encoded[start], encoded[end - 1], width, head])


def score_loop(made: SpanEncoder, vector: np.ndarray) -> float:
    w = {name: parameter.detach().numpy() for name, parameter in made.scorer.named_parameters()}
    for number in (0, 1):
        vector = np.maximum(w[f"hidden.{number}.weight"] @ vector + w[f"hidden.{number}.bias"], 0)
    return float((w["output.weight"] @ vector + w["output.bias"])[0])


def test_vectors_and_scores_equal_a_loop(encoder: SpanEncoder, texts: tuple[torch.Tensor, torch.Tensor]) -> None:
    encoded, tokens = texts
    starts, ends = torch.tensor(candidates()).unbind(dim=1)
    vectors, scores = encoder(encoded, tokens, starts, ends, encoder.draw(WORDS))
    all_scores = encoder.candidate_scores(encoded, tokens, torch.tensor(SENTENCES), None)
    assert int(torch.isfinite(all_scores).sum()) == len(candidates())
    for place, (start, end) in enumerate(candidates()):
        expected = vector_loop(encoder, encoded.numpy(), tokens.numpy(), start, end)
        np.testing.assert_allclose(vectors[place].detach(), expected, rtol=0, atol=1e-10)
        score = score_loop(encoder, expected)
        np.testing.assert_allclose(float(scores[place].detach()), score, rtol=0, atol=1e-10)
        np.testing.assert_allclose(float(all_scores[start, end - start - 1]), score, rtol=0, atol=1e-10)


def test_a_span_is_scored_alike_with_and_without_gradients_under_one_dropout(
    encoder: SpanEncoder, texts: tuple[torch.Tensor, torch.Tensor]
) -> None:
    encoder.train()
    kept = encoder.draw(WORDS)
    assert kept is not None
    assert not all(layer.all() for layer in (kept.width, *kept.hidden))
    starts, ends = torch.tensor(candidates()).unbind(dim=1)
    _, scores = encoder(*texts, starts, ends, kept)
    all_scores = encoder.candidate_scores(*texts, torch.tensor(SENTENCES), kept)
    np.testing.assert_allclose(scores.detach(), all_scores[starts, ends - starts - 1], rtol=0, atol=1e-10)
    again = encoder.candidate_scores(*texts, torch.tensor(SENTENCES), encoder.draw(WORDS))
    assert not torch.equal(all_scores, again)


def test_what_dropout_leaves_is_scaled(encoder: SpanEncoder) -> None:
    encoder.train()
    torch.manual_seed(1)
    kept = encoder.draw(5000)
    assert kept is not None
    for layer in (kept.width, *kept.hidden):
        assert float(layer.double().mean()) == pytest.approx(0.7, abs=0.02)
    words = torch.zeros(5000, ENCODED).double(), torch.zeros(5000, TOKEN).double()
    places = torch.arange(5000)
    vectors, _ = encoder(*words, places, places + 1, kept)
    width = vectors[:, 2 * ENCODED : 2 * ENCODED + FEATURE]
    assert float((width.mean(dim=0) / encoder.width[0] - 1).abs().max().detach()) < 0.06


def test_no_vector_of_a_candidate_is_made() -> None:
    """There are ten candidates a word, and a width's are scored at a time."""
    count, encoded_dim, token_dim, hidden = 90, 40, 30, 8
    made = SpanEncoder(encoded_dim, token_dim, [hidden, hidden], 0.2, 10, 6).train()
    given = torch.randn(count, encoded_dim), torch.randn(count, token_dim), torch.zeros(count, dtype=torch.long)
    kept = made.draw(count)
    with Largest() as scoring:
        made.candidate_scores(*given, kept)
    # the scores of all, and what the words add to the hidden sums of one width
    assert scoring.size <= max(count * 10, count * hidden)
    assert scoring.size < count * encoded_dim


def test_texts_shorter_than_the_widest_span(encoder: SpanEncoder) -> None:
    encoded, tokens = torch.randn(2, ENCODED).double(), torch.randn(2, TOKEN).double()
    scores = encoder.candidate_scores(encoded, tokens, torch.tensor([0, 0]), None)
    assert torch.isfinite(scores).tolist() == [[True, True, False, False], [True, False, False, False]]
    starts, ends = best_spans(scores, 0)
    assert (len(starts), len(ends)) == (0, 0)
    vectors, some = encoder(encoded, tokens, starts, ends, None)
    assert (vectors.shape, some.shape) == ((0, encoder.get_output_dim()), (0,))
