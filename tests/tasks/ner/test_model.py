"""The tagger against plain loops, its random field against enumeration, and what must hold for any batch."""

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.data import Instance
from allennlp.models import Model

from elmo_tasks.errors import InputError
from elmo_tasks.formats.tags import SCHEMES, TagError, decode, encode
from elmo_tasks.scoring.conlleval import score_lines
from elmo_tasks.tasks.ner.model import CRFTagger
from elmo_tasks.tasks.ner.reader import LABEL_NAMESPACE, NERReader
from tests.tasks.conftest import BuildModel
from tests.tasks.networks import logits_of, lstm_loop, padded, tensors_of, without_gradient

ARMS = ("baseline", "elmo", "elmo_only")


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    """For AllenNLP's CNN, whose masks have the default type whatever the model's is."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def build(build_model: BuildModel) -> BuildModel:
    return partial(build_model, "ner")


@pytest.fixture
def build_with_few_tags(build: BuildModel, tmp_path: Path) -> BuildModel:
    """The baseline for a file with entities of these labels, in each a sentence of every kind of tag."""

    def build_with(scheme: str, *labels: str, **changes: Any) -> tuple[Model, list[Instance]]:
        rows = [("a", "O")]
        for label in labels:
            rows += [("b", f"B-{label}"), ("c", f"I-{label}"), ("d", f"I-{label}"), ("e", f"B-{label}"), ("f", "O")]
        path = tmp_path / "few.txt"
        path.write_text("".join(f"{word} X O {tag}\n" for word, tag in rows), encoding="utf-8")
        reader = {"dataset_reader.tag_scheme": scheme, "train_data_path": str(path)}
        return build("baseline", changes, reader)

    return build_with


def tags_of(model: Model) -> list[str]:
    by_index = model.vocab.get_index_to_token_vocabulary(LABEL_NAMESPACE)
    return [by_index[index] for index in range(len(by_index))]


def sentences(model: Model, reader: NERReader, *lengths: int) -> list[Instance]:
    words = ["a", "b", "c", "d", "e", "f"]
    return [reader.text_to_instance([words[(length + n) % 6] for n in range(length)], []) for length in lengths]


# --- an independent reference: one sentence, numpy in float64, loops ---


def characters_loop(w: dict[str, np.ndarray], model: Model, word: str) -> np.ndarray:
    """
    The largest of ReLU's outputs over the windows of the word and its two marks.

    Without the marks a word shorter than the filter would have no window, since AllenNLP masks those in padding.
    """
    embedder = "text_field_embedder.token_embedder_characters."
    embedding = w[f"{embedder}_embedding._module.weight"]
    kernel, bias = (
        w[f"{embedder}_encoder._module.conv_layer_0.weight"],
        w[f"{embedder}_encoder._module.conv_layer_0.bias"],
    )
    ids = [model.vocab.get_token_index(character, "token_characters") for character in ["<w>", *word, "</w>"]]
    filters, width = kernel.shape[0], kernel.shape[2]
    windows = [
        [
            max(0.0, bias[f] + sum(kernel[f, :, k] @ embedding[ids[start + k]] for k in range(width)))
            for f in range(filters)
        ]
        for start in range(len(ids) - width + 1)
    ]
    return np.max(windows, axis=0)


def tagger_loop(model: Model, words: list[str], elmo: np.ndarray | None) -> np.ndarray:
    """Scores of all tags of all tokens, from the words and what ELMo's embedder gives for them."""
    w = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    parts = [np.array([characters_loop(w, model, word) for word in words])]
    if elmo is not None:
        parts.append(elmo)
    if "text_field_embedder.token_embedder_tokens.weight" in w:
        ids = [model.vocab.get_token_index(word.lower(), "tokens") for word in words]
        parts.append(np.array([w["text_field_embedder.token_embedder_tokens.weight"][index] for index in ids]))
    hidden = np.concatenate(parts, axis=1)
    for layer in range(2):
        hidden = lstm_loop(w, f"encoders.{layer}._module.", hidden)
    return np.array([w["tag_projection.weight"] @ row + w["tag_projection.bias"] for row in hidden])


@pytest.mark.parametrize("arm", ARMS)
def test_the_network_equals_loops_over_the_equations(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    logits = logits_of(model, instances)
    for row, instance in enumerate(instances):
        tensors = tensors_of(model, [instance])["tokens"]
        elmo = None
        if "elmo" in tensors:
            with torch.no_grad():
                elmo = model.text_field_embedder.token_embedder_elmo(**tensors["elmo"])[0].numpy()
        words = instance["metadata"]["words"]
        expected = tagger_loop(model, words, elmo)
        np.testing.assert_allclose(logits[row, : len(words)], expected, rtol=0, atol=1e-10)


# --- the random field against enumeration ---


def score(path: tuple[int, ...], logits: np.ndarray, transitions: np.ndarray) -> float:
    emitted = sum(logits[token, tag] for token, tag in enumerate(path))
    return emitted + sum(transitions[before, tag] for before, tag in itertools.pairwise(path))


@pytest.mark.parametrize("scheme", ["IOB2", "BIOUL"])
def test_the_loss_equals_a_sum_over_all_tag_sequences(build_with_few_tags: BuildModel, scheme: str) -> None:
    model, instances = build_with_few_tags(scheme, "X", tag_scheme=scheme)
    (instance,) = instances
    reader = NERReader(tag_scheme=scheme, token_indexers=instance["tokens"].token_indexers)
    words, entities = instance["metadata"]["words"], instance["metadata"]["entities"]
    batch = [
        reader.text_to_instance(words[:length], [span for span in entities if span.end <= length])
        for length in (4, 1, 3, 2, 4)
    ]
    batch[2] = reader.text_to_instance(words[1:4], [entities[0]._replace(start=0, end=3)])
    for one in batch:
        one["tokens"].token_indexers = instance["tokens"].token_indexers
    tensors = tensors_of(model, batch)
    with torch.no_grad():
        result = model(**tensors)
    transitions = model.crf.transitions.detach().numpy()
    names = tags_of(model)
    expected = 0.0
    for row, one in enumerate(batch):
        logits = result["logits"][row].numpy()
        paths = itertools.product(range(len(names)), repeat=len(one["tokens"].tokens))
        total = np.logaddexp.reduce([score(path, logits, transitions) for path in paths])
        expected += total - score([names.index(tag) for tag in one["tags"].labels], logits, transitions)
    assert len(names) == {"IOB2": 3, "BIOUL": 5}[scheme]
    assert float(result["loss"]) == pytest.approx(expected, abs=1e-9)
    assert expected > 5 * 0.5  # nothing is nearly certain


def is_well_formed(tags: list[str], scheme: str) -> bool:
    try:
        return encode(decode(tags, scheme), len(tags), scheme) == tags
    except TagError:
        return False


@pytest.mark.parametrize("scheme", SCHEMES)
def test_viterbi_finds_the_best_well_formed_sequence(
    build_with_few_tags: BuildModel, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, instances = build_with_few_tags(scheme, "X", "Y", tag_scheme=scheme)
    indexers = instances[0]["tokens"].token_indexers
    names = tags_of(model)
    assert len(names) == {"IOB1": 5, "IOB2": 5, "BIOES": 9, "BIOUL": 9}[scheme]
    allowed = {
        length: [
            path
            for path in itertools.product(range(len(names)), repeat=length)
            if is_well_formed([names[tag] for tag in path], scheme)
        ]
        for length in (1, 2, 3, 4)
    }
    reader = NERReader(tag_scheme=scheme)
    batch = sentences(model, reader, 4, 1, 3, 2)
    for one in batch:
        one["tokens"].token_indexers = indexers
    tensors = tensors_of(model, batch)
    generator = torch.Generator().manual_seed(8)
    unconstrained = 0
    for _ in range(10):
        with torch.no_grad():
            model.crf.transitions.copy_(2 * torch.randn(len(names), len(names), generator=generator))
        logits = 4 * torch.randn(4, 4, len(names), generator=generator)
        monkeypatch.setattr(model.tag_projection, "forward", lambda hidden, logits=logits: logits)
        with torch.no_grad():
            paths = model(**tensors)["tags"]
        transitions = model.crf.transitions.detach().numpy()
        for row, one in enumerate(batch):
            length = len(one["tokens"].tokens)
            scores = [score(path, logits[row].numpy(), transitions) for path in allowed[length]]
            assert tuple(paths[row]) == allowed[length][int(np.argmax(scores))]
            free = logits[row, :length].argmax(dim=1).tolist()
            unconstrained += not is_well_formed([names[tag] for tag in free], scheme)
    assert unconstrained >= 5, "the constraints bind"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_long_sentences_get_well_formed_tags_too(
    build_with_few_tags: BuildModel, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, instances = build_with_few_tags(scheme, "X", "Y", tag_scheme=scheme)
    batch = sentences(model, NERReader(tag_scheme=scheme), *range(1, 60, 7))
    for one in batch:
        one["tokens"].token_indexers = instances[0]["tokens"].token_indexers
    names = tags_of(model)
    torch.manual_seed(1)
    monkeypatch.setattr(model.tag_projection, "forward", lambda hidden: 50 * torch.randn(*hidden.shape[:2], len(names)))
    with torch.no_grad():
        result = model.make_output_human_readable(model(**tensors_of(model, batch)))
    for one, tags, entities in zip(batch, result["tags"], result["entities"], strict=True):
        assert len(tags) == len(one["tokens"].tokens)
        assert is_well_formed(tags, scheme)
        assert entities == [list(span) for span in decode(tags, scheme)]


# --- dropout ---


def test_the_dropout_of_both_inputs_has_one_mask_a_sentence(build: BuildModel) -> None:
    model, instances = build("baseline")
    model.train()
    seen: dict[str, torch.Tensor] = {}
    model.text_field_embedder.register_forward_hook(lambda module, given, made: seen.update(clean_0=made))
    for layer, encoder in enumerate(model.encoders):
        encoder.register_forward_pre_hook(lambda module, given, name=f"dropped_{layer}": seen.update({name: given[0]}))
        encoder.register_forward_hook(lambda module, given, made, name=f"clean_{layer + 1}": seen.update({name: made}))
    model.tag_projection.register_forward_pre_hook(lambda module, given: seen.update(dropped_2=given[0]))
    tensors = tensors_of(model, instances)
    torch.manual_seed(2)
    with torch.no_grad():
        model(**tensors)
    masks = []
    for place in (0, 1):
        clean, dropped = seen[f"clean_{place}"].numpy(), seen[f"dropped_{place}"].numpy()
        kept = np.zeros((clean.shape[0], clean.shape[2]))
        for row, instance in enumerate(instances):
            for token in range(len(instance["tokens"].tokens)):
                there = clean[row, token] != 0
                kept[row, there] = np.maximum(kept[row, there], dropped[row, token, there] / clean[row, token, there])
        # the same factor, 0 or 1 / (1 - 0.5), for all tokens
        np.testing.assert_allclose(dropped, kept[:, None, :] * clean, rtol=0, atol=1e-12)
        assert set(np.round(kept.ravel(), 9)) == {0.0, 2.0}
        assert len(np.unique(kept, axis=0)) > len(instances) / 2  # and another mask for another sentence
        masks.append(kept)
    np.testing.assert_array_equal(seen["dropped_2"], seen["clean_2"])  # the paper names none at the output


def test_the_output_has_a_dropout_of_its_own_as_a_switch(build: BuildModel) -> None:
    model, instances = build("baseline", {"output_dropout": 0.5, "dropout": 0.0})
    model.train()
    seen: dict[str, torch.Tensor] = {}
    model.encoders[1].register_forward_hook(lambda module, given, made: seen.update(clean=made))
    model.tag_projection.register_forward_pre_hook(lambda module, given: seen.update(dropped=given[0]))
    torch.manual_seed(2)
    with torch.no_grad():
        model(**tensors_of(model, instances[:1]))
    factor = (seen["dropped"] / seen["clean"])[0].numpy()
    assert set(np.round(factor.ravel(), 9)) == {0.0, 2.0}
    assert len(np.unique(factor, axis=0)) > 1  # not one mask for all tokens
    np.testing.assert_array_equal(logits_of(model.eval(), instances), logits_of(build("baseline")[0], instances))


# --- what holds for any batch ---


@pytest.mark.parametrize("arm", ARMS)
def test_a_batch_gives_each_sentence_its_own_scores_in_any_order(build: BuildModel, arm: str) -> None:
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


@pytest.mark.parametrize("arm", ARMS)
def test_padding_changes_no_score(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    tensors = tensors_of(model, instances[:5])
    longer = padded(tensors)
    characters = longer["tokens"]["characters"]
    characters["token_characters"] = torch.nn.functional.pad(characters["token_characters"], (0, 4))
    longer["tags"] = torch.nn.functional.pad(tensors["tags"], (0, 3))
    with torch.no_grad():
        with_padding, without = model(**longer), model(**tensors)
    for row, instance in enumerate(instances[:5]):
        length = len(instance["tokens"].tokens)
        scores = (result["logits"][row, :length] for result in (with_padding, without))
        np.testing.assert_allclose(*scores, rtol=0, atol=1e-12)
    assert with_padding["tags"] == without["tags"]
    assert float(with_padding["loss"]) == pytest.approx(float(without["loss"]), rel=1e-12)


@pytest.mark.parametrize("arm", ARMS)
def test_gradients_reach_every_trainable_parameter_and_no_other(build: BuildModel, arm: str) -> None:
    model, instances = build(arm)
    still, frozen = without_gradient(model, instances)
    assert all(".bilm." in name or name == "crf._constraint_mask" for name in frozen)
    assert "text_field_embedder.token_embedder_tokens.weight" not in frozen  # the vectors learn
    assert still == frozen


# --- metric, penalty, sizes, mistakes ---


def test_the_metric_is_conllevals_on_the_same_tags(build: BuildModel, tmp_path: Path) -> None:
    model, instances = build("baseline")
    names = tags_of(model)
    lines = []
    for batch in (instances[:5], instances[5:]):
        with torch.no_grad():
            paths = model(**tensors_of(model, batch))["tags"]
        for instance, path in zip(batch, paths, strict=True):
            words = instance["metadata"]["words"]
            gold = encode(decode(instance["tags"].labels, "BIOUL"), len(words), "IOB2")
            found = encode(decode([names[index] for index in path], "BIOUL"), len(words), "IOB2")
            lines += [" ".join(row) for row in zip(words, gold, found, strict=True)] + [""]
    scored, warnings = score_lines((number, line.encode() + b"\n") for number, line in enumerate(lines, start=1))
    assert not warnings
    assert scored.overall.found > 0
    metrics = model.get_metrics(reset=True)
    expected = {name: getattr(scored.overall, name) / 100 for name in ("precision", "recall", "f1")}
    assert metrics == pytest.approx({**expected, "accuracy": scored.accuracy / 100}, abs=1e-12)
    assert all(type(value) is float for value in metrics.values())
    assert model.get_metrics() == {}


def test_right_tags_are_right_and_some_wrong_ones_are_not(build: BuildModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model, instances = build("baseline")
    tensors = tensors_of(model, instances)
    logits = 50.0 * torch.nn.functional.one_hot(tensors["tags"], len(tags_of(model)))
    monkeypatch.setattr(model.tag_projection, "forward", lambda hidden: logits)
    with torch.no_grad():
        model(**tensors)
    assert model.get_metrics(reset=True) == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "accuracy": 1.0}
    logits[7] = 0.0
    logits[7, :, tags_of(model).index("O")] = 50.0
    with torch.no_grad():
        model(**tensors)
    count = sum(len(instance["metadata"]["entities"]) for instance in instances)
    missed = len(instances[7]["metadata"]["entities"])
    metrics = model.get_metrics()
    assert missed
    assert (metrics["precision"], metrics["recall"]) == (1.0, pytest.approx((count - missed) / count))


def test_sentences_are_not_counted_in_training(build: BuildModel) -> None:
    model, instances = build("baseline")
    model.train()
    with torch.no_grad():
        result = model(**tensors_of(model, instances))
    assert "tags" not in result
    assert model.get_metrics() == {}


def test_sizes_follow_from_one_another_and_one_key_makes_the_encoders_equal(build: BuildModel) -> None:
    model, _ = build("elmo")
    assert [encoder.get_input_dim() for encoder in model.encoders] == [7 + 12 + 6, 10]
    assert model.tag_projection.in_features == 8
    model, _ = build("elmo", config={"model.encoders.1.hidden_size": 5})
    assert model.tag_projection.in_features == 10


@pytest.mark.parametrize(
    ("reader", "model"), [("BIOES", "BIOUL"), ("IOB2", "BIOUL"), ("IOB1", "IOB2"), ("IOB2", "IOB1"), ("IOB2", "BIOES")]
)
def test_reader_and_model_must_agree_on_the_coding(build: BuildModel, reader: str, model: str) -> None:
    tagger, instances = build("baseline", {"tag_scheme": model}, {"dataset_reader.tag_scheme": reader})
    sentence = rf"model\.tag_scheme is '{model}' but the dataset reader's is '{reader}'; make them the same\."
    with pytest.raises(InputError, match=sentence):
        logits_of(tagger, instances)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tag_scheme": "BIO"}, r"model\.tag_scheme is 'BIO', expected one of IOB1, IOB2, BIOES, BIOUL\."),
        ({"encoders": []}, r"model\.encoders is empty, expected at least one encoder\."),
    ],
)
def test_options_that_make_no_sense(build: BuildModel, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        build("baseline", changes)


def test_its_predictor_is_known() -> None:
    assert CRFTagger.default_predictor == "paper_ner"
    assert Model.by_name("paper_ner") is CRFTagger
