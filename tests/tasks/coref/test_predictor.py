"""The predictors: clusters with their places in tokens and characters, whatever the text looks like."""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.predictors import Predictor
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import Mention
from elmo_tasks.tasks.coref import model as models
from elmo_tasks.tasks.coref.predictor import BracketsPredictor, CorefPredictor, _read
from tests.tasks.conftest import published

TEXT = ' Mara  sold "her ferry".\nShe didn\'t miss it (the ferry).'
WORDS = [
    ["Mara", "sold", '"', "her", "ferry", '"', "."],
    ["She", "did", "n't", "miss", "it", "(", "the", "ferry", ")", "."],
]
# of tokens by their number in the text
CLUSTERS = [[(0, 1), (3, 4), (7, 8)], [(3, 5), (11, 12), (13, 15)]]


@pytest.fixture(scope="module")
def archive(tiny_profile: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coref") / "run"
    with published(tiny_profile):
        train_model(Params.from_file(repository / "experiments" / "coref" / "elmo.jsonnet"), folder)
    return folder / "model.tar.gz"


@pytest.fixture
def predictor(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Predictor:
    """Whose model finds these clusters."""
    spans = sorted(span for cluster in CLUSTERS for span in cluster)

    def scored(*given: Any) -> tuple[list[tuple[int, int]], torch.Tensor]:
        scores = torch.full((len(spans), len(spans) - 1), -1.0)
        for cluster in CLUSTERS:
            for earlier, later in itertools.pairwise(cluster):
                scores[spans.index(later), spans.index(later) - spans.index(earlier) - 1] = 1.0
        return spans, scores

    monkeypatch.setattr(models.EndToEndCoreference, "_scored", scored)
    return Predictor.from_path(archive)


def test_clusters_of_a_text_have_their_places(predictor: Predictor) -> None:
    assert isinstance(predictor, CorefPredictor)
    answer = predictor.predict_json({"document": TEXT})
    assert answer["words"] == WORDS
    assert answer["text"] == TEXT
    shown = [[(one["text"], one["sentence"], one["start"], one["end"]) for one in some] for some in answer["clusters"]]
    assert shown == [
        [("Mara", 0, 0, 1), ("her", 0, 3, 4), ("She", 1, 0, 1)],
        [("her ferry", 0, 3, 5), ("it", 1, 4, 5), ("the ferry", 1, 6, 8)],
    ]
    for cluster in answer["clusters"]:
        for one in cluster:
            assert TEXT[one["start_character"] : one["end_character"]] == one["text"]
    assert answer["bracketed"] == ' [Mara]0  sold "[[her]0 ferry]1".\n[She]0 didn\'t miss [it]1 ([the ferry]1).'
    assert "spans" not in answer


def test_characters_of_given_words_are_counted_as_if_they_were_joined(predictor: Predictor) -> None:
    (answer,) = predictor.predict_batch_json([{"sentences": WORDS, "speakers": ["a", "b"], "genre": "bc"}])
    assert answer["bracketed"].splitlines() == [
        '[Mara]0 sold " [[her]0 ferry]1 " .',
        "[She]0 did n't miss [it]1 ( [the ferry]1 ) .",
    ]
    assert answer["words"] == WORDS


def test_documents_of_the_dataset_reader_are_answered_as_requests(predictor: Predictor) -> None:
    assert isinstance(predictor, CorefPredictor)
    asked = predictor.predict_json({"sentences": WORDS})
    gold = [[Mention(0, 0, 1), Mention(1, 0, 1)]]
    instance = predictor._dataset_reader.text_to_instance(WORDS, clusters=gold, document="bc/a", part=1)
    output = predictor.predict_instance(instance)
    assert "loss" in output
    assert json.loads(predictor.dump_line(output)) == {"document": "bc/a", "part": 1, **asked}
    brackets = BracketsPredictor(predictor._model, predictor._dataset_reader)
    assert brackets.dump_line(output) == asked["bracketed"] + "\n"


def test_colours_on_a_terminal_alone(archive: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    brackets = Predictor.from_path(archive, "paper_coref_brackets")
    assert isinstance(brackets, BracketsPredictor)
    answer = brackets.predict_json({"document": TEXT})
    assert brackets.dump_line(answer) == answer["bracketed"] + "\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\033[31m[\033[0mMara" in brackets.dump_line(answer)
    monkeypatch.setenv("NO_COLOR", "1")
    assert brackets.dump_line(answer) == answer["bracketed"] + "\n"


def test_a_text_without_words_has_no_clusters(archive: Path) -> None:
    predictor = Predictor.from_path(archive)
    for request in ({"document": ""}, {"document": " \n"}, {"sentences": []}):
        assert predictor.predict_json(request)["clusters"] == []


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({}, r"expected \{\"document\": \"a text\"\} or .*, found an empty object"),
        ({"sentence": "A."}, r"a request is .* with speakers and genre if wanted; found \"sentence\""),
        ({"document": 3}, r"\"document\" must be a text, found int"),
        ({"sentences": ["A", "b"]}, r"\"sentences\" must be a list of sentences, each a list of one or more words"),
        ({"sentences": [[]]}, r"\"sentences\" must be a list of sentences, each a list of one or more words"),
        ({"sentences": [["A", ""]]}, r"\"sentences\" must hold lists of words, each a non-empty string"),
        ({"document": "A b.", "speakers": ["a", "b"]}, r"\"speakers\" has 2 names, but there are 1 sentences"),
        ({"document": "A b.", "speakers": "a"}, r"\"speakers\" must be a list of names, one for each sentence"),
        ({"document": "A b.", "genre": 1}, r"\"genre\" must be a text, found int"),
    ],
)
def test_requests_that_are_none(archive: Path, request_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Predictor.from_path(archive).predict_json(request_)


def test_clusters_found_become_gold_for_interpreters(predictor: Predictor) -> None:
    instance = predictor._json_to_instance({"document": TEXT, "genre": "nw"})
    predictor._dataset_reader.apply_token_indexers(instance)
    outputs = predictor._model.forward_on_instance(instance)
    (labeled,) = predictor.predictions_to_labeled_instances(instance, outputs)
    found = labeled["metadata"].metadata["clusters"]
    assert [[list(mention) for mention in cluster] for cluster in found] == outputs["clusters"]
    assert labeled["genre"].label == "nw"


@given(st.text(st.sampled_from("ab.,?!'\"`()[]-$%&/3é\u00a0 \n"), max_size=25))
def test_words_of_any_text_are_its_parts(text: str) -> None:
    same, places = _read({"document": text})
    flat = [place for sentence in places for place in sentence]
    assert same == text
    assert all(places)
    assert "".join(text[start:end] for start, end in flat) == "".join(text.split())
    assert sorted(flat) == flat
