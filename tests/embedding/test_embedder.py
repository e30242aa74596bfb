"""What the embedder promises beside its values: frozen or trained, padding, dropout, errors."""

from typing import Any

import pytest
import torch
from allennlp.common import Params
from allennlp.modules import TextFieldEmbedder, TokenEmbedder
from torch.autograd.graph import saved_tensors_hooks

from elmo_tasks.bilm import BiLM, batch_to_ids
from elmo_tasks.embedding.embedder import BiLMEmbedder
from elmo_tasks.errors import InputError

from .conftest import OPTIONS, SENTENCES, BiLMFiles


def embedder(files: BiLMFiles, **options: Any) -> BiLMEmbedder:
    return BiLMEmbedder(OPTIONS, weights_file=files.weights_file, **{"dropout": 0.0, **options})


def saved_numbers(module: torch.nn.Module, ids: torch.Tensor) -> int:
    """How many numbers a forward pass keeps for the gradient."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        result = module(ids)
    assert result.requires_grad
    return sum(kept.values())


def test_frozen_bilm_stays_in_evaluation_mode_and_runs_without_gradients(bilm_files: BiLMFiles) -> None:
    frozen = embedder(bilm_files)
    seen: list[tuple[bool, bool]] = []
    frozen.bilm.register_forward_hook(lambda module, *_: seen.append((module.training, torch.is_grad_enabled())))
    model = torch.nn.Sequential(frozen).train()
    model(batch_to_ids(SENTENCES)).sum().backward()
    assert frozen.training
    assert seen == [(False, False)]
    assert all(parameter.grad is None for parameter in frozen.bilm.parameters())
    assert frozen.mix.weights.grad is not None


def test_frozen_bilm_costs_no_gradient_memory(bilm_files: BiLMFiles) -> None:
    ids = batch_to_ids(SENTENCES)
    layers = 3 * 4 * (7 + 2) * 16
    # Only what the mix keeps: each layer once, and a few numbers of the size of one.
    assert saved_numbers(embedder(bilm_files), ids) < 2 * layers
    assert saved_numbers(embedder(bilm_files, requires_grad=True), ids) > 10 * layers


def test_trained_bilm_learns_and_has_no_dropout(bilm_files: BiLMFiles) -> None:
    trained = embedder(bilm_files, requires_grad=True).train()
    ids = batch_to_ids(SENTENCES)
    before = {name: value.clone() for name, value in trained.bilm.state_dict().items()}
    assert torch.equal(trained(ids), trained(ids))
    trained(ids).sin().sum().backward()
    torch.optim.SGD(trained.parameters(), lr=0.1).step()
    for name, value in trained.bilm.state_dict().items():
        assert not torch.equal(value, before[name]), name


def test_carried_states_do_not_carry_the_graph(bilm_files: BiLMFiles) -> None:
    trained = embedder(bilm_files, requires_grad=True, state_policy="carry")
    for _ in range(2):
        trained(batch_to_ids(SENTENCES)).sum().backward()


def test_unfreezing_later_trains_the_bilm(bilm_files: BiLMFiles) -> None:
    thawed = embedder(bilm_files)
    thawed.bilm.requires_grad_(True)
    thawed(batch_to_ids(SENTENCES)).sum().backward()
    assert all(parameter.grad is not None for parameter in thawed.bilm.parameters())


@pytest.mark.parametrize("options", [{}, {"do_layer_norm": True}, {"projection_dim": 5}, {"layers": "last"}])
def test_padded_places_are_exactly_zero(bilm_files: BiLMFiles, options: dict[str, Any]) -> None:
    ids = batch_to_ids([*SENTENCES, []])
    mask = (ids > 0).any(dim=2)
    vectors = embedder(bilm_files, **options)(ids)
    assert (vectors[~mask] == 0).all()
    assert (vectors[mask].abs().sum(dim=-1) > 0).all()


def test_vectors_depend_on_their_sentence_alone_unless_layers_are_normalised(bilm_files: BiLMFiles) -> None:
    together, alone = batch_to_ids(SENTENCES), batch_to_ids(SENTENCES[:1])
    plain, normed = embedder(bilm_files), embedder(bilm_files, do_layer_norm=True)
    assert torch.allclose(plain(together)[:1], plain(alone), atol=1e-5)
    assert (normed(together)[:1] - normed(alone)).abs().max() > 1e-3


def test_dropout_is_on_single_numbers_after_the_mix(bilm_files: BiLMFiles) -> None:
    dropping = embedder(bilm_files, dropout=0.5)
    ids = batch_to_ids(SENTENCES * 20)
    full = dropping.eval()(ids)
    torch.manual_seed(0)
    dropped = dropping.train()(ids)
    present = full != 0
    kept = dropped[present] != 0
    assert kept.float().mean() == pytest.approx(0.5, abs=0.02)
    assert torch.allclose(dropped[present][kept], 2 * full[present][kept])
    assert not torch.equal(dropped[0] != 0, dropped[4] != 0)


def test_mixed_precision_leaves_the_bilm_in_float32(bilm_files: BiLMFiles) -> None:
    ids = batch_to_ids(SENTENCES)
    for trained in (False, True):
        module = embedder(bilm_files, requires_grad=trained, do_layer_norm=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            vectors = module(ids)
        assert torch.equal(vectors, module(ids))
        vectors.sum().backward()


def test_half_precision_weight_files_are_used_in_float32(bilm_files: BiLMFiles, tmp_path: Any) -> None:
    half = str(tmp_path / "half.hdf5")
    BiLM.from_files(bilm_files.options_file, bilm_files.weights_file).save_weights(half, "float16")
    module = BiLMEmbedder(options_file=bilm_files.options_file, weights_file=half, dropout=0.0)
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    assert torch.allclose(
        module(batch_to_ids(SENTENCES)), embedder(bilm_files)(batch_to_ids(SENTENCES)), atol=0.1, rtol=0.0
    )


def test_construction_from_a_config_and_inside_a_text_field_embedder(bilm_files: BiLMFiles) -> None:
    config = {
        "token_embedders": {
            "elmo": {"type": "bilm", "options": OPTIONS, "weights_file": bilm_files.weights_file, "dropout": 0.0},
            "tokens": {"type": "embedding", "embedding_dim": 3, "num_embeddings": 9},
        }
    }
    module = TextFieldEmbedder.from_params(Params(config))
    ids = batch_to_ids(SENTENCES)
    words = torch.ones(4, 7, dtype=torch.long)
    vectors = module({"elmo": {"character_ids": ids}, "tokens": {"tokens": words}})
    assert module.get_output_dim() == vectors.size(-1) == 19
    assert torch.equal(vectors[..., :16], embedder(bilm_files)(ids))


def test_wrapped_texts_equal_their_rows(bilm_files: BiLMFiles) -> None:
    from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder

    ids = batch_to_ids(SENTENCES).view(2, 2, 7, 50)
    module = BasicTextFieldEmbedder({"elmo": embedder(bilm_files)})
    tensors = {"elmo": {"character_ids": ids}}
    expected = embedder(bilm_files)(ids.view(4, 7, 50)).view(2, 2, 7, 16)
    assert torch.equal(module(tensors), expected)
    assert torch.equal(module(tensors, num_wrapping_dims=1), expected)
    assert embedder(bilm_files)(ids[:, :, :0]).shape == (2, 2, 0, 16)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "either options or options_file; neither is given"),
        ({"options": OPTIONS, "options_file": "o.json"}, "either options or options_file; both are given"),
        ({"options_file": "gone.json"}, r"gone\.json: the biLM's options file does not exist.*--overrides"),
        ({"options": {"lstm": {}}}, "the options of the embedder 'bilm': no 'char_cnn'"),
        ({"options": OPTIONS, "weights_file": "gone.hdf5"}, r"gone\.hdf5: the biLM's weight file cannot be read"),
        ({"options": OPTIONS, "state_policy": "keep"}, "state_policy is 'keep'"),
        ({"options": OPTIONS, "layers": "first"}, "layers is 'first'"),
    ],
)
def test_wrong_settings(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        BiLMEmbedder(**options)


def test_indexer_and_bilm_that_do_not_fit(bilm_files: BiLMFiles) -> None:
    with pytest.raises(
        InputError, match=r'gives 20 characters a token, the biLM reads 50.*"max_characters_per_token": 50'
    ):
        embedder(bilm_files)(batch_to_ids(SENTENCES, 20))


def test_weights_that_never_come_and_weights_that_come_with_a_state(bilm_files: BiLMFiles) -> None:
    ids = batch_to_ids(SENTENCES)
    params = {"type": "bilm", "options": OPTIONS, "weights_file": "gone.hdf5", "dropout": 0.0}
    late = TokenEmbedder.from_params(Params(params))
    with pytest.raises(InputError, match=r"gone\.hdf5: .* cannot be read.* saved model .*--overrides"):
        late(ids)
    with pytest.raises(RuntimeError, match="Missing key"):
        late.load_state_dict({"mix.weights": torch.zeros(3)})
    with pytest.raises(InputError, match="saved model"):
        late(ids)
    source = embedder(bilm_files)
    torch.nn.Sequential(late).load_state_dict(torch.nn.Sequential(source).state_dict())
    assert torch.equal(late(ids), source(ids))


def test_training_does_not_start_without_weights() -> None:
    params = {"type": "bilm", "options": OPTIONS, "weights_file": "gone.hdf5"}
    with pytest.raises(InputError, match=r"gone\.hdf5: the biLM's weight file cannot be read"):
        TokenEmbedder.from_params(Params(params), ddp_accelerator=None)
    with pytest.raises(InputError, match="has no weights_file; training needs"):
        TokenEmbedder.from_params(Params({"type": "bilm", "options": OPTIONS}), ddp_accelerator=None)
