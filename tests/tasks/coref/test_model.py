"""The model against plain loops in float64, and what must hold for any batch, block and window."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.data import Instance
from allennlp.data.token_indexers import TokenCharactersIndexer
from allennlp.data.tokenizers import CharacterTokenizer
from allennlp.models import Model
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder

from elmo_tasks.embedding.word_indexer import WordIndexer
from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import Mention, read_documents
from elmo_tasks.nn.coupled_lstm import CoupledLSTM
from elmo_tasks.scoring.coref_files import score_lines
from elmo_tasks.tasks.coref.model import EndToEndCoreference
from elmo_tasks.tasks.coref.reader import CorefReader
from tests.tasks.conftest import BuildModel
from tests.tasks.networks import sigmoid, softmax, tensors_of

ARMS = ("baseline", "elmo", "elmo_only")
# ELMo's columns in the arm with all: characters come before them, and words behind.
ELMO = slice(9, 9 + 12)


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    """For AllenNLP's CNN, whose masks have the default type whatever the model's is."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def build(build_model: BuildModel) -> BuildModel:
    return partial(build_model, "coref")


def run(model: Model, instances: list[Instance]) -> dict[str, Any]:
    with torch.no_grad():
        return dict(model(**tensors_of(model, instances)))


def scores_of(model: EndToEndCoreference, instance: Instance) -> torch.Tensor:
    seen = []
    hook = model.pairs.register_forward_hook(lambda *call: seen.append(call[2]))
    run(model, [instance])
    hook.remove()
    return seen[0]


def with_indexers(instance: Instance) -> Instance:
    """The baseline's."""
    marks = CharacterTokenizer(start_tokens=["<w>", "<w>"], end_tokens=["</w>", "</w>"])
    characters = TokenCharactersIndexer(min_padding_length=5, character_tokenizer=marks)
    indexers = {"tokens": WordIndexer(lowercase_tokens=True), "characters": characters}
    CorefReader(token_indexers=indexers).apply_token_indexers(instance)
    return instance


# --- an independent reference: one document, numpy in float64, loops ---


def lstm_loop(w: dict[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    halves = []
    for direction, step in (("forwards", 1), ("backwards", -1)):
        part = {name: w[f"encoder.{direction}.{name}"] for name in ("input_weight", "state_weight", "bias")}
        h, c, outputs = w[f"encoder.{direction}.initial_hidden"], w[f"encoder.{direction}.initial_cell"], []
        for x in inputs[::step]:
            i, o, g = np.split(part["input_weight"] @ x + h @ part["state_weight"] + part["bias"], 3)
            c = (1 - sigmoid(i)) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        halves.append(outputs[::step])
    return np.concatenate([np.array(half) for half in halves], axis=1)


def network(w: dict[str, np.ndarray], prefix: str, x: np.ndarray) -> float:
    for number in (0, 1):
        x = np.maximum(w[f"{prefix}.hidden.{number}.weight"] @ x + w[f"{prefix}.hidden.{number}.bias"], 0)
    return float((w[f"{prefix}.output.weight"] @ x + w[f"{prefix}.output.bias"])[0])


def document_loop(
    model: EndToEndCoreference, instance: Instance, elmo_columns: list[int] | None
) -> tuple[list[Mention], list[list[Mention]], float]:
    """Kept spans, clusters and loss of a document."""
    w = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    item = instance["metadata"].metadata
    tensors = tensors_of(model, [instance])
    with torch.no_grad():
        embedded = model.text_field_embedder(tensors["sentences"], num_wrapping_dims=1)[0].numpy()
    candidates = []
    for number, words in enumerate(item["words"]):
        x = embedded[number, : len(words)]
        h = lstm_loop(w, x)
        head_of = np.delete(x, elmo_columns, axis=1) if elmo_columns else x
        for start in range(len(words)):
            for end in range(start + 1, min(start + 10, len(words)) + 1):
                attention = softmax(h[start:end] @ w["spans.attention.weight"][0])
                g = np.concatenate(
                    [h[start], h[end - 1], w["spans.width"][end - start - 1], attention @ head_of[start:end]]
                )
                candidates.append((Mention(number, start, end), network(w, "spans.scorer", g), g))
    count = int(0.4 * sum(map(len, item["words"])))
    kept: list[Any] = []
    for candidate in sorted(candidates, key=lambda one: -one[1]):
        mention = candidate[0]
        crossing = any(
            mention.sentence == other.sentence
            and (mention.start < other.start < mention.end < other.end)
            | (other.start < mention.start < other.end < mention.end)
            for other, _, _ in kept
        )
        if not crossing and len(kept) < count:
            kept.append(candidate)
    kept.sort(key=lambda one: one[0])
    bins = [0, 1, 2, 3, 4, *[5] * 3, *[6] * 8, *[7] * 16]
    loss, cluster_of, clusters = 0.0, {}, []
    for i, (mention, score, g) in enumerate(kept):
        weights, right = {None: 0.0}, []
        for j, (other, other_score, other_g) in enumerate(kept[:i]):
            speakers = [item["speakers"][one.sentence][one.start] for one in (mention, other)]
            genre = model.vocab.get_token_index(instance["genre"].label, "genre_labels")
            features = [
                w["pairs.speaker"][int(speakers[0] == speakers[1])],
                w["pairs.genre"][genre],
                w["pairs.distance"][bins[i - j]],
            ]
            pair = network(w, "pairs.scorer", np.concatenate([g, other_g, g * other_g, *features]))
            weights[j] = score + other_score + pair
            if any(mention in cluster and other in cluster for cluster in item["clusters"]):
                right.append(j)
        total = sum(np.exp(weight) for weight in weights.values())
        loss -= np.log(sum(np.exp(weights[j]) for j in right or [None]) / total)
        best = max(weights, key=lambda j: (weights[j], j is None))
        if best is not None:
            if best not in cluster_of:
                cluster_of[best] = [kept[best][0]]
                clusters.append(cluster_of[best])
            cluster_of[i] = cluster_of[best]
            cluster_of[i].append(mention)
    return [mention for mention, _, _ in kept], sorted(clusters), float(loss)


@pytest.mark.parametrize("arm", ARMS)
def test_a_document_equals_the_loop(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    elmo = list(range(ELMO.start, ELMO.stop)) if arm == "elmo" else None
    assert model.text_field_embedder.get_output_dim() == {"baseline": 15, "elmo": 27, "elmo_only": 21}[arm]
    for instance in (instances[0], instances[1], instances[3]):
        kept, clusters, loss = document_loop(model, instance, elmo)
        found = run(model, [instance])
        assert found["spans"] == [[list(mention) for mention in kept]]
        assert sorted(found["clusters"][0]) == [[list(mention) for mention in cluster] for cluster in clusters]
        np.testing.assert_allclose(float(found["loss"]), loss, rtol=0, atol=1e-10)
        assert len(kept) > 5


@pytest.mark.parametrize("arm", ARMS)
def test_gradients_reach_every_parameter(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    model.train()
    torch.manual_seed(0)
    for _ in range(3):
        model(**tensors_of(model, [instances[0], instances[3]]))["loss"].backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert float(parameter.grad.abs().max()) > 0, name


@pytest.mark.parametrize("arm", ARMS)
def test_a_batch_of_any_documents_gives_what_each_gives(build: BuildModel, arm: str) -> None:
    """The batch pads sentences and words."""
    model, instances = build(arm)
    together = run(model, instances)
    alone = [run(model, [instance]) for instance in instances]
    for key in ("clusters", "spans", "document", "words"):
        assert together[key] == [one[key][0] for one in alone]
    assert float(together["loss"]) == pytest.approx(sum(float(one["loss"]) for one in alone) / 4, abs=1e-10)


@pytest.mark.parametrize("arm", ["baseline", "elmo"])
def test_gradients_do_not_depend_on_blocks_and_padding(build: BuildModel, arm: str, monkeypatch) -> None:
    results = []
    for block_size, places, batch in ((32, 8192, [0]), (1, 8192, [0]), (3, 1, [0]), (5, 20, [0, 2])):
        monkeypatch.setattr("elmo_tasks.tasks.coref.model.PLACES_AT_A_TIME", places)
        model, instances = build(arm, {"block_size": block_size})
        loss = model(**tensors_of(model, [instances[number] for number in batch]))["loss"] * len(batch)
        loss.backward()
        results.append({name: one.grad for name, one in model.named_parameters() if one.requires_grad})
    for other in results[1:]:
        for name, gradient in results[0].items():
            np.testing.assert_allclose(gradient, other[name], rtol=0, atol=1e-10, err_msg=name)


def test_so_many_places_are_embedded_at_a_time(build: BuildModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model, instances = build("baseline")
    sentences = tensors_of(model, instances[:1])["sentences"]["tokens"]["tokens"][0]
    num_sentences, num_places = sentences.shape
    assert num_sentences > 2
    shapes = []
    for network in (model.text_field_embedder.token_embedder_characters, model.encoder):
        network.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape[:2]))
    for places, rows in ((8192, num_sentences), (2 * num_places + 1, 2), (1, 1)):
        monkeypatch.setattr("elmo_tasks.tasks.coref.model.PLACES_AT_A_TIME", places)
        shapes.clear()
        run(model, instances[:1])
        assert {shape[1] for shape in shapes} == {num_places}
        assert max(shape[0] for shape in shapes) == rows
        assert len(shapes) == 2 * -(-num_sentences // rows)


def test_dropout_is_where_the_authors_program_has_it(build: BuildModel) -> None:
    """0.5 on the words, ELMo's numbers and those that heads are summed from included; 0.2 on the LSTM's output."""
    model, instances = build("elmo", {"elmo_in_head": True})
    seen: dict[str, Any] = {}
    model.text_field_embedder.register_forward_hook(lambda _, given, made: seen.update(embedded=made))
    model.encoder.register_forward_hook(lambda _, given, made: seen.update(words=given[0], encoded=made, mask=given[1]))
    model.spans.register_forward_pre_hook(lambda _, given: seen.update(of_spans=given))
    model.train()
    torch.manual_seed(0)
    model(**tensors_of(model, instances[:1]))
    seen = {name: value.detach() if isinstance(value, torch.Tensor) else value for name, value in seen.items()}
    encoded, heads = (part.detach() for part in seen["of_spans"][:2])
    mask = seen["mask"]
    for before, after, rate in (
        (seen["embedded"][mask], seen["words"][mask], 0.5),
        (seen["embedded"][mask][:, ELMO], seen["words"][mask][:, ELMO], 0.5),
        (seen["encoded"][mask], encoded, 0.2),
    ):
        left = (after != 0) & (before != 0)
        torch.testing.assert_close(after[left], before[left] / (1 - rate), rtol=1e-10, atol=0)
        share = float(left.sum()) / float((before != 0).sum())
        assert share == pytest.approx(1 - rate, abs=0.1)
    assert torch.equal(heads, seen["words"][mask])


def test_fewer_spans_and_antecedents_where_that_is_asked_for(build: BuildModel) -> None:
    model, instances = build("baseline", {"max_spans": 4, "max_antecedents": 2})
    scores = scores_of(model, instances[0])
    assert scores.shape == (4, 2)
    assert torch.isfinite(scores).tolist() == [[False, False], [True, False], [True, True], [True, True]]
    best = build("baseline")[0]
    assert len(run(model, instances[:1])["spans"][0]) == 4
    everything = run(best, instances[:1])["spans"][0]
    assert all(span in everything for span in run(model, instances[:1])["spans"][0])


def test_training_sees_windows_of_a_long_document_and_evaluation_all_of_it(build: BuildModel) -> None:
    sentences = [["It", str(number), "her", "story"] for number in range(6)]
    clusters = [[Mention(number, 0, 1) for number in range(6)], [Mention(1, 2, 4), Mention(4, 2, 4)]]
    model, _ = build("baseline", {"max_sentences": 3})
    instance = with_indexers(CorefReader().text_to_instance(sentences, clusters=clusters))
    lengths, firsts = [], set()
    hook = model.encoder.register_forward_pre_hook(lambda _, given: lengths.append(len(given[0])))
    model.train()
    drawn = model._drawn_window
    model._drawn_window = lambda document: firsts.add((window := drawn(document)).first) or window
    for _ in range(60):
        assert torch.isfinite(model(**tensors_of(model, [instance]))["loss"])
    assert set(lengths) == {3}
    assert firsts == {0, 1, 2, 3}
    model.eval()
    lengths.clear()
    run(model, [instance])
    assert lengths == [6]
    hook.remove()


def test_a_window_is_the_document_that_it_is(build: BuildModel) -> None:
    """Its loss without dropout is that of a document of these sentences alone."""
    changes = {"lexical_dropout": 0.0, "dropout": 0.0, "encoder.recurrent_dropout": 0.0}
    model, _ = build("baseline", {"max_sentences": 2, **changes})
    sentences = [["It", "is", "her", "story"], ["the", "film", "takes", "her", "home"], ["it", "never", "feels", "it"]]
    speakers = [["a"] * 4, ["b"] * 5, ["a"] * 4]
    clusters = [[Mention(0, 0, 1), Mention(1, 0, 2), Mention(2, 0, 1), Mention(2, 3, 4)], [Mention(0, 2, 3)]]
    whole = with_indexers(CorefReader().text_to_instance(sentences, speakers, "bc", clusters))
    parts = []
    for first in (0, 1):
        inside = [
            [Mention(one.sentence - first, one.start, one.end) for one in cluster if first <= one.sentence < first + 2]
            for cluster in clusters
        ]
        part = CorefReader().text_to_instance(sentences[first:][:2], speakers[first:][:2], "bc", inside)
        parts.append(float(run(model, [with_indexers(part)])["loss"]))
    model.train()
    torch.manual_seed(0)
    losses = {round(float(model(**tensors_of(model, [whole]))["loss"].detach()), 8) for _ in range(20)}
    assert losses == {round(loss, 8) for loss in parts}


@pytest.mark.parametrize("words", [[], [["It"]], [["It", "is"]], [["It"], ["is", "!"]]])
def test_documents_in_which_there_is_nothing_or_next_to_nothing(build: BuildModel, words: list[list[str]]) -> None:
    model, _ = build("baseline")
    clusters = [[Mention(0, 0, 1)]] if words else []
    instance = with_indexers(CorefReader().text_to_instance(words, clusters=clusters))
    found = run(model, [instance])
    assert found["clusters"] == [[]]
    assert float(found["loss"]) == 0.0
    model.train()
    loss = model(**tensors_of(model, [instance]))["loss"]
    loss.backward()
    assert all(one.grad is None or torch.isfinite(one.grad).all() for one in model.parameters())


def test_documents_without_gold_clusters_have_no_loss(build: BuildModel) -> None:
    model, _ = build("baseline")
    instance = with_indexers(CorefReader().text_to_instance([["It", "is", "it"]], genre="unheard of"))
    found = run(model, [instance])
    assert "loss" not in found
    assert found["words"] == [[["It", "is", "it"]]]
    assert model.get_metrics() == {}


def test_figures_are_the_scorers_on_files(build: BuildModel, repository: Path) -> None:
    model, instances = build("baseline")
    outputs = model.make_output_human_readable(run(model, instances))
    items = json.loads(json.dumps([[outputs[key][n] for key in model.official_keys] for n in range(4)]))
    text = "".join(model.official_predictions(map(tuple, items)))
    metrics = model.get_metrics(reset=True)
    assert model.get_metrics() == {}
    path = repository / "fixtures" / "conll2012" / "harbour.gold_conll"
    gold = path.read_text(encoding="utf-8")
    sides = [enumerate(side.split("\n"), start=1) for side in (gold, text)]
    score, warnings = score_lines(*sides, "key", "response")
    assert not warnings
    assert metrics["f1"] * 100 == pytest.approx(score.conll, abs=1e-9)
    for name, counts in (("muc", score.muc), ("bcub", score.bcub), ("ceafe", score.ceafe), ("mention", score.mentions)):
        assert metrics[f"{name}_f1"] == pytest.approx(counts.f1, abs=1e-12), name


def test_official_predictions_are_read_back(build: BuildModel, tmp_path: Path, repository: Path) -> None:
    model, instances = build("baseline")
    outputs = run(model, instances)
    items = [tuple(outputs[key][number] for key in model.official_keys) for number in range(4)]
    path = tmp_path / "predicted.gold_conll"
    path.write_text("".join(model.official_predictions(items)), encoding="utf-8")
    gold = read_documents(repository / "fixtures" / "conll2012" / "harbour.gold_conll")
    for found, expected, clusters in zip(read_documents(path), gold, outputs["clusters"], strict=True):
        assert (found.id, found.part) == (expected.id, expected.part)
        assert [(one.words, one.speakers) for one in found.sentences] == [
            (one.words, one.speakers) for one in expected.sentences
        ]
        assert sorted(found.clusters().values()) == sorted([Mention(*one) for one in some] for some in clusters)
    with pytest.raises(InputError, match="the official format has the id of every document; read a CoNLL-2012 file"):
        "".join(model.official_predictions([([["It"]], [], "", 0, [["-"]])]))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"block_size": 0}, r"model\.block_size is 0, expected 1 or more"),
        ({"max_spans": 0}, r"model\.max_spans is 0, expected 1 or more"),
        ({"spans_per_word": 0}, r"model\.spans_per_word is 0, expected a number above 0"),
        ({"hidden_dims": []}, r"model\.hidden_dims is empty, expected the sizes of one or more hidden layers"),
    ],
)
def test_options_out_of_range(build: BuildModel, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        build("baseline", changes)


def test_heads_need_something_to_read(build: BuildModel) -> None:
    model, _ = build("elmo_only")
    alone = BasicTextFieldEmbedder({"elmo": model.text_field_embedder.token_embedder_elmo})
    with pytest.raises(InputError, match=r"but words have no others; set model\.elmo_in_head to true"):
        EndToEndCoreference(model.vocab, alone, Lazy(CoupledLSTM, Params({"hidden_size": 3})))
