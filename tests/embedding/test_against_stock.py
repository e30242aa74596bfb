"""The embedder and ELMo at the output against AllenNLP's `Elmo`, from the same weight files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.modules.elmo import Elmo
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder

from elmo_tasks.bilm import batch_to_ids
from elmo_tasks.embedding.embedder import BiLMEmbedder
from elmo_tasks.embedding.output import OutputELMo

from .conftest import OPTIONS, SENTENCES, BiLMFiles, write_bilm

MIXES = [([0.4, -0.7, 1.1], 1.3), ([2.0, 0.0, -1.0], 0.6)]


def stock_elmo(files: BiLMFiles, dtype: torch.dtype = torch.float32, **options: Any) -> Elmo:
    """AllenNLP's `Elmo` with two representations, whose mixes are `MIXES`."""
    elmo = Elmo(files.options_file, files.weights_file, 2, dropout=0.0, **options).to(dtype)
    with torch.no_grad():
        for i, (weights, gamma) in enumerate(MIXES):
            mix = getattr(elmo, f"scalar_mix_{i}")
            for parameter, weight in zip(mix.scalar_parameters, weights, strict=True):
                parameter.fill_(weight)
            mix.gamma.fill_(gamma)
    return elmo


def our_places(
    files: BiLMFiles, output_norm: bool | None = None, dtype: torch.dtype = torch.float32, **options: Any
) -> list[Any]:
    """An embedder and ELMo at the output with the mixes `MIXES`, as functions of character ids."""
    embedder = BiLMEmbedder(files.options, weights_file=files.weights_file, dropout=0.0, **options)
    norm = options.get("do_layer_norm", False) if output_norm is None else output_norm
    output = OutputELMo(BasicTextFieldEmbedder({"elmo": embedder}), do_layer_norm=norm, dropout=0.0)
    embedder.to(dtype)
    output.to(dtype)
    with torch.no_grad():
        for mix, (weights, gamma) in zip([embedder.mix, output.mix], MIXES, strict=True):
            mix.weights.copy_(torch.tensor(weights, dtype=dtype))
            mix.gamma.fill_(gamma)
    return [embedder, lambda ids: output({"elmo": {"character_ids": ids}})]


def masked(vectors: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Stock leaves numbers at padded places with layer norm; ours are zero there."""
    return vectors * (ids > 0).any(dim=-1).unsqueeze(-1)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
def test_two_places_equal_two_representations(tmp_path: Path, norm: bool, seed: int) -> None:
    files = write_bilm(tmp_path, seed)
    ids = batch_to_ids(SENTENCES)
    expected = stock_elmo(files, do_layer_norm=norm)(ids)["elmo_representations"]
    places = our_places(files, do_layer_norm=norm)
    for place, vectors in zip(places, expected, strict=True):
        assert vectors.abs().max() > 0.3
        assert torch.allclose(place(ids), masked(vectors, ids), atol=1e-5)


def test_places_with_and_without_layer_norm_share_a_run(bilm_files: BiLMFiles) -> None:
    ids = batch_to_ids(SENTENCES)
    plain = stock_elmo(bilm_files, do_layer_norm=False)(ids)["elmo_representations"][0]
    normed = stock_elmo(bilm_files, do_layer_norm=True)(ids)["elmo_representations"][1]
    at_input, at_output = our_places(bilm_files, output_norm=True)
    assert torch.allclose(at_input(ids), plain, atol=1e-5)
    assert torch.allclose(at_output(ids), masked(normed, ids), atol=1e-5)


def test_texts_in_lists(bilm_files: BiLMFiles) -> None:
    # (batch_size, texts, num_tokens, 50), one text of a list being padding alone
    ids = batch_to_ids([*SENTENCES, [], ["last", "one"]]).view(3, 2, 7, 50)
    expected = stock_elmo(bilm_files, do_layer_norm=True)(ids)["elmo_representations"]
    for place, vectors in zip(our_places(bilm_files, do_layer_norm=True), expected, strict=True):
        assert place(ids).shape == (3, 2, 7, 16)
        assert torch.allclose(place(ids), masked(vectors, ids), atol=1e-5)


def test_carried_states_equal_stock_over_batches(bilm_files: BiLMFiles) -> None:
    # In float64: what rounding leaves grows with the states that are carried on.
    stock = stock_elmo(bilm_files, dtype=torch.float64)
    carrying = our_places(bilm_files, dtype=torch.float64, state_policy="carry")
    resetting = our_places(bilm_files)
    for batch in (SENTENCES, SENTENCES[::-1][:3], SENTENCES):
        ids = batch_to_ids(batch)
        expected = stock(ids)["elmo_representations"]
        for place, vectors in zip(carrying, expected, strict=True):
            assert torch.allclose(place(ids), vectors, rtol=0, atol=1e-9)
    assert (resetting[0](ids) - expected[0]).abs().max() > 1e-3


def test_gradients_of_a_trained_bilm_equal_stock(bilm_files: BiLMFiles) -> None:
    ids = batch_to_ids(SENTENCES)
    stock = stock_elmo(bilm_files, dtype=torch.float64, requires_grad=True)
    embedder, at_output = our_places(bilm_files, dtype=torch.float64, requires_grad=True)
    for first, second in (stock(ids)["elmo_representations"], [embedder(ids), at_output(ids)]):
        (first.sin().sum() + second.pow(2).sum()).backward()
    bilm, stock_lstm, stock_encoder = embedder.bilm, stock._elmo_lstm._elmo_lstm, stock._elmo_lstm._token_embedder
    pairs = [
        (bilm.lstm.layers[1].projection.grad[0], stock_lstm.forward_layer_1.state_projection.weight.grad.t()),
        (bilm.lstm.layers[0].projection.grad[1], stock_lstm.backward_layer_0.state_projection.weight.grad.t()),
        (bilm.encoder.projection.weight.grad, stock_encoder._projection.weight.grad),
        (embedder.mix.weights.grad, torch.cat([p.grad for p in stock.scalar_mix_0.scalar_parameters])),
    ]
    for ours, theirs in pairs:
        assert theirs.abs().max() > 0.1
        assert torch.allclose(ours, theirs, rtol=1e-8, atol=1e-8)


def test_frozen_last_layer_equals_stock_with_given_mix(bilm_files: BiLMFiles) -> None:
    ids = batch_to_ids(SENTENCES)
    stock = Elmo(
        bilm_files.options_file, bilm_files.weights_file, 1, dropout=0.0, scalar_mix_parameters=[-9e10, -9e10, 1]
    )
    embedder = BiLMEmbedder(OPTIONS, weights_file=bilm_files.weights_file, layers="last", train_mix=False, dropout=0.0)
    assert torch.allclose(embedder(ids), stock(ids)["elmo_representations"][0], atol=1e-5)
    assert not embedder(ids).requires_grad


def test_projection_equals_stock(bilm_files: BiLMFiles) -> None:
    from allennlp.modules.token_embedders import ElmoTokenEmbedder

    ids = batch_to_ids(SENTENCES)
    stock = ElmoTokenEmbedder(bilm_files.options_file, bilm_files.weights_file, dropout=0.0, projection_dim=6)
    embedder = BiLMEmbedder(OPTIONS, weights_file=bilm_files.weights_file, dropout=0.0, projection_dim=6)
    embedder.projection.load_state_dict(stock._projection.state_dict())
    assert embedder.get_output_dim() == 6
    assert torch.allclose(embedder(ids), masked(stock(ids), ids), atol=1e-5)
