"""The network against plain loops over its equations, and what must hold for any batch."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.common.util import sanitize
from allennlp.data import Instance
from allennlp.models import Model

from elmo_tasks.errors import InputError
from elmo_tasks.nn.ensemble import Ensemble
from elmo_tasks.reproduce.items import read_items
from elmo_tasks.scoring.squad import score_answer
from elmo_tasks.tasks.squad.model import GRU_DEVIATION, SelfAttentiveReader
from elmo_tasks.tasks.squad.reader import SquadReader
from tests.tasks.conftest import BuildModel
from tests.tasks.networks import gru_loop, padded, softmax, tensors_of, without_gradient

ARMS = ("baseline", "elmo", "elmo_only")
KEYS = ("start_logits", "end_logits")
# What a softmax cancels: all that follows is the same whatever they are.
CANCELLED = {"bi_attention.similarity.bias", "start.bias", "end.bias"}


@pytest.fixture
def build(build_model: BuildModel) -> BuildModel:
    return partial(build_model, "squad")


def result_of(model: Model, instances: list[Instance]) -> dict[str, Any]:
    with torch.no_grad():
        return model(**tensors_of(model, instances))


# --- an independent reference: one question, numpy in float64, loops ---


def characters_loop(w: dict[str, np.ndarray], model: Model, word: str) -> np.ndarray:
    """The largest of 0 and the outputs for the windows that begin in the first 14 characters."""
    prefix = "text_field_embedder.token_embedder_characters."
    embedding = w[f"{prefix}_embedding._module.weight"]
    kernel = w[f"{prefix}_encoder._module.convolution.weight"]
    bias = w[f"{prefix}_encoder._module.convolution.bias"]
    vectors = [embedding[model.vocab.get_token_index(character, "token_characters")] for character in word[:14]]
    beyond = [np.zeros(embedding.shape[1])] * (kernel.shape[2] - 1)
    found = np.zeros(kernel.shape[0])
    for start in range(len(vectors)):
        window = (vectors + beyond)[start : start + kernel.shape[2]]
        found = np.maximum(found, bias + sum(kernel[:, :, k] @ vector for k, vector in enumerate(window)))
    return found


def embedded_loop(model: Model, w: dict[str, np.ndarray], instance: Instance, text: str) -> np.ndarray:
    words = [token.text for token in instance[text].tokens]
    parts = [np.array([characters_loop(w, model, word) for word in words])]
    tensors = tensors_of(model, [instance])[text]
    if "elmo" in tensors:
        with torch.no_grad():
            parts.append(model.text_field_embedder.token_embedder_elmo(**tensors["elmo"])[0].numpy())
    if "tokens" in tensors:
        vectors = w["text_field_embedder.token_embedder_tokens.weight"]
        known = model.vocab.get_token_to_index_vocabulary("tokens")
        parts.append(np.array([vectors[known[w.lower()]] if w.lower() in known else 0 * vectors[0] for w in words]))
    return np.concatenate(parts, axis=1)


def similarity_loop(w: dict[str, np.ndarray], prefix: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    part = {name: w[f"{prefix}.{name}"] for name in ("first.weight", "second.weight", "product", "bias")}
    return np.array(
        [
            [
                part["first.weight"][0] @ a
                + part["second.weight"][0] @ b
                + sum(part["product"][0] * a * b)
                + part["bias"][0]
                for b in second
            ]
            for a in first
        ]
    )


def reader_loop(model: Model, instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """Scores of both ends for each token of one passage, from docs/squad.md and the modules' own equations."""
    w = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    texts = []
    for text in ("passage", "question"):
        encoded = gru_loop(w, "encoder._module.", embedded_loop(model, w, instance, text))
        if model.elmo_at_output is not None:
            with torch.no_grad():
                elmo = model.elmo_at_output(tensors_of(model, [instance])[text])[0].numpy()
            encoded = np.concatenate([encoded, elmo], axis=1)
        texts.append(encoded)
    c, q = texts
    scores = similarity_loop(w, "bi_attention.similarity", c, q)
    of_passage = softmax(scores.max(axis=1)) @ c
    matched = []
    for i in range(len(c)):
        in_question = softmax(scores[i]) @ q
        joined = np.concatenate([c[i], in_question, c[i] * in_question, c[i] * of_passage])
        matched.append(np.maximum(w["match.weight"] @ joined + w["match.bias"], 0.0))
    h = gru_loop(w, "self_attention.encoder._module.", np.array(matched))
    scores = similarity_loop(w, "self_attention.similarity", h, h)
    read = []
    for i in range(len(h)):
        shares = np.exp(scores[i])
        shares[i] = 0.0
        s = shares @ h / (shares.sum() + np.exp(w["self_attention.no_attention"][0]))
        joined = np.concatenate([s, h[i], s * h[i]])
        added = np.maximum(w["self_attention.merge.weight"] @ joined + w["self_attention.merge.bias"], 0.0)
        read.append(matched[i] + added)
    towards_start = gru_loop(w, "start_encoder._module.", np.array(read))
    towards_end = gru_loop(w, "end_encoder._module.", np.concatenate([read, towards_start], axis=1))
    return (
        towards_start @ w["start.weight"][0] + w["start.bias"][0],
        towards_end @ w["end.weight"][0] + w["end.bias"][0],
    )


@pytest.mark.parametrize("arm", ARMS)
def test_the_network_equals_loops_over_the_equations(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    result = result_of(model, instances)
    for row, instance in enumerate(instances):
        length = len(instance["passage"].tokens)
        for key, expected in zip(KEYS, reader_loop(model, instance), strict=True):
            np.testing.assert_allclose(result[key][row, :length], expected, rtol=0, atol=1e-9)
            assert (result[key][row, length:] < -1e30).all()


def test_elmo_stands_at_both_places_with_mixes_that_both_texts_share(build: BuildModel) -> None:
    model, instances = build("elmo")
    before = result_of(model, instances)["start_logits"]
    for mix in (model.text_field_embedder.token_embedder_elmo.mix, model.elmo_at_output.mix):
        with torch.no_grad():
            mix.gamma.mul_(1.5)
        after = result_of(model, instances)["start_logits"]
        assert float((after - before)[:, 0].abs().min()) > 1e-9
        before = after
    assert model.encoder.get_input_dim() == 7 + 12 + 6
    assert model.bi_attention.get_output_dim() == 4 * (8 + 12)
    assert model.match.out_features == model.encoder.get_output_dim() == 8


def test_the_bilm_runs_once_for_each_text_and_reads_whole_passages(build: BuildModel) -> None:
    model, instances = build("elmo")
    shapes = []
    model.text_field_embedder.token_embedder_elmo.bilm.register_forward_hook(
        lambda module, given, made: shapes.append(given[0].shape[:2])
    )
    result_of(model, instances)
    longest = [max(len(instance[text].tokens) for instance in instances) for text in ("passage", "question")]
    assert shapes == [(17, longest[0]), (17, longest[1])]


# --- what holds for any batch ---


@pytest.mark.parametrize("arm", ARMS)
def test_a_batch_gives_each_question_its_own_scores_in_any_order(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    together, reversed_ = result_of(model, instances), result_of(model, instances[::-1])
    for row, instance in enumerate(instances):
        length = len(instance["passage"].tokens)
        alone = result_of(model, [instance])
        for other, other_row in ((together, row), (reversed_, len(instances) - 1 - row)):
            for key in KEYS:
                np.testing.assert_allclose(other[key][other_row, :length], alone[key][0], rtol=0, atol=1e-11)
            assert other["best_span_text"][other_row] == alone["best_span_text"][0]
    assert np.ptp(together["start_logits"][:, 0].numpy()) > 1e-3  # the questions differ at all


@pytest.mark.parametrize("arm", ARMS)
def test_padding_changes_no_score(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    tensors = tensors_of(model, instances[:6])
    longer = padded(tensors)
    for text in ("passage", "question"):
        characters = longer[text]["characters"]
        characters["token_characters"] = torch.nn.functional.pad(characters["token_characters"], (0, 4))
    longer["spans"] = torch.nn.functional.pad(tensors["spans"], (0, 0, 0, 2), value=-1)
    with torch.no_grad():
        with_padding, without = model(**longer), model(**tensors)
    for key in KEYS:
        np.testing.assert_allclose(with_padding[key][:, :-3], without[key], rtol=0, atol=1e-11)
    assert with_padding["best_span_text"] == without["best_span_text"]
    assert float(with_padding["loss"]) == pytest.approx(float(without["loss"]), rel=1e-10)


@pytest.mark.parametrize("arm", ARMS)
def test_gradients_reach_every_trainable_parameter_and_no_other(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    still, frozen = without_gradient(model, instances)
    assert all(".bilm." in name or name == "text_field_embedder.token_embedder_tokens.weight" for name in frozen)
    assert still == frozen | CANCELLED


def test_a_passage_of_one_token_and_one_without_a_blank(build: BuildModel) -> None:
    model, instances = build("elmo")
    reader = SquadReader(token_indexers=instances[0]["passage"].token_indexers)
    requests = [reader.text_to_instance("Who?", text) for text in ("Tom", "湖は" * 2000, "Tom came.")]
    for request in requests:
        reader.apply_token_indexers(request)
    answers = model.forward_on_instances(requests)
    assert [answer["best_span_text"] for answer in answers[:2]] == ["Tom", "湖は" * 2000]
    # a word's beginning is all that is computed with, however long it is
    passage = tensors_of(model, requests)["passage"]
    assert passage["characters"]["token_characters"].shape == (3, 3, 14)
    (elmo,) = passage["elmo"].values()
    assert elmo.shape == (3, 3, 50)


# --- dropout ---


def test_dropout_has_one_mask_a_text_at_the_places_of_the_paper(build: BuildModel) -> None:
    model, instances = build("baseline")
    model.train()
    clean: dict[str, torch.Tensor] = {}
    dropped: dict[str, torch.Tensor] = {}
    parts = {
        "embedded": (model.text_field_embedder, model.encoder),
        "encoded": (model.encoder, model.bi_attention),
        "attended": (model.self_attention, model.start_encoder),
        "self encoded": (model.self_attention.encoder, model.self_attention.similarity),
    }
    for name, (source, target) in parts.items():
        # the passage comes before the question
        source.register_forward_hook(lambda module, given, made, name=name: clean.update({name: clean.get(name, made)}))
        target.register_forward_pre_hook(
            lambda module, given, name=name: dropped.update({name: dropped.get(name, given[0])})
        )
    torch.manual_seed(2)
    with torch.no_grad():
        model(**tensors_of(model, instances))
    lengths = [len(instance["passage"].tokens) for instance in instances]
    for name in parts:
        for row, length in enumerate(lengths):
            there = clean[name][row, :length] != 0
            ratio = torch.where(there, dropped[name][row, :length] / clean[name][row, :length], torch.nan).numpy()
            seen = there.any(dim=0).numpy()
            assert np.allclose(np.nanmin(ratio[:, seen], axis=0), np.nanmax(ratio[:, seen], axis=0)), name
            assert set(np.round(ratio[there.numpy()], 9)) <= {0.0, 1.25}, name
        zeros = (dropped[name] == 0).sum() > (clean[name] == 0).sum()
        assert zeros, name


# --- loss, answers, metric, initial values, mistakes ---


def test_the_loss_is_that_of_both_ends(build: BuildModel) -> None:
    model, instances = build("baseline", {"answers": "all"})
    result = result_of(model, instances)
    losses = []
    for row, instance in enumerate(instances):
        length = len(instance["passage"].tokens)
        for key, end in zip(KEYS, ("span_start", "span_end"), strict=True):
            places = {getattr(span, end) for span in instance["spans"]}
            probabilities = softmax(result[key][row, :length].numpy())
            losses.append(-np.log(sum(probabilities[place] for place in places)))
    assert float(result["loss"]) == pytest.approx(2 * np.mean(losses), rel=1e-10)
    model.train()
    with torch.no_grad():
        training = model(**tensors_of(model, instances))
    assert set(training) == {*KEYS, "loss"}
    assert model.get_metrics(reset=True) != {}


def test_training_draws_one_of_several_answers_anew(build: BuildModel) -> None:
    model, instances = build("baseline", {"dropout": 0.0})
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.train()
    tensors = tensors_of(model, instances[:1])  # with two answers of different beginnings
    assert tensors["spans"].tolist() == [[[3, 7], [4, 7]]]
    with torch.no_grad():
        logits = model(**tensors)
        start, end = (torch.log_softmax(logits[key][0], dim=0) for key in KEYS)
        expected = {round(float(-start[first] - end[7]), 9) for first in (3, 4)}
        assert {round(float(model(**tensors)["loss"]), 9) for _ in range(30)} == expected
        model.eval()
        whole = float(-torch.logaddexp(start[3], start[4]) - end[7])
        assert float(model(**tensors)["loss"]) == pytest.approx(whole)


def test_answers_are_parts_of_the_context_and_the_metric_is_the_scorers(
    build: BuildModel, tmp_path: Path, repository: Path
) -> None:
    model, instances = build("elmo")
    exact, f1, lines = 0.0, 0.0, []
    for batch in (instances[:7], instances[7:]):
        result = model.make_output_human_readable(result_of(model, batch))
        lines.append(json.dumps(sanitize(result)))  # as `allennlp evaluate` writes them
        for row, instance in enumerate(batch):
            metadata = instance["metadata"].metadata
            (answer,) = result["answers"][row]
            first, last = result["best_span"][row].tolist()
            assert (answer["start"], answer["end"]) == (first, last + 1)
            assert answer["start_character"] == metadata["offsets"][first][0]
            assert answer["end_character"] == metadata["offsets"][last][1]
            text = metadata["context"][answer["start_character"] : answer["end_character"]]
            assert answer["text"] == result["best_span_text"][row] == text
            assert result["id"][row] == metadata["id"]
            start, end = (result[key][row].numpy() for key in KEYS)
            assert answer["score"] == pytest.approx(start[first] + end[last])
            assert answer["probability"] == pytest.approx(softmax(start)[first] * softmax(end)[last])
            score = score_answer(text, metadata["answers"])
            exact, f1 = exact + score.exact, f1 + score.f1
    assert f1 > 0
    assert model.get_metrics(reset=True) == pytest.approx({"em": exact / 17, "f1": f1 / 17})
    predictions = tmp_path / "predictions.json"
    predictions.write_text("\n".join(lines), encoding="utf-8")
    items = read_items("squad", predictions, repository / "fixtures" / "squad" / "train.json", f1 / 17)
    assert items is not None
    assert items.scores()[0].sum() == pytest.approx(f1)
    assert model.get_metrics() == {}


def test_the_official_file(build: BuildModel) -> None:
    model, _ = build("baseline")
    assert isinstance(model, SelfAttentiveReader)
    assert "".join(model.official_predictions([('x"', "a"), ("é", "b")])) == '{"a": "x\\"", "b": "\\u00e9"}\n'
    with pytest.raises(InputError, match="has the id of every question; read SQuAD's own file"):
        list(model.official_predictions([("x", "a"), ("y", None)]))


def test_questions_without_answers_or_metadata_are_answered_too(build: BuildModel) -> None:
    model, instances = build("baseline")
    tensors = tensors_of(model, instances[:2])
    with torch.no_grad():
        answer = model(question=tensors["question"], passage=tensors["passage"])
    assert set(answer) == {*KEYS, "best_span"}
    assert model.get_metrics() == {}


def test_an_ensemble_answers_by_the_mean_of_the_scores(build: BuildModel) -> None:
    members = [build("baseline", seed=seed)[0] for seed in (1, 2, 3)]
    _, instances = build("baseline")
    ensemble = Ensemble(members[0].vocab, members).eval()
    found = result_of(ensemble, instances)
    each = [result_of(member, instances) for member in members]
    for row, instance in enumerate(instances):
        length = len(instance["passage"].tokens)
        for key in KEYS:
            mean = sum(one[key][row, :length].numpy() for one in each) / 3
            np.testing.assert_allclose(found[key][row, :length], mean, rtol=0, atol=1e-12)
    assert len({tuple(one["best_span_text"]) for one in (found, *each)}) > 2


def test_initial_values_are_those_of_the_papers_program(build: BuildModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)  # what the fixture adds
    model, _ = build("elmo", config={"model.encoder.hidden_size": 40})
    for encoder in (model.encoder, model.self_attention.encoder, model.start_encoder, model.end_encoder):
        for parameter in encoder.parameters():
            values = parameter.detach().numpy()
            if values.ndim == 1:
                assert not values.any()
                continue
            assert np.abs(values).max() <= 2 * GRU_DEVIATION
            # a normal distribution cut off at two deviations has 0.88 of its deviation
            assert values.std() == pytest.approx(0.88 * GRU_DEVIATION, rel=0.05)
    for layer in (model.match, model.self_attention.merge, model.start, model.end):
        limit = np.sqrt(6 / (layer.in_features + layer.out_features))
        assert 0.9 * limit < float(layer.weight.detach().abs().max()) <= limit
        assert not layer.bias.detach().numpy().any()
    assert float(model.self_attention.no_attention.detach()) == -1.0


def test_words_without_a_vector_are_zero_and_no_words_learn(build: BuildModel) -> None:
    model, _ = build("baseline")
    weight = model.text_field_embedder.token_embedder_tokens.weight
    assert not weight.requires_grad
    unknown = model.vocab.get_token_index("湖は冬に凍る。", "tokens")
    assert unknown == model.vocab.get_token_index(model.vocab._oov_token, "tokens")
    assert not weight[unknown].any()
    assert weight[model.vocab.get_token_index("the", "tokens")].any()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"answers": "some"}, r"model\.answers is 'some', expected one of one, all\."),
        ({"max_answer_length": 0}, r"model\.max_answer_length is 0, expected 1 or more\."),
    ],
)
def test_options_that_make_no_sense(build: BuildModel, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        build("baseline", changes)
