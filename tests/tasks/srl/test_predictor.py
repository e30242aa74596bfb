"""The predictor: arguments of given, tagged or guessed predicates, with their places in the text."""

import re
import sys
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
from elmo_tasks.formats.conll2012 import read_documents
from elmo_tasks.formats.tags import Span, encode
from elmo_tasks.tasks.srl.predictor import BracketsPredictor, SRLPredictor, draw
from elmo_tasks.tasks.srl.verbs import RULE, guess_verbs
from tests.tasks.conftest import published

TEXT = " Anna  sold the old boat, and Rex sailed home."
WORDS = ["Anna", "sold", "the", "old", "boat", ",", "and", "Rex", "sailed", "home", "."]
FOUND = [Span("ARG0", 0, 1), Span("V", 1, 2), Span("ARG1", 2, 5)]

Answering = Callable[..., None]


@pytest.fixture(scope="module")
def predictor(tiny_profile: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    folder = tmp_path_factory.mktemp("srl") / "run"
    with published(tiny_profile):
        train_model(Params.from_file(repository / "experiments" / "srl" / "elmo.jsonnet"), folder)
    return Predictor.from_path(folder / "model.tar.gz")


@pytest.fixture
def answering(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Makes the model find these spans, whatever the predicate."""
    indices = predictor._model.vocab.get_token_to_index_vocabulary("labels")

    def answer(*spans: Span) -> None:
        def forward(hidden: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(*hidden.shape[:2], len(indices))
            for token, tag in enumerate(encode(spans, hidden.shape[1], "IOB2")):
                logits[:, token, indices[tag]] = 100.0
            return logits

        monkeypatch.setattr(predictor._model.tag_projection, "forward", forward)

    return answer


def test_arguments_have_their_places_and_a_drawing(predictor: Predictor, answering: Answering) -> None:
    assert isinstance(predictor, SRLPredictor)
    answering(*FOUND)
    answer = predictor.predict_json({"sentence": TEXT, "predicates": [1]})
    assert (answer["words"], answer["found_by"]) == (WORDS, "given")
    assert "rule" not in answer
    (found,) = answer["predicates"]
    assert (found["predicate"], found["word"]) == (1, "sold")
    assert found["tags"] == encode(FOUND, len(WORDS), "IOB2")
    assert [Span(one["role"], one["start"], one["end"]) for one in found["arguments"]] == FOUND
    assert [one["text"] for one in found["arguments"]] == ["Anna", "sold", "the old boat"]
    places = [TEXT[one["start_character"] : one["end_character"]] for one in found["arguments"]]
    assert places == ["Anna", "sold", "the old boat"]
    assert found["drawing"] == "[ARG0 Anna] [V sold] [ARG1 the old boat] , and Rex sailed home ."
    joined = predictor.predict_json({"tokens": WORDS, "predicates": [1]})["predicates"][0]["arguments"]
    assert [" ".join(WORDS)[one["start_character"] : one["end_character"]] for one in joined] == places


def test_predicates_by_part_of_speech_and_by_the_rule(predictor: Predictor, answering: Answering) -> None:
    answering()
    pos = ["NNP", "VBD", "DT", "JJ", "NN", ",", "CC", "NNP", "VBD", "NN", "."]
    by_pos = predictor.predict_json({"tokens": WORDS, "pos": pos})
    assert (by_pos["found_by"], [one["predicate"] for one in by_pos["predicates"]]) == ("pos", [1, 8])
    by_rule = predictor.predict_json({"sentence": TEXT})
    assert (by_rule["found_by"], by_rule["rule"]) == ("rule", RULE)
    assert [one["word"] for one in by_rule["predicates"]] == ["sold", "sailed"]
    given = predictor.predict_json({"sentence": TEXT, "pos": pos, "predicates": [3, 1]})
    assert (given["found_by"], [one["predicate"] for one in given["predicates"]]) == ("given", [3, 1])
    nothing = predictor.predict_json({"sentence": "Fine."})
    assert (nothing["words"], nothing["predicates"]) == (["Fine", "."], [])
    assert nothing["hint"] == 'no predicate found; give their places, for instance "predicates": [1].'
    asked = predictor.predict_json({"sentence": "Fine.", "predicates": []})
    assert not any("hint" in answer for answer in (by_pos, by_rule, given, asked))


def test_the_rule() -> None:
    text = "She was tired ; the building seems red , and a wedding is being modernised by the ring"
    words = text.split(" ")
    assert [words[place] for place in guess_verbs(words)] == ["was", "tired", "seems", "is", "being", "modernised"]
    assert guess_verbs([]) == []


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("John loves Mary", "loves"),
        ("They want to play and learn", "want play learn"),
        ("The car needs fuel and she helps him", "needs helps"),
        ("He tries , she watches , they 've used it", "tries watches 've used"),
        ("Can something like my help and the use be his work during the morning ?", "be"),
        ("They will stay , and could buy a boat", "stay buy"),
    ],
)
def test_the_rule_knows_frequent_regular_verbs_and_no_modal_ones(text: str, verbs: str) -> None:
    assert [text.split(" ")[place] for place in guess_verbs(text.split(" "))] == verbs.split(" ")


@pytest.mark.real
def test_the_figures_of_the_rule(shared_folder: Path) -> None:
    """Against the predicates of the English Web Treebank's development set that are verbs, as docs/srl.md has them."""
    correct = found = gold = 0
    for document in read_documents(shared_folder / "data" / "srl" / "ewt" / "ewt.dev.gold_conll.xz"):
        for sentence in document.sentences:
            places = {one.predicate for one in sentence.propositions if sentence.pos[one.predicate].startswith("VB")}
            guessed = set(guess_verbs(sentence.words))
            correct += len(places & guessed)
            found += len(guessed)
            gold += len(places)
    figures = f"precision {100 * correct / found:.1f}, recall {100 * correct / gold:.1f}"
    assert figures == "precision 89.1, recall 88.3"
    docs = (Path(__file__).parents[3] / "docs" / "srl.md").read_text(encoding="utf-8")
    assert figures in " ".join(docs.split())


def test_drawings_in_colours_on_a_terminal_alone(
    predictor: Predictor, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    brackets = Predictor.by_name("paper_srl_brackets")(predictor._model, predictor._dataset_reader)
    assert isinstance(brackets, BracketsPredictor)
    answering(*FOUND)
    answer = brackets.predict_json({"tokens": WORDS[:5], "predicates": [1, 0]})
    drawing = "[ARG0 Anna] [V sold] [ARG1 the old boat]\n"
    assert brackets.dump_line(answer) == f"{drawing}{drawing}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = brackets.dump_line(answer)
    assert shown.startswith("\033[31m[ARG0\033[0m Anna\033[31m]\033[0m \033[32m[V\033[0m sold\033[32m]\033[0m ")
    assert re.sub("\033\\[[0-9]+m", "", shown) == f"{drawing}{drawing}\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert brackets.dump_line(answer) == f"{drawing}{drawing}\n"
    nothing = brackets.predict_json({"sentence": "Fine."})
    assert brackets.dump_line(nothing) == f"Fine .\n{nothing['hint']}\n\n"
    assert brackets.dump_line(brackets.predict_json({"sentence": "Fine.", "predicates": []})) == "Fine .\n\n"
    # what --use-dataset-reader asks for: one predicate's instance
    answering(*FOUND)
    instance = predictor._dataset_reader.text_to_instance(WORDS[:5], 1)
    assert brackets.dump_line(brackets.predict_instance(instance)) == drawing + "\n"


def test_pieces_and_references_have_the_colour_of_their_role() -> None:
    spans = [Span("ARG1", 0, 1), Span("V", 1, 2), Span("C-ARG1", 2, 3), Span("R-ARG1", 3, 4)]
    shown = draw(["a", "b", "c", "d"], spans, in_colours=True)
    assert re.findall("\033\\[([1-9][0-9]*)m", shown) == ["31", "31", "32", "32", *["31"] * 4]


def test_brackets_of_several_words_and_of_one() -> None:
    assert draw(["a", "b", "c"], [Span("V", 0, 1), Span("C-V", 1, 3)]) == "[V a] [C-V b c]"


def test_several_requests_are_answered_as_each_alone(predictor: Predictor) -> None:
    requests: list[dict[str, Any]] = [
        {"sentence": TEXT},
        {"sentence": "Fine."},
        {"tokens": ["It", "broke"], "predicates": [1, 0]},
        {"tokens": WORDS[:5], "predicates": [1], "id": 3},
    ]
    together = predictor.predict_batch_json(requests)
    assert together == [predictor.predict_json(request) for request in requests]
    assert [len(answer["predicates"]) for answer in together] == [2, 0, 2, 1]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"sentence": " \n"}, '"sentence" is empty: give a text of at least one word'),
        ({"text": "Anna"}, r'expected \{"sentence": .*found "text"'),
        ({"tokens": ["a"], "predicates": 0}, r'"predicates" must be a list of places of words, from 0, found 0\.'),
        ({"tokens": ["a"], "predicates": [True]}, r'"predicates" must be a list of places of words'),
        ({"tokens": ["a"], "predicates": [1]}, r'"predicates" has 1, but the sentence has 1 words: expected 0 to 0\.'),
        ({"tokens": ["a"], "pos": "VB"}, r'"pos" must be a list of parts of speech, one a word, found \'VB\'\.'),
        ({"tokens": ["a"], "pos": ["VB", "."]}, r'"pos" has 2 parts of speech for 1 words, expected one each\.'),
    ],
)
def test_requests_that_cannot_be_answered(predictor: Predictor, request_: dict[str, Any], sentence: str) -> None:
    for ask in (predictor.predict_json, lambda request: predictor.predict_batch_json([{"sentence": "Fine"}, request])):
        with pytest.raises(InputError, match=sentence):
            ask(request_)


def test_the_arguments_found_are_the_labels_for_interpreters(predictor: Predictor, answering: Answering) -> None:
    request = {"sentence": TEXT, "predicates": [8]}
    gradients, _ = predictor.get_gradients(predictor.json_to_labeled_instances(request))
    assert any(np.any(gradient) for gradient in gradients.values())
    answering(*FOUND)
    (labeled,) = predictor.json_to_labeled_instances(request)
    assert labeled["tags"].labels == encode(FOUND, len(WORDS), "IOB2")
    assert labeled["verb_indicator"].labels.index(1) == 8
    with pytest.raises(InputError, match='no predicate found; give their places, for instance "predicates": '):
        predictor.json_to_labeled_instances({"sentence": "Fine."})


def test_the_official_file_is_not_written_answer_by_answer(predictor: Predictor) -> None:
    with pytest.raises(InputError, match="this task's official format is not written answer by answer"):
        Predictor.by_name("official")(predictor._model, predictor._dataset_reader)
