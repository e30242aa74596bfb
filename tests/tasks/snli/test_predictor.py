"""The predictor: texts or tokens in, a label and its probabilities out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.predictors import Predictor

from elmo_tasks.errors import InputError
from elmo_tasks.formats.snli import LABELS
from elmo_tasks.tasks.snli.predictor import SNLIPredictor
from tests.tasks.conftest import published

PREMISE = 'Anna (a writer) isn\'t in "town".'
TOKENS = ["Anna", "(", "a", "writer", ")", "is", "n't", "in", '"', "town", '"', "."]


@pytest.fixture(scope="module")
def predictor(tiny_profile: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("snli") / "run"
    with published(tiny_profile):
        train_model(Params.from_file(repository / "experiments" / "snli" / "baseline.jsonnet"), folder)
    return Predictor.from_path(folder / "model.tar.gz")


def test_texts_and_their_tokens_have_one_answer(predictor: Predictor) -> None:
    assert isinstance(predictor, SNLIPredictor)
    answer = predictor.predict_json({"premise": PREMISE, "hypothesis": "Warm"})
    assert answer["premise"] == TOKENS
    assert answer["hypothesis"] == ["Warm"]
    assert list(answer["probabilities"]) == list(LABELS)
    assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
    assert predictor.predict_json({"premise": TOKENS, "hypothesis": "Warm"}) == answer
    assert predictor.predict_json({"premise": TOKENS, "hypothesis": ["Warm"], "id": 3}) == answer


def test_several_requests_are_answered_as_each_alone(predictor: Predictor) -> None:
    requests: list[dict[str, Any]] = [
        {"premise": PREMISE, "hypothesis": "Warm"},
        {"premise": ["Cold"], "hypothesis": PREMISE},
        {"premise": "A film", "hypothesis": "A film is here."},
    ]
    together = predictor.predict_batch_json(requests)
    for request, answer in zip(requests, together, strict=True):
        alone = predictor.predict_json(request)
        np.testing.assert_allclose(answer["logits"], alone["logits"], rtol=0, atol=1e-5)
        assert answer["label"] == alone["label"]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"premise": " \n", "hypothesis": "a"}, '"premise" is empty: give a text of at least one word'),
        ({"premise": "a", "hypothesis": []}, '"hypothesis" is empty: give at least one word'),
        ({"premise": "a", "hypothesis": ["b", ""]}, '"hypothesis" must be a list of words, each a non-empty string'),
        ({"premise": 3, "hypothesis": "a"}, '"premise" must be a text, found int'),
        ({"premise": "a"}, 'expected "hypothesis", a text or a list of words, found "premise"'),
        ({}, 'expected "premise", a text or a list of words, found an empty object'),
    ],
)
def test_requests_that_cannot_be_answered(predictor: Predictor, request_: dict[str, Any], sentence: str) -> None:
    good = {"premise": "a", "hypothesis": "b"}
    for ask in (predictor.predict_json, lambda request: predictor.predict_batch_json([good, request])):
        with pytest.raises(InputError, match=sentence):
            ask(request_)


def test_the_predicted_label_is_the_label_for_interpreters(predictor: Predictor) -> None:
    request = {"premise": PREMISE, "hypothesis": "Warm"}
    (labeled,) = predictor.json_to_labeled_instances(request)
    assert LABELS[labeled["label"].label] == predictor.predict_json(request)["label"]
    gradients, _ = predictor.get_gradients([labeled])
    assert len(gradients) == 2
    assert all(np.any(gradient) for gradient in gradients.values())
