"""Gradients of the encoder and of the whole biLM against plain formulations, in float64."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from elmo_tasks.bilm import BiLM, batch_to_ids
from elmo_tasks.bilm.characters import words_to_array
from elmo_tasks.bilm.encoder import CharacterEncoder
from tests.bilm.conftest import MakeBiLM
from tests.bilm.slow_loop import slow_loop

WORDS = ["a", "cat", "", "naïve", "東京", "<S>", "</S>", "x" * 60, "internationalisation", "cat"]


def plain_encoder(encoder: CharacterEncoder, ids: torch.Tensor) -> torch.Tensor:
    """Convolutions over all places of every word, with torch's own convolution; the highway written out."""
    options = encoder.options
    characters = functional.embedding(ids, encoder.embedding.weight).transpose(1, 2)
    activation = torch.relu if options.activation == "relu" else torch.tanh
    pieces = []
    for (width, number), matrix, bias in zip(options.filters, encoder.filters, encoder.filter_biases, strict=True):
        kernel = matrix.view(width, options.character_dim, number).permute(2, 1, 0)
        pieces.append(activation(functional.conv1d(characters, kernel, bias)).amax(dim=2))
    x = torch.cat(pieces, dim=1)
    for highway in encoder.highways:
        transformed, carry = (x @ highway.linear.weight.t() + highway.linear.bias).chunk(2, dim=1)
        gate = torch.sigmoid(carry)
        x = gate * torch.relu(transformed) + (1 - gate) * x
    return x if encoder.projection is None else x @ encoder.projection.weight.t() + encoder.projection.bias


def plain_bilm(bilm: BiLM, sentence: list[str]) -> torch.Tensor:
    """All layers of one sentence with its markers, `(num_layers, num_words + 2, layer_dim)`."""
    places = bilm.options.max_characters_per_token
    ids = torch.from_numpy(words_to_array(["<S>", *sentence, "</S>"], places).astype(np.int64))
    tokens = plain_encoder(bilm.encoder, ids)
    both = torch.stack([tokens, tokens.flip(0)])
    layers = [both]
    for number, layer in enumerate(bilm.lstm.layers):
        gates = both @ layer.input_weight + (layer.bias + layer.forget_bias).unsqueeze(1)
        cells, size = bilm.options.cell_dim, bilm.options.projection_dim
        zeros = tokens.new_zeros(2, 1, size), tokens.new_zeros(2, 1, cells)
        bounds = layer.cell_clip, layer.projection_clip
        output, _ = slow_loop(gates, *zeros, layer.state_weight, layer.projection, [1] * len(ids), *bounds)
        both = output + both if number and bilm.options.use_skip_connections else output
        layers.append(both)
    return torch.stack([torch.cat([pair[0], pair[1].flip(0)], dim=1) for pair in layers])


@pytest.mark.parametrize("changes", [{}, {"activation": "tanh"}, {"num_highway": 0, "projection_dim": 14}], ids=str)
def test_encoder(changes: dict, make_bilm: MakeBiLM) -> None:
    encoder = make_bilm(dtype=torch.float64, **changes).encoder
    ids = torch.from_numpy(words_to_array(WORDS).astype(np.int64))
    actual, expected = encoder(ids), plain_encoder(encoder, ids)
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=0)
    weights = torch.randn_like(actual)
    parameters = list(encoder.parameters())
    for ours, theirs in zip(
        torch.autograd.grad((actual * weights).sum(), parameters),
        torch.autograd.grad((expected * weights).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)
        assert ours.any()


def test_encoder_of_many_words(make_bilm: MakeBiLM) -> None:
    """More words than are convolved at once, of all lengths: each gets its own vector."""
    encoder = make_bilm(dtype=torch.float64).encoder
    words = [chr(97 + n % 26) * (n * 7 % 55) + str(n) for n in range(300)]
    ids = torch.from_numpy(words_to_array(words).astype(np.int64))
    torch.testing.assert_close(encoder(ids), plain_encoder(encoder, ids), atol=1e-12, rtol=0)


@pytest.mark.parametrize("changes", [{}, {"use_skip_connections": False, "cell_dim": 6}], ids=str)
def test_whole_model(changes: dict, make_bilm: MakeBiLM) -> None:
    """Repeated words, sentences of several lengths, every layer used: the gradient of each parameter."""
    bilm = make_bilm(gain=3.0, dtype=torch.float64, cell_clip=0.8, projection_clip=0.5, **changes)
    sentences = [["the", "cat", "saw", "the", "cat"], ["<S>", "naïve"], ["x" * 60, "the", "the"]]
    weights = [torch.randn(3, len(s) + 2, bilm.layer_dim, dtype=torch.float64) for s in sentences]
    layers = bilm(batch_to_ids(sentences), keep_sentence_boundaries=True).layers
    actual = sum((layers[:, row, : len(s) + 2] * weights[row]).sum() for row, s in enumerate(sentences))
    expected = sum((plain_bilm(bilm, s) * weights[row]).sum() for row, s in enumerate(sentences))
    torch.testing.assert_close(actual, expected, atol=1e-10, rtol=0)
    names, parameters = zip(*bilm.named_parameters(), strict=True)
    actual_gradients = torch.autograd.grad(actual, parameters)
    expected_gradients = torch.autograd.grad(expected, parameters)
    for name, ours, theirs in zip(names, actual_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10, msg=lambda text, name=name: f"{name}: {text}")
        assert ours.any(), f"{name} has no gradient, the test proves nothing for it"


def test_padded_places_take_no_gradient(make_bilm: MakeBiLM) -> None:
    """Whatever a task's loss does with a padded place, no weight notices."""
    bilm = make_bilm(dtype=torch.float64)
    output = bilm(batch_to_ids([["a", "b", "c"], ["d"]]))
    output.layers.masked_fill(output.mask.unsqueeze(-1), 0.0).sum().backward()
    assert all(not parameter.grad.any() for parameter in bilm.parameters() if parameter.grad is not None)


def test_carried_states_hold_no_history(make_bilm: MakeBiLM) -> None:
    """With `carry` two batches in a row can be trained on: the second does not reach back into the first."""
    bilm = make_bilm(state_policy="carry")
    ids = batch_to_ids([["a", "b"]])
    bilm(ids).layers.sum().backward()
    bilm(ids).layers.sum().backward()
