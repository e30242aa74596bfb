"""The tagger against plain loops, and what must hold for any batch."""

import logging
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.data import DatasetReader, Instance
from allennlp.models import Model
from allennlp.predictors import Predictor

from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import Proposition
from elmo_tasks.formats.props import props_lines
from elmo_tasks.formats.tags import Span, decode
from elmo_tasks.scoring.srl_files import score_lines
from elmo_tasks.tasks.srl.predictor import SRLPredictor
from tests.tasks.conftest import BuildModel
from tests.tasks.networks import logits_of, padded, sigmoid, tensors_of, without_gradient

ARMS = ("baseline", "elmo", "elmo_only")
AT_OUTPUT = {"elmo_at_output": {"dropout": 0.0}}
OUTPUT_ALONE = {**AT_OUTPUT, "text_field_embedder.token_embedders.elmo.at_input": False}


@pytest.fixture
def build(build_model: BuildModel) -> BuildModel:
    return partial(build_model, "srl")


def tags_of(model: Model) -> list[str]:
    by_index = model.vocab.get_index_to_token_vocabulary("labels")
    return [by_index[index] for index in range(len(by_index))]


# --- an independent reference: one sentence, numpy in float64, loops over tokens, from AllenNLP's equations ---


def highway_loop(w: dict[str, np.ndarray], prefix: str, inputs: np.ndarray, backward: bool) -> np.ndarray:
    size = w[f"{prefix}state_weight"].shape[0]
    h, c, outputs = np.zeros(size), np.zeros(size), {}
    for position in range(len(inputs) - 1, -1, -1) if backward else range(len(inputs)):
        projected = w[f"{prefix}input_weight"] @ inputs[position]
        gates = projected[: 5 * size] + h @ w[f"{prefix}state_weight"] + w[f"{prefix}bias"]
        i, f, o, r, g = np.split(gates, 5)
        c = sigmoid(i) * np.tanh(g) + sigmoid(f) * c
        h = sigmoid(r) * sigmoid(o) * np.tanh(c) + (1 - sigmoid(r)) * projected[5 * size :]
        outputs[position] = h
    return np.array([outputs[position] for position in range(len(inputs))])


def tagger_loop(model: Model, instance: Instance, at_input: bool = True, at_output: bool = False) -> np.ndarray:
    w = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    tensors = tensors_of(model, [instance])["tokens"]
    words = instance["metadata"]["words"]
    parts = []
    if "elmo" in tensors and at_input:
        with torch.no_grad():
            parts.append(model.text_field_embedder.token_embedder_elmo(**tensors["elmo"])[0].numpy())
    if "tokens" in tensors:
        ids = [model.vocab.get_token_index(word.lower(), "tokens") for word in words]
        parts.append(w["text_field_embedder.token_embedder_tokens.weight"][ids])
    parts.append(w["predicate_embedding.weight"][instance["verb_indicator"].labels])
    hidden = np.concatenate(parts, axis=1)
    for layer in range(3):
        hidden = highway_loop(w, f"encoder.layers.{layer}.", hidden, backward=layer % 2 == 1)
    if at_output:
        with torch.no_grad():
            model.text_field_embedder(tensors)
            hidden = np.concatenate([hidden, model.elmo_at_output(tensors)[0].numpy()], axis=1)
    return hidden @ w["tag_projection.weight"].T + w["tag_projection.bias"]


@pytest.mark.parametrize(
    ("arm", "changes", "places"),
    [
        *[(arm, {}, {}) for arm in ARMS],
        ("elmo", AT_OUTPUT, {"at_output": True}),
        ("elmo", OUTPUT_ALONE, {"at_input": False, "at_output": True}),
    ],
)
def test_the_network_equals_loops_over_the_equations(
    build: BuildModel, arm: str, changes: dict[str, Any], places: dict[str, bool]
) -> None:
    model, instances = build(arm, changes)
    logits = logits_of(model, instances)
    for row, instance in enumerate(instances):
        expected = tagger_loop(model, instance, **places)
        np.testing.assert_allclose(logits[row, : len(expected)], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("loss", ["mean", "sum"])
def test_the_loss_is_over_tokens_and_then_over_instances(build: BuildModel, loss: str) -> None:
    model, instances = build("baseline", {"loss": loss})
    with torch.no_grad():
        result = model(**tensors_of(model, instances))
    names, each = tags_of(model), []
    for row, instance in enumerate(instances):
        tokens = []
        for token, tag in enumerate(instance["tags"].labels):
            scores = result["logits"][row, token].numpy()
            tokens.append(np.logaddexp.reduce(scores) - scores[names.index(tag)])
        each.append(np.mean(tokens) if loss == "mean" else np.sum(tokens))
    assert float(result["loss"]) == pytest.approx(np.mean(each), abs=1e-10)


def test_what_is_orthogonal_at_the_start_and_what_is_zero(build: BuildModel) -> None:
    model, _ = build("baseline")
    torch.manual_seed(1)
    tagger = type(model)(
        model.vocab, model.text_field_embedder, _Lazy(model.encoder.float()), predicate_dim=100, loss="mean"
    )
    weight = tagger.tag_projection.weight.detach()  # more tags than numbers: orthonormal columns
    torch.testing.assert_close(weight.T @ weight, torch.eye(weight.size(1)), atol=1e-5, rtol=0)
    assert not tagger.tag_projection.bias.any()
    bound = (6 / (2 + 100)) ** 0.5  # Glorot uniform
    assert 0.9 * bound < float(tagger.predicate_embedding.weight.detach().abs().max()) <= bound


class _Lazy:
    def __init__(self, made: torch.nn.Module) -> None:
        self._made = made

    def construct(self, **_: Any) -> torch.nn.Module:
        return self._made


# --- what holds for any batch ---


@pytest.mark.parametrize("arm", ARMS)
def test_a_batch_gives_each_instance_its_own_scores_in_any_order(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    with torch.no_grad():
        together = model(**tensors_of(model, instances))
        reversed_ = model(**tensors_of(model, instances[::-1]))
    for row, instance in enumerate(instances):
        length = len(instance["tokens"].tokens)
        with torch.no_grad():
            alone = model(**tensors_of(model, [instance]))
        for other, other_row in ((together, row), (reversed_, len(instances) - 1 - row)):
            scores = other["logits"][other_row, :length]
            np.testing.assert_allclose(scores, alone["logits"][0], rtol=0, atol=1e-12)
            assert other["tags"][other_row] == alone["tags"][0]
    assert np.ptp(together["logits"][:, 0].numpy(), axis=0).min() > 1e-3  # the sentences differ at all


def test_two_predicates_of_a_sentence_have_scores_of_their_own(build: BuildModel) -> None:
    model, instances = build("elmo")
    logits = logits_of(model, instances[1:3])
    assert instances[1]["metadata"]["words"] == instances[2]["metadata"]["words"]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3


@pytest.mark.parametrize("arm", ARMS)
def test_padding_changes_no_score(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    tensors = tensors_of(model, instances[:5])
    longer = padded(tensors)
    for key in ("tags", "verb_indicator"):
        longer[key] = torch.nn.functional.pad(tensors[key], (0, 3))
    with torch.no_grad():
        with_padding, without = model(**longer), model(**tensors)
    for row, instance in enumerate(instances[:5]):
        length = len(instance["tokens"].tokens)
        scores = (result["logits"][row, :length] for result in (with_padding, without))
        np.testing.assert_allclose(*scores, rtol=0, atol=1e-12)
    assert with_padding["tags"] == without["tags"]
    assert float(with_padding["loss"]) == pytest.approx(float(without["loss"]), rel=1e-12)


@pytest.mark.parametrize(("arm", "changes"), [*[(arm, {}) for arm in ARMS], ("elmo", AT_OUTPUT)])
def test_gradients_reach_every_trainable_parameter_and_no_other(
    build: BuildModel, arm: str, changes: dict[str, Any]
) -> None:
    model, instances = build(arm, changes)
    still, frozen = without_gradient(model, instances)
    assert all(".bilm." in name for name in frozen)
    assert still == frozen


# --- metric, predictions, mistakes ---


def props_of(instances: list[Instance], spans: list[list[Span]]) -> list[tuple[int, list[Proposition]]]:
    """Sentences with these spans as the arguments of their predicates."""
    sentences: dict[int, tuple[int, list[Proposition]]] = {}
    for instance, found in zip(instances, spans, strict=True):
        metadata = instance["metadata"]
        _, propositions = sentences.setdefault(metadata["sentence"], (len(metadata["words"]), []))
        if metadata["predicate"] != -1:
            propositions.append(Proposition(metadata["predicate"], metadata["lemma"], "", tuple(found)))
    return list(sentences.values())


def test_the_metric_is_that_of_the_official_files(build: BuildModel) -> None:
    model, instances = build("baseline")
    names, found = tags_of(model), []
    answers: list[tuple[Any, ...]] = []
    for batch in (instances[:5], instances[5:]):
        with torch.no_grad():
            output = model.make_output_human_readable(model(**tensors_of(model, batch)))
        assert set(output) == {"loss", "tags", "arguments", *model.official_keys}
        answers += zip(*(output[key] for key in model.official_keys), strict=True)
        found += [decode(tags, "IOB2") for tags in output["tags"]]
        assert output["arguments"] == [[list(span) for span in spans] for spans in found[-len(batch) :]]
        assert {tag for tags in output["tags"] for tag in tags} <= set(names)
    predicted = list(model.official_predictions(answers))
    assert predicted == list(props_lines(props_of(instances, found)))
    gold = props_lines(props_of(instances, [instance["metadata"]["arguments"] for instance in instances]))
    files = [enumerate((line.encode() for line in lines), start=1) for lines in (gold, predicted)]
    scored, warnings = score_lines(*files)
    assert not warnings
    assert scored.overall.excess > 0
    metrics = model.get_metrics(reset=True)
    expected = {name: getattr(scored.overall, name) / 100 for name in ("precision", "recall", "f1")}
    assert metrics == pytest.approx(expected, abs=1e-12)
    assert all(type(value) is float for value in metrics.values())
    assert model.get_metrics() == {}


def test_right_tags_are_right_and_arguments_without_a_predicate_do_not_count(
    build: BuildModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, instances = build("baseline", {"role_metrics": True})
    tensors = tensors_of(model, instances)
    logits = 50.0 * torch.nn.functional.one_hot(tensors["tags"], len(tags_of(model)))
    (empty, _) = [row for row, one in enumerate(instances) if one["metadata"]["predicate"] == -1]
    logits[empty] = 0.0
    logits[empty, :, tags_of(model).index("B-ARG0")] = 50.0
    monkeypatch.setattr(model.tag_projection, "forward", lambda hidden: logits)
    with torch.no_grad():
        model(**tensors)
    metrics = model.get_metrics(reset=True)
    assert set(metrics.values()) == {1.0}
    labels = {span.label for one in instances for span in one["metadata"]["arguments"]}
    joined = {label.removeprefix("C-") for label in labels} - {"V"}
    assert set(metrics) == {"precision", "recall", "f1"} | {f"f1_{label}" for label in joined}


def test_a_role_that_training_lacks_is_missed_and_said_and_nothing_fails(
    build: BuildModel, repository, caplog: pytest.LogCaptureFixture
) -> None:
    model, instances = build("baseline")
    path = repository / "fixtures" / "srl" / "dev.gold_conll"
    reader = DatasetReader.by_name("paper_srl")(token_indexers=instances[0]["tokens"].token_indexers)
    dev = list(reader.read(path))
    for one in dev:
        reader.apply_token_indexers(one)
        one["tokens"].token_indexers = instances[0]["tokens"].token_indexers
    with torch.no_grad():
        result = model(**tensors_of(model, dev))
    assert np.isfinite(float(result["loss"]))
    with caplog.at_level(logging.WARNING):
        model.get_metrics(reset=True)
    (message,) = [record.getMessage() for record in caplog.records if record.name.endswith("srl.metric")]
    # R-ARG1 and R-ARGM-ADJ
    assert message.startswith("2 gold arguments have a role")
    assert "(first 'R-ARG1' in 'Tom sold the boat that he bought .')" in message


def test_official_files_need_every_predicate(build: BuildModel) -> None:
    model, _ = build("baseline")
    keys = model.official_keys
    assert keys == ("words", "sentence", "proposition", "num_propositions", "predicate", "lemma", "arguments")
    first, second = (
        (["a", "b"], 0, 0, 2, 0, "go", [["V", 0, 1]]),
        (["a", "b"], 0, 1, 2, 1, "be", []),
    )
    assert list(model.official_predictions([first, second])) == ["go  (V*)  *\n", "be  *     *\n", "\n"]
    last = (["c"], 1, 0, 0, -1, "-", [["ARG0", 0, 1]])
    assert list(model.official_predictions([first, second, last]))[-2:] == ["-\n", "\n"]
    for items, missing in (([first], "1 of sentence 0"), ([second], "0 of sentence 0"), ([last], "0 of sentence 0")):
        with pytest.raises(InputError, match=rf"predicate {missing} \(from 0\) is missing: read with keep_without_"):
            list(model.official_predictions(items))
    with pytest.raises(InputError, match="an official file of predictions has all predicates of a file"):
        list(model.official_predictions([(["a"], None, None, None, 0, None, [])]))


def test_sentences_are_not_counted_in_training(build: BuildModel) -> None:
    model, instances = build("baseline")
    model.train()
    with torch.no_grad():
        result = model(**tensors_of(model, instances))
    assert "tags" not in result
    assert model.get_metrics() == {}


def test_a_loss_that_there_is_not(build: BuildModel) -> None:
    with pytest.raises(InputError, match=r"model\.loss is 'max', expected one of mean, sum\."):
        build("baseline", {"loss": "max"})


def test_a_decoding_that_there_is_not(build: BuildModel) -> None:
    with pytest.raises(
        InputError, match=r"model\.decoding is 'sum', expected one of log_probabilities, probabilities\."
    ):
        build("baseline", {"decoding": "sum"})


@pytest.mark.parametrize(
    ("decoding", "expected"), [("log_probabilities", ["O"] * 3), ("probabilities", ["O", "B-ARG0", "I-ARG0"])]
)
def test_what_is_summed_over_a_sequence(
    build: BuildModel, monkeypatch: pytest.MonkeyPatch, decoding: str, expected: list[str]
) -> None:
    model, instances = build("baseline", {"decoding": decoding})
    names = tags_of(model)
    # two words are all but surely inside an argument that all but surely does not begin
    rows = [{"O": 0.98, "B-ARG0": 0.01, "I-ARG0": 0.01}] + [{"O": 0.0999, "B-ARG0": 0.0001, "I-ARG0": 0.9}] * 2
    probabilities = torch.tensor([[row.get(tag, 1e-12) for tag in names] for row in rows])
    instance = next(one for one in instances if len(one["metadata"]["words"]) >= len(rows))
    tensors = tensors_of(model, [instance])
    words = len(instance["metadata"]["words"])
    outside = torch.tensor([1.0 if tag == "O" else 1e-12 for tag in names])
    padded = torch.cat([probabilities, outside.expand(words - len(rows), -1)])
    monkeypatch.setattr(model.tag_projection, "forward", lambda _: padded.log().unsqueeze(0))
    with torch.no_grad():
        (path,) = model(**tensors)["tags"]
    assert [names[tag] for tag in path][: len(rows)] == expected


def test_its_predictor_is_known() -> None:
    assert Predictor.by_name("paper_srl") is SRLPredictor
