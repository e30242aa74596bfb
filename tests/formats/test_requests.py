"""What predictors are asked: a text or its tokens, and one sentence for everything else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.requests import (
    part_of_sentence,
    sentence_of_request,
    tokens_of_request,
    treebank_spans,
)


def test_a_text_is_tokenised_and_tokens_are_taken_as_they_are() -> None:
    assert tokens_of_request({"sentence": "A b-c."}, lambda text: text.split("-")) == ["A b", "c."]
    assert tokens_of_request({"tokens": ["A b-c.", " "]}, lambda text: text.split("-")) == ["A b-c.", " "]
    both = {"sentence": "not this", "tokens": ["this"], "id": 3}
    assert tokens_of_request(both, str.split) == ["this"]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"tokens": []}, r'"tokens" is empty: give at least one word\.'),
        ({"tokens": ["a", ""]}, r'"tokens" must be a list of words, each a non-empty string\.'),
        ({"tokens": ["a", 3]}, r'"tokens" must be a list of words'),
        ({"tokens": "a b"}, r'"tokens" must be a list of words'),
        ({"tokens": None}, r'"tokens" must be a list of words'),
        ({"sentence": " \n"}, r'"sentence" is empty: give a text of at least one word\.'),
        ({"sentence": ["a"]}, r'"sentence" must be a text, found list\.'),
        ({"sentence": None}, r'"sentence" must be a text, found NoneType\.'),
        ({"text": "a", "id": 3}, r'expected \{"sentence": "a text"\} or \{"tokens": .*\}, found "text", "id"\.'),
        ({}, r"expected \{.*\}, found an empty object\."),
    ],
    ids=str,
)
def test_what_is_refused(request_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        tokens_of_request(request_, str.split)


@given(st.text(st.sampled_from("ab.,'\"`()[]-$%&/3é\u00a0 \n"), max_size=25))
def test_tokens_of_any_text_are_its_parts(text: str) -> None:
    tokens = [text[start:end] for start, end in treebank_spans(text)]
    assert all(tokens)
    assert "".join(tokens) == "".join(text.split())
    assert sorted(treebank_spans(text)) == treebank_spans(text)


def test_tokens_have_places_in_the_text_or_in_the_tokens_joined() -> None:
    text, spans = sentence_of_request({"sentence": " Anna  isn't here."})
    assert [text[start:end] for start, end in spans] == ["Anna", "is", "n't", "here", "."]
    assert part_of_sentence(text, spans, 0, 3) == {
        "text": "Anna  isn't",
        "start": 0,
        "end": 3,
        "start_character": 1,
        "end_character": 12,
    }
    assert sentence_of_request({"sentence": "no", "tokens": ["Anna", "is"]}) == ("Anna is", [(0, 4), (5, 7)])
