"""The network against plain loops over its equations, and what must hold for any batch."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.data import Instance
from allennlp.models import Model

from elmo_tasks.errors import InputError
from elmo_tasks.formats.snli import LABELS
from elmo_tasks.tasks.snli.model import ESIM, attend
from elmo_tasks.tasks.snli.reader import SNLIReader
from tests.tasks.conftest import BuildModel
from tests.tasks.networks import logits_of, lstm_loop, padded, softmax, tensors_of, without_gradient

ARMS = ("baseline", "elmo", "elmo_only")
ELMO = "text_field_embedder.token_embedders.elmo"
# With layer norm ELMo's numbers depend on the batch (docs/snli.md); everything else must not.
NO_LAYER_NORM = {f"{ELMO}.do_layer_norm": False, "elmo_at_output.do_layer_norm": False}


def changes_of(arm: str) -> dict[str, Any]:
    return {} if arm == "baseline" else NO_LAYER_NORM


@pytest.fixture
def build(build_model: BuildModel) -> BuildModel:
    return partial(build_model, "snli")


# --- an independent reference: one pair, numpy in float64, loops ---


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def encode_loop(w: dict[str, np.ndarray], embedded: np.ndarray, output_elmo: np.ndarray | None) -> np.ndarray:
    encoded = lstm_loop(w, "encoder._module.", embedded)
    return encoded if output_elmo is None else np.concatenate([encoded, output_elmo], axis=1)


def compose_loop(w: dict[str, np.ndarray], one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean and maximum over the words of one text that has read the other."""
    rows = []
    for word in one:
        weights = softmax(np.array([word @ second for second in other]))
        read = sum(weight * second for weight, second in zip(weights, other, strict=True))
        joined = np.concatenate([word, read, word - read, word * read])
        layer = "projection_feedforward._linear_layers.0."
        rows.append(relu(w[f"{layer}weight"] @ joined + w[f"{layer}bias"]))
    composed = lstm_loop(w, "inference_encoder._module.", np.array(rows))
    return np.concatenate([composed.mean(axis=0), composed.max(axis=0)])


def esim_loop(w: dict[str, np.ndarray], premise: np.ndarray, hypothesis: np.ndarray) -> np.ndarray:
    """Scores of the labels from the words that the first biLSTM gives."""
    pooled = np.concatenate([compose_loop(w, premise, hypothesis), compose_loop(w, hypothesis, premise)])
    layer = "output_feedforward._linear_layers.0."
    hidden = relu(w[f"{layer}weight"] @ pooled + w[f"{layer}bias"])
    return w["output_layer.weight"] @ hidden + w["output_layer.bias"]


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("arm", ARMS)
def test_the_network_equals_loops_over_the_equations(build: BuildModel, arm: str, layer_norm: bool) -> None:
    model, instances = build(arm, {} if layer_norm else changes_of(arm))
    w = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    logits = logits_of(model, instances)
    tensors = tensors_of(model, instances)
    embedded, from_elmo = {}, {}
    with torch.no_grad():
        for text in ("premise", "hypothesis"):
            embedded[text] = model.text_field_embedder(tensors[text]).numpy()
            if arm != "baseline":
                from_elmo[text] = model.elmo_at_output(tensors[text]).numpy()
    for row, instance in enumerate(instances):
        encoded = []
        for text in ("premise", "hypothesis"):
            length = len(instance[text].tokens)
            elmo = from_elmo[text][row, :length] if from_elmo else None
            encoded.append(encode_loop(w, embedded[text][row, :length], elmo))
        np.testing.assert_allclose(logits[row], esim_loop(w, *encoded), rtol=0, atol=1e-9)


def test_elmo_stands_at_both_places_with_mixes_of_its_own(build: BuildModel) -> None:
    model, instances = build("elmo", NO_LAYER_NORM)
    embedder = model.text_field_embedder.token_embedder_elmo
    before = logits_of(model, instances)
    for mix in (embedder.mix, model.elmo_at_output.mix):
        with torch.no_grad():
            mix.gamma.mul_(1.5)
        after = logits_of(model, instances)
        assert np.abs(after - before).min(axis=0).max() > 1e-6
        before = after
    assert model.encoder.get_input_dim() == 12 + 6
    assert model.projection_feedforward.get_input_dim() == 4 * (10 + 12)


def test_the_bilm_runs_once_for_each_text(build: BuildModel) -> None:
    model, instances = build("elmo")
    runs = []
    model.text_field_embedder.token_embedder_elmo.bilm.register_forward_hook(lambda *_: runs.append(1))
    logits_of(model, instances)
    assert len(runs) == 2


# --- attention ---


def test_each_text_reads_only_the_words_of_the_other() -> None:
    generator = torch.Generator().manual_seed(3)
    first, second = (torch.randn(3, length, 4, dtype=torch.float64, generator=generator) for length in (5, 3))
    lengths = ((5, 2, 1), (1, 3, 2))
    masks = [torch.arange(max(ns)) < torch.tensor(ns).unsqueeze(1) for ns in lengths]
    reads_second, reads_first = attend(first, masks[0], second, masks[1])
    a, b = first.numpy(), second.numpy()
    for row in range(3):
        n, m = lengths[0][row], lengths[1][row]
        for i in range(n):
            weights = softmax(np.array([a[row, i] @ b[row, j] for j in range(m)]))
            np.testing.assert_allclose(reads_second[row, i], weights @ b[row, :m], rtol=0, atol=1e-12)
        for j in range(m):
            weights = softmax(np.array([a[row, i] @ b[row, j] for i in range(n)]))
            np.testing.assert_allclose(reads_first[row, j], weights @ a[row, :n], rtol=0, atol=1e-12)


# --- dropout ---


def inputs_and_outputs(model: Model, batch: list[Instance]) -> dict[str, list[torch.Tensor]]:
    """What goes into each part of a model in training, and what comes out, call by call."""
    seen: dict[str, list[torch.Tensor]] = {}
    for name in ("text_field_embedder", "encoder", "projection_feedforward", "inference_encoder", "output_feedforward"):
        part = getattr(model, name)
        part.register_forward_hook(
            lambda _, given, made, name=name: (
                (
                    seen.setdefault(f"{name} in", []).append(given[0]),
                    seen.setdefault(f"{name} out", []).append(made),
                )[-1:]
                and None
            )
        )
    model.output_layer.register_forward_pre_hook(
        lambda _, given: seen.setdefault("output_layer in", []).append(given[0])
    )
    torch.manual_seed(2)
    with torch.no_grad():
        model.train()(**tensors_of(model, batch))
    return seen


def factors(clean: torch.Tensor, dropped: torch.Tensor) -> np.ndarray:
    """By what dropout has multiplied each number that is not 0."""
    there = clean != 0
    return np.round((dropped[there] / clean[there]).numpy(), 9)


def test_dropout_at_the_inputs_of_both_bilstms_has_one_mask_a_text(build: BuildModel) -> None:
    model, instances = build("baseline")
    seen = inputs_and_outputs(model, instances)
    for source, target in (("text_field_embedder", "encoder"), ("projection_feedforward", "inference_encoder")):
        for clean, dropped in zip(seen[f"{source} out"], seen[f"{target} in"], strict=True):
            assert set(factors(clean, dropped)) == {0.0, 2.0}
            # a number that is dropped at one word is dropped at all words
            ratio = torch.where(clean != 0, dropped / clean, 1.0)
            was_dropped, was_kept = (ratio == 0).any(dim=1), (ratio > 1.5).any(dim=1)
            assert not (was_dropped & was_kept).any()


def test_dropout_at_the_input_of_the_last_two_layers(build: BuildModel) -> None:
    model, instances = build("baseline")
    seen = inputs_and_outputs(model, instances)
    assert set(factors(seen["output_feedforward out"][0], seen["output_layer in"][0])) == {0.0, 2.0}
    zeros = (seen["output_feedforward in"][0] == 0).double().mean()
    assert 0.3 < float(zeros) < 0.7


def test_dropout_behind_the_attention_layer_is_elmos_arm_alone(build: BuildModel) -> None:
    shares = {}
    for arm in ("baseline", "elmo"):
        model, instances = build(arm)
        seen = inputs_and_outputs(model, instances[:1])
        shares[arm] = [float((given == 0).double().mean()) for given in seen["projection_feedforward in"]]
    assert shares["baseline"] == [0.0, 0.0]
    assert all(0.35 < share < 0.65 for share in shares["elmo"])


# --- what holds for any batch ---


@pytest.mark.parametrize("arm", ARMS)
def test_a_batch_gives_each_pair_its_own_scores_in_any_order(build: BuildModel, arm: str) -> None:
    model, instances = build(arm, changes_of(arm))
    together = logits_of(model, instances)
    alone = np.concatenate([logits_of(model, [instance]) for instance in instances])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-12)
    np.testing.assert_allclose(logits_of(model, instances[::-1])[::-1], together, rtol=0, atol=1e-12)
    assert np.ptp(together, axis=0).min() > 1e-3  # the pairs differ at all


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("arm", ARMS)
def test_padding_changes_no_score(build: BuildModel, arm: str, layer_norm: bool) -> None:
    model, instances = build(arm, {} if layer_norm else changes_of(arm))
    tensors = tensors_of(model, instances[:6])
    with torch.no_grad():
        longer, shorter = model(**padded(tensors))["logits"], model(**tensors)["logits"]
    np.testing.assert_allclose(longer, shorter, rtol=0, atol=1e-12)


def test_premise_and_hypothesis_are_not_the_same_to_it(build: BuildModel) -> None:
    model, instances = build("baseline")
    tensors = tensors_of(model, instances)
    turned = {**tensors, "premise": tensors["hypothesis"], "hypothesis": tensors["premise"]}
    with torch.no_grad():
        assert float((model(**turned)["logits"] - model(**tensors)["logits"]).abs().min(dim=1).values.max()) > 1e-3


@pytest.mark.parametrize("arm", ARMS)
def test_gradients_reach_every_trainable_parameter_and_no_other(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    still, frozen = without_gradient(model, instances)
    assert all(".bilm." in name or name == "text_field_embedder.token_embedder_tokens.weight" for name in frozen)
    assert still == frozen


# --- loss, metric, penalty, initial values, mistakes ---


def test_loss_and_accuracy_are_those_of_the_probabilities(build: BuildModel) -> None:
    model, instances = build("baseline")
    total, right = [], 0
    for batch in (instances[:7], instances[7:]):
        with torch.no_grad():
            result = model(**tensors_of(model, batch))
        gold = [instance["label"].label for instance in batch]
        chosen = np.array([softmax(row) for row in result["logits"].numpy()])
        np.testing.assert_allclose(result["probabilities"], chosen, rtol=0, atol=1e-12)
        losses = [-np.log(row[label]) for row, label in zip(chosen, gold, strict=True)]
        assert float(result["loss"]) == pytest.approx(np.mean(losses))
        total += losses
        right += sum(int(row.argmax() == label) for row, label in zip(chosen, gold, strict=True))
    assert 0 < right < len(instances)
    figures = model.get_metrics(reset=True)
    assert figures == {"accuracy": pytest.approx(right / len(instances))}
    assert type(figures["accuracy"]) is float
    assert model.get_metrics() == {}


def test_answers_have_names(build: BuildModel) -> None:
    model, instances = build("baseline")
    batch = instances[:5]
    logits = logits_of(model, batch)
    for answer, row, instance in zip(model.forward_on_instances(batch), logits, batch, strict=True):
        assert list(answer["probabilities"]) == list(LABELS)
        np.testing.assert_allclose(list(answer["probabilities"].values()), softmax(row), atol=1e-6)
        assert answer["label"] == LABELS[int(row.argmax())]
        assert answer["pair_id"] == instance["metadata"]["pair_id"]
        assert answer["premise"] == instance["metadata"]["premise"]


def test_the_official_file_needs_the_ids(build: BuildModel) -> None:
    model, _ = build("baseline")
    lines = list(model.official_predictions([("neutral", "a#1"), ("entailment", 'b"')]))
    assert lines == ['{"pairID": "a#1", "label": "neutral"}\n', '{"pairID": "b\\"", "label": "entailment"}\n']
    with pytest.raises(InputError, match="has the pairID of every pair; read SNLI's own file"):
        list(model.official_predictions([("neutral", None)]))


def test_the_penalty_is_lambda_on_the_mixes_and_l2_on_every_matrix(build: BuildModel) -> None:
    model, _ = build("elmo")
    mixes = [model.text_field_embedder.token_embedder_elmo.mix.weights, model.elmo_at_output.mix.weights]
    expected = 0.001 * sum(float((mix.detach() ** 2).sum()) for mix in mixes)
    matrices = [
        parameter
        for name, parameter in model.named_parameters()
        if parameter.dim() == 2 and parameter.requires_grad and "mix" not in name
    ]
    # two LSTMs of two directions with two matrices each, and three linear layers
    assert len(matrices) == 2 * 2 * 2 + 3
    expected += 0.0001 * sum(float((matrix.detach() ** 2).sum()) for matrix in matrices)
    assert float(model.get_regularization_penalty().detach()) == pytest.approx(expected)
    assert build("baseline")[0].get_regularization_penalty() in (None, 0.0)


def test_initial_values_are_those_of_the_config(build: BuildModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # what the fixture adds
    model, _ = build("elmo")
    for part, size in ((model.encoder, 5), (model.inference_encoder, 4)):
        for name, parameter in part.named_parameters():
            values = parameter.detach().numpy()
            if "weight_hh" in name:
                np.testing.assert_allclose(values.T @ values, np.eye(size), atol=1e-6)
            elif "bias_ih" in name:
                assert not values.any()
            elif "bias_hh" in name:
                np.testing.assert_array_equal(values, np.repeat([0.0, 1.0, 0.0, 0.0], size))
            else:
                assert np.abs(values).max() <= np.sqrt(6 / sum(values.shape))
    for layer in (model.projection_feedforward._linear_layers[0], model.output_layer):
        assert not layer.bias.detach().numpy().any()
        assert float(layer.weight.detach().abs().max()) <= np.sqrt(6 / sum(layer.weight.shape))
    assert not model.elmo_at_output.mix.weights.detach().numpy().any()


def test_pairs_without_metadata_or_label_are_answered_too(build: BuildModel) -> None:
    model, instances = build("baseline")
    tensors = tensors_of(model, instances[:2])
    with torch.no_grad():
        answer = model(premise=tensors["premise"], hypothesis=tensors["hypothesis"])
    assert set(answer) == {"logits", "probabilities"}
    reader = SNLIReader(token_indexers=instances[0]["premise"].token_indexers)
    request = reader.text_to_instance(["Dogs"], ["Animals", "run"])
    reader.apply_token_indexers(request)
    assert "pair_id" not in model.forward_on_instance(request)


def test_its_predictor_is_known() -> None:
    assert ESIM.default_predictor == "paper_snli"
    assert Model.by_name("paper_snli") is ESIM
