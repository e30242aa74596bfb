"""Both attentions against loops over their equations, in double precision."""

import numpy as np
import pytest
import torch
from allennlp.modules.seq2seq_encoders import GruSeq2SeqEncoder

from elmo_tasks.tasks.squad.attention import (
    NO_ATTENTION_BIAS,
    BiAttention,
    ResidualSelfAttention,
    TrilinearSimilarity,
)
from tests.tasks.networks import gru_loop, softmax

LENGTHS = (6, 1, 4)
QUESTION_LENGTHS = (2, 3, 1)


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mask_of(lengths: tuple[int, ...]) -> torch.Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)


def disturbed(module: torch.nn.Module) -> torch.nn.Module:
    """In double precision, with no parameter at zero."""
    module.double()
    with torch.no_grad():
        for number, parameter in enumerate(module.parameters()):
            parameter.add_(random(*parameter.shape, seed=number))
    return module


def weights_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}


def similarity_loop(w: dict[str, np.ndarray], first: np.ndarray, second: np.ndarray) -> float:
    scores = w["first.weight"][0] @ first + w["second.weight"][0] @ second
    return float(scores + (w["product"][0] * first) @ second + w["bias"][0])


def test_similarity() -> None:
    similarity = disturbed(TrilinearSimilarity(5))
    first, second = random(2, 4, 5), random(2, 3, 5, seed=2)
    scores = similarity(first, second).detach().numpy()
    for row, i, j in np.ndindex(scores.shape):
        expected = similarity_loop(weights_of(similarity), first[row, i].numpy(), second[row, j].numpy())
        assert scores[row, i, j] == pytest.approx(expected, abs=1e-12)


def test_bi_attention() -> None:
    attention = disturbed(BiAttention(5))
    w = weights_of(attention.similarity)
    passage, question = random(3, 6, 5), random(3, 3, 5, seed=2)
    with torch.no_grad():
        found = attention(passage, question, mask_of(LENGTHS), mask_of(QUESTION_LENGTHS)).numpy()
    assert found.shape == (3, 6, attention.get_output_dim())
    for row, (n, m) in enumerate(zip(LENGTHS, QUESTION_LENGTHS, strict=True)):
        c, q = passage[row, :n].numpy(), question[row, :m].numpy()
        scores = np.array([[similarity_loop(w, one, other) for other in q] for one in c])
        of_passage = softmax(scores.max(axis=1)) @ c
        for i in range(n):
            in_question = softmax(scores[i]) @ q
            expected = np.concatenate([c[i], in_question, c[i] * in_question, c[i] * of_passage])
            np.testing.assert_allclose(found[row, i], expected, rtol=0, atol=1e-12)


def test_the_bias_of_bi_attention_cancels() -> None:
    attention = disturbed(BiAttention(5))
    arguments = random(3, 6, 5), random(3, 3, 5, seed=2), mask_of(LENGTHS), mask_of(QUESTION_LENGTHS)
    before = attention(*arguments)
    before.sum().backward()
    assert float(attention.similarity.bias.grad.abs()) < 1e-12
    with torch.no_grad():
        attention.similarity.bias.add_(7.0)
        np.testing.assert_allclose(attention(*arguments), before.detach(), rtol=0, atol=1e-12)


@pytest.fixture
def self_attention() -> ResidualSelfAttention:
    encoder = GruSeq2SeqEncoder(input_size=6, hidden_size=2, bidirectional=True)
    attention = disturbed(ResidualSelfAttention(encoder, torch.nn.Identity()))
    assert isinstance(attention, ResidualSelfAttention)
    return attention


def test_self_attention(self_attention: ResidualSelfAttention) -> None:
    passage = random(3, 6, 6)
    with torch.no_grad():
        found = self_attention(passage, mask_of(LENGTHS)).numpy()
    w = weights_of(self_attention)
    similarity = weights_of(self_attention.similarity)
    nothing = np.exp(w["no_attention"][0])
    for row, n in enumerate(LENGTHS):
        x = passage[row, :n].numpy()
        h = gru_loop(w, "encoder._module.", x)
        for i in range(n):
            others = {j: np.exp(similarity_loop(similarity, h[i], h[j])) for j in range(n) if j != i}
            total = sum(others.values()) + nothing
            s = sum((value / total * h[j] for j, value in others.items()), np.zeros(4))
            merged = w["merge.weight"] @ np.concatenate([s, h[i], s * h[i]]) + w["merge.bias"]
            np.testing.assert_allclose(found[row, i], x[i] + np.maximum(merged, 0.0), rtol=0, atol=1e-12)


def test_weights_leave_room_for_nothing(self_attention: ResidualSelfAttention) -> None:
    encoded = random(3, 6, 4)
    mask = mask_of(LENGTHS)
    with torch.no_grad():
        weights = self_attention.weights(encoded, mask)
        assert (weights.diagonal(dim1=1, dim2=2) == 0).all()
        assert (weights.masked_select(~mask.unsqueeze(1)) == 0).all()
        assert not weights[1, 0].any(), "a single token has no other"
        sums = weights[0].sum(dim=1)
        assert ((sums > 0) & (sums < 1)).all()
        self_attention.no_attention.fill_(-60.0)
        np.testing.assert_allclose(self_attention.weights(encoded, mask)[0].sum(dim=1), 1.0, atol=1e-12)


def test_scores_of_any_size_leave_finite_numbers_in_single_precision(self_attention: ResidualSelfAttention) -> None:
    self_attention.float()
    encoded = (1000 * random(3, 6, 4)).float().requires_grad_()
    weights = self_attention.weights(encoded, mask_of(LENGTHS))
    assert torch.isfinite(weights).all()
    (weights * torch.randn_like(weights)).sum().backward()
    assert torch.isfinite(encoded.grad).all()


def test_it_begins_with_little_attention_to_nothing() -> None:
    fresh = ResidualSelfAttention(GruSeq2SeqEncoder(input_size=6, hidden_size=2), torch.nn.Identity())
    assert float(fresh.no_attention.detach()) == NO_ATTENTION_BIAS == -1.0
