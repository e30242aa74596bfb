"""The biattentive network against plain loops, and what must hold for any batch."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.models import Model

from elmo_tasks.bilm import BiLM
from elmo_tasks.errors import InputError
from elmo_tasks.tasks.sst5.model import BiattentiveClassificationNetwork, attend_to_self, pool
from tests.tasks.conftest import BuildModel
from tests.tasks.networks import logits_of, lstm_loop, padded, softmax, tensors_of, without_gradient

ARMS = ("baseline", "elmo", "elmo_only")
# Over what ELMo adds in elmo.jsonnet: the places and switches of docs/sst5.md.
PLACES: dict[str, dict[str, Any]] = {
    "input and encoder": {},
    "input alone": {"elmo_at_output": None},
    "output alone": {"text_field_embedder.token_embedders.elmo.at_input": False},
    "integrator, as in the first port": {"elmo_output_place": "integrator", "elmo_output_bilstm": False},
    "integrator, with a biLSTM": {"elmo_output_place": "integrator"},
    "encoder, without a biLSTM": {"elmo_output_bilstm": False},
}
MAXOUT = {"output": "maxout"}


@pytest.fixture
def build(build_model: BuildModel) -> BuildModel:
    return partial(build_model, "sst5")


# --- an independent reference: one text, numpy in float64, loops over positions ---


def attention_loop(encoded: np.ndarray) -> np.ndarray:
    contexts = []
    for reader in encoded:
        weights = softmax(np.array([reader @ read for read in encoded]))
        contexts.append(sum(weight * read for weight, read in zip(weights, encoded, strict=True)))
    return np.array(contexts)


def pool_loop(vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    by_dimension = [sorted(column) for column in vectors.T]
    return np.array(
        [column[-1] for column in by_dimension]
        + [sum(column) / len(column) for column in by_dimension]
        + [column[0] for column in by_dimension]
        + [sum(w * v for w, v in zip(weights, column, strict=True)) for column in vectors.T]
    )


def bcn_loop(model: Model, words: np.ndarray, output_elmo: np.ndarray | None) -> np.ndarray:
    """Logits of one text from its embedded words and what the mix of the output place gives for it."""
    w = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    feed = "pre_encode_feedforward._linear_layers.0."
    hidden = np.array([np.maximum(0, w[f"{feed}weight"] @ word + w[f"{feed}bias"]) for word in words])
    encoded = lstm_loop(w, "encoder._module.", hidden)
    place = model._elmo_output_place
    if output_elmo is not None and model.elmo_encoder is not None:
        output_elmo = lstm_loop(w, "elmo_encoder._module.", output_elmo)
    if output_elmo is not None and place == "encoder":
        encoded = np.concatenate([encoded, output_elmo], axis=1)
    context = attention_loop(encoded)
    integrated = lstm_loop(w, "integrator._module.", np.concatenate([encoded, encoded - context, encoded * context], 1))
    if output_elmo is not None and place == "integrator":
        integrated = np.concatenate([integrated, output_elmo], axis=1)
    beta = softmax(np.array([w["self_attention.weight"][0] @ row + w["self_attention.bias"][0] for row in integrated]))
    x = pool_loop(integrated, beta)
    if "output._layers.1.weight" in w:
        for layer in range(2):
            name = f"output._layers.0._linear_layers.{layer}."
            x = np.maximum(0, w[f"{name}weight"] @ x + w[f"{name}bias"])
        return w["output._layers.1.weight"] @ x + w["output._layers.1.bias"]
    for layer in range(3):
        name = f"output._layers._linear_layers.{layer}."
        values = w[f"{name}weight"] @ x + w[f"{name}bias"]
        x = np.array([max(values[4 * unit : 4 * unit + 4]) for unit in range(len(values) // 4)])
    return x


@pytest.mark.parametrize(
    ("arm", "changes"),
    [("baseline", {}), ("baseline", MAXOUT), ("elmo_only", {}), *(("elmo", changes) for changes in PLACES.values())],
    ids=["baseline", "maxout", "elmo_only", *PLACES],
)
def test_the_network_equals_loops_over_the_equations(build: BuildModel, arm: str, changes: dict[str, Any]) -> None:
    model, instances = build(arm, changes)
    logits = logits_of(model, instances[:6])
    for row, instance in enumerate(instances[:6]):
        tensors = tensors_of(model, [instance])
        with torch.no_grad():
            words = model.text_field_embedder(tensors["tokens"])[0].numpy()
            output_elmo = None if model.elmo_at_output is None else model.elmo_at_output(tensors["tokens"])[0].numpy()
        np.testing.assert_allclose(logits[row], bcn_loop(model, words, output_elmo), rtol=0, atol=1e-10)


def test_attention_and_pooling_equal_loops_whatever_stands_at_padding() -> None:
    generator = np.random.default_rng(4)
    vectors = generator.normal(size=(5, 7, 3)) * 4
    lengths = [7, 1, 3, 6, 2]
    mask = np.arange(7)[None] < np.array(lengths)[:, None]
    vectors[~mask] = 1e4
    weights = np.where(mask, generator.random((5, 7)), 0.0)
    contexts = attend_to_self(torch.tensor(vectors), torch.tensor(mask)).numpy()
    pooled = pool(torch.tensor(vectors), torch.tensor(weights), torch.tensor(mask)).numpy()
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(contexts[row, :length], attention_loop(vectors[row, :length]), atol=1e-12)
        np.testing.assert_allclose(pooled[row], pool_loop(vectors[row, :length], weights[row, :length]), atol=1e-12)


# --- what holds for any batch ---


@pytest.mark.parametrize("arm", ARMS)
def test_a_batch_gives_each_text_its_own_scores_in_any_order(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    together = logits_of(model, instances)
    alone = np.concatenate([logits_of(model, [instance]) for instance in instances])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)
    np.testing.assert_allclose(logits_of(model, instances[::-1])[::-1], together, rtol=0, atol=1e-12)
    assert np.ptp(together, axis=0).min() > 1e-3  # the texts differ at all


@pytest.mark.parametrize("arm", ARMS)
def test_padding_changes_no_score(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    tensors = tensors_of(model, instances[:5])
    with torch.no_grad():
        np.testing.assert_allclose(model(**padded(tensors))["logits"], model(**tensors)["logits"], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("arm", "changes"),
    [("baseline", {}), ("baseline", MAXOUT), *(("elmo", changes) for changes in PLACES.values())],
    ids=["baseline", "maxout", *PLACES],
)
def test_gradients_reach_every_trainable_parameter_and_no_other(
    build: BuildModel, arm: str, changes: dict[str, Any]
) -> None:
    model, instances = build(arm, changes)
    still, frozen = without_gradient(model, instances)
    assert all(".bilm." in name or name.endswith("token_embedder_tokens.weight") for name in frozen)
    assert still == frozen | {"self_attention.bias"}  # which a softmax cancels


def test_the_loss_is_the_mean_cross_entropy_and_the_metric_the_share_of_hits(build: BuildModel) -> None:
    model, instances = build("baseline")
    with torch.no_grad():
        result = model(**tensors_of(model, instances))
    gold = np.array([instance["label"].label for instance in instances])
    probabilities = result["probabilities"].numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    expected = -np.mean(
        [np.log(softmax(row)[label]) for row, label in zip(result["logits"].numpy(), gold, strict=True)]
    )
    assert float(result["loss"]) == pytest.approx(expected, abs=1e-12)
    metrics = model.get_metrics(reset=True)
    assert metrics == {"accuracy": pytest.approx(np.mean(probabilities.argmax(axis=1) == gold))}
    assert type(metrics["accuracy"]) is float
    assert model.get_metrics() == {"accuracy": 0.0}


def test_the_bilm_runs_once_a_batch_for_both_places(build: BuildModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model, instances = build("elmo")
    runs = []
    forward = BiLM.forward
    monkeypatch.setattr(BiLM, "forward", lambda self, *args, **kwargs: runs.append(1) or forward(self, *args, **kwargs))
    logits_of(model, instances)
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("place", "pooled"),
    # 2 * 4 of the integrator, 2 * 6 of ELMo, 2 * 5 of a biLSTM on it; docs/sst5.md has 2400 -> 6496 at full size
    [
        ("input and encoder", 4 * 8),
        ("integrator, as in the first port", 4 * (8 + 12)),
        ("integrator, with a biLSTM", 4 * 18),
    ],
)
def test_sizes_follow_from_one_another(build: BuildModel, place: str, pooled: int) -> None:
    model, _ = build("elmo", PLACES[place])
    assert model.output._layers[0].get_input_dim() == pooled
    assert model.integrator.get_input_dim() == 3 * (20 if "encoder" in place else 10)
    assert model.encoder.get_input_dim() == 7
    assert model.pre_encode_feedforward.get_input_dim() == 6 + 12


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"granularity": "five"}, "granularity is 'five', expected one of '5-class'"),
        ({"elmo_output_place": "middle"}, "model.elmo_output_place is 'middle', expected one of encoder, integrator"),
    ],
)
def test_options_that_make_no_sense(build: BuildModel, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises((InputError, ConfigurationError), match=sentence):
        build("elmo", changes)


def test_reader_and_model_must_agree_on_the_classes(build: BuildModel) -> None:
    model, instances = build("baseline", {"granularity": "3-class"})
    with pytest.raises(InputError, match=r"model\.granularity is '3-class' but the dataset reader's is '5-class'"):
        logits_of(model, instances)


def test_its_predictor_is_known() -> None:
    assert BiattentiveClassificationNetwork.default_predictor == "paper_sst5"
    assert Model.by_name("paper_sst5") is BiattentiveClassificationNetwork
