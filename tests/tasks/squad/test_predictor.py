"""The predictor: answers with their places, as many as asked for, and requests that cannot be answered."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.predictors import Predictor

from elmo_tasks.errors import InputError
from elmo_tasks.tasks.squad.predictor import SquadPredictor
from tests.tasks.conftest import published

PASSAGE = ' The "Heron" (built in 1901) cost £20,000.\n Anna Rook was its captain.'


@pytest.fixture(scope="module")
def predictor(tiny_profile: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("squad") / "run"
    with published(tiny_profile):
        train_model(Params.from_file(repository / "experiments" / "squad" / "elmo.jsonnet"), folder)
    return Predictor.from_path(folder / "model.tar.gz")


def test_answers_have_their_places_in_the_passage(predictor: Predictor) -> None:
    assert isinstance(predictor, SquadPredictor)
    answer = predictor.predict_json({"passage": PASSAGE, "question": " What cost so much? ", "k": 5, "id": "q1"})
    assert answer["id"] == "q1"
    assert len(answer["answers"]) == 5
    assert answer["best_span_text"] == answer["answers"][0]["text"]
    for one in answer["answers"]:
        assert PASSAGE[one["start_character"] : one["end_character"]] == one["text"]
    assert len({(one["start"], one["end"]) for one in answer["answers"]}) == 5
    scores = [one["score"] for one in answer["answers"]]
    assert scores == sorted(scores, reverse=True)
    probabilities = [one["probability"] for one in answer["answers"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) < 1
    alone = predictor.predict_json({"passage": PASSAGE, "question": " What cost so much? "})
    assert alone["answers"] == answer["answers"][:1]


def test_ids_are_handed_on(predictor: Predictor) -> None:
    requests = [{"passage": "Tom", "question": "Who?"}, {"passage": "Tom", "question": "Who?", "id": "7"}]
    assert [answer["id"] for answer in predictor.predict_batch_json(requests)] == ["", "7"]


def test_there_are_no_more_answers_than_spans(predictor: Predictor) -> None:
    answer = predictor.predict_json({"passage": "Anna came", "question": "Who?", "k": 99})
    assert sorted(one["text"] for one in answer["answers"]) == ["Anna", "Anna came", "came"]


def test_several_requests_are_answered_as_each_alone(predictor: Predictor) -> None:
    requests: list[dict[str, Any]] = [
        {"passage": PASSAGE, "question": "Who was its captain?", "k": 3},
        {"passage": "湖は冬に凍る。", "question": "What freezes?"},
        {"passage": PASSAGE * 3, "question": "When?", "k": 2},
    ]
    together = predictor.predict_batch_json(requests)
    for request, answer in zip(requests, together, strict=True):
        alone = predictor.predict_json(request)
        assert "id" not in answer
        assert len(answer["answers"]) == len(alone["answers"]) == request.get("k", 1)
        for one, other in zip(answer["answers"], alone["answers"], strict=True):
            assert one["text"] == other["text"]
            assert one["score"] == pytest.approx(other["score"], abs=1e-4)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"passage": "a"}, r'expected \{"passage": "a text", "question": "another"\}, found "passage"\.'),
        ({}, "found an empty object"),
        ({"passage": "a", "question": " "}, '"question" is empty: give a text of at least one word'),
        ({"passage": ["a"], "question": "b"}, '"passage" must be a text, found list'),
        ({"passage": "a", "question": "b", "k": 0}, '"k" is 0, expected a whole number of at least 1'),
        ({"passage": "a", "question": "b", "k": True}, '"k" is True, expected a whole number'),
        ({"passage": "a", "question": "b", "id": 7}, '"id" must be a string, found int'),
        ({"passage": "a", "question": "b", "id": ["q1"]}, '"id" must be a string, found list'),
        ({"passage": "a", "question": "b", "id": None}, '"id" must be a string, found NoneType'),
        ({"context": "a", "question": "b"}, r'a request has the keys "passage", "question" .*found "context"'),
    ],
)
def test_requests_that_cannot_be_answered(predictor: Predictor, request_: dict[str, Any], sentence: str) -> None:
    fine = {"passage": "a", "question": "b"}
    for ask in (predictor.predict_json, lambda request: predictor.predict_batch_json([fine, request])):
        with pytest.raises(InputError, match=sentence):
            ask(request_)


def test_the_answer_found_is_the_label_for_interpreters(predictor: Predictor) -> None:
    request = {"passage": PASSAGE, "question": "Who was its captain?"}
    best = predictor.predict_json(request)["answers"][0]
    (labeled,) = predictor.json_to_labeled_instances(request)
    (span,) = labeled["spans"]
    assert (span.span_start, span.span_end + 1) == (best["start"], best["end"])
    gradients, _ = predictor.get_gradients([labeled])
    assert any(np.any(gradient) for gradient in gradients.values())


def test_the_official_file_is_not_written_answer_by_answer(predictor: Predictor) -> None:
    with pytest.raises(InputError, match="this task's official format is not written answer by answer"):
        Predictor.by_name("official")(predictor._model, predictor._dataset_reader)
