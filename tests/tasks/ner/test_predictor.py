"""The predictor: entities with their places in tokens and characters, whatever the text looks like."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.predictors import Predictor

from elmo_tasks.errors import InputError
from elmo_tasks.formats.tags import Span, decode, encode
from elmo_tasks.tasks.ner.predictor import NERPredictor
from elmo_tasks.tasks.ner.reader import LABEL_NAMESPACE
from tests.tasks.conftest import published

TEXT = ' "Anna  (Vale) isn\'t in Port Sol," said Café Rex [U2].'
TOKENS = ['"', "Anna", "(", "Vale", ")", "is", "n't", "in", "Port", "Sol", ",", '"']
TOKENS += ["said", "Café", "Rex", "[", "U2", "]", "."]
ENTITIES = [Span("PER", 1, 4), Span("LOC", 8, 10), Span("ORG", 13, 15), Span("ORG", 16, 17)]
SURFACES = ["Anna  (Vale", "Port Sol", "Café Rex", "U2"]

Answering = Callable[..., None]


@pytest.fixture(scope="module")
def predictor(tiny_profile: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("ner") / "run"
    with published(tiny_profile):
        train_model(Params.from_file(repository / "experiments" / "ner" / "elmo.jsonnet"), folder)
    return Predictor.from_path(folder / "model.tar.gz")


@pytest.fixture
def answering(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Makes the model find these entities, in sentences of any length."""
    indices = predictor._model.vocab.get_token_to_index_vocabulary(LABEL_NAMESPACE)

    def answer(*entities: Span) -> None:
        def forward(hidden: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(*hidden.shape[:2], len(indices))
            for token, tag in enumerate(encode(entities, hidden.shape[1], "BIOUL")):
                logits[:, token, indices[tag]] = 100.0
            return logits

        monkeypatch.setattr(predictor._model.tag_projection, "forward", forward)

    return answer


def test_entities_of_a_text_have_their_places(predictor: Predictor, answering: Answering) -> None:
    assert isinstance(predictor, NERPredictor)
    answering(*ENTITIES)
    answer = predictor.predict_json({"sentence": TEXT})
    assert answer["words"] == TOKENS
    assert decode(answer["tags"], "BIOUL") == ENTITIES
    assert [Span(one["label"], one["start"], one["end"]) for one in answer["entities"]] == ENTITIES
    assert [one["text"] for one in answer["entities"]] == SURFACES
    assert [TEXT[one["start_character"] : one["end_character"]] for one in answer["entities"]] == SURFACES


def test_entities_of_tokens_have_their_places_in_the_tokens_joined(predictor: Predictor, answering: Answering) -> None:
    answering(*ENTITIES)
    answer = predictor.predict_json({"tokens": TOKENS})
    joined = " ".join(TOKENS)
    assert answer["words"] == TOKENS
    for one, span in zip(answer["entities"], ENTITIES, strict=True):
        assert one["text"] == " ".join(TOKENS[span.start : span.end])
        assert joined[one["start_character"] : one["end_character"]] == one["text"]
    assert predictor.predict_json({"sentence": TEXT})["tags"] == answer["tags"]


def test_a_sentence_without_entities_has_none(predictor: Predictor, answering: Answering) -> None:
    answering()
    answer = predictor.predict_json({"sentence": "Fine."})
    assert (answer["entities"], answer["tags"]) == ([], ["O", "O"])


def test_several_requests_are_answered_as_each_alone(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[dict[str, Any]] = [{"sentence": TEXT}, {"tokens": ["U2"]}, {"tokens": TOKENS[:4], "id": 3}]
    bias = predictor._model.tag_projection.bias
    favoured = bias.detach().clone()
    favoured[predictor._model.vocab.get_token_index("U-ORG", LABEL_NAMESPACE)] += 9  # an entity in any sentence
    monkeypatch.setattr(bias, "data", favoured)
    alone = [predictor.predict_json(request) for request in requests]
    together = predictor.predict_batch_json(requests)
    for one, answer in zip(alone, together, strict=True):
        length = len(one["words"])
        np.testing.assert_allclose(answer["logits"][:length], one["logits"], rtol=0, atol=1e-5)
        assert one["entities"]
        for key in ("words", "tags", "entities"):
            assert answer[key] == one[key]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"sentence": " \n"}, '"sentence" is empty: give a text of at least one word'),
        ({"tokens": []}, '"tokens" is empty: give at least one word'),
        ({"tokens": "Anna"}, '"tokens" must be a list of words, each a non-empty string'),
        ({"sentence": 3}, '"sentence" must be a text, found int'),
        ({"text": "Anna"}, r'expected \{"sentence": .*found "text"'),
    ],
)
def test_requests_that_cannot_be_answered(predictor: Predictor, request_: dict[str, Any], sentence: str) -> None:
    for ask in (predictor.predict_json, lambda request: predictor.predict_batch_json([{"sentence": "Fine"}, request])):
        with pytest.raises(InputError, match=sentence):
            ask(request_)


def test_the_entities_found_are_the_labels_for_interpreters(predictor: Predictor, answering: Answering) -> None:
    gradients, _ = predictor.get_gradients(predictor.json_to_labeled_instances({"sentence": TEXT}))
    assert any(np.any(gradient) for gradient in gradients.values())
    answering(*ENTITIES)
    (labeled,) = predictor.json_to_labeled_instances({"sentence": TEXT})
    assert labeled["metadata"]["entities"] == ENTITIES
    assert labeled["tags"].labels == encode(ENTITIES, len(TOKENS), "BIOUL")
