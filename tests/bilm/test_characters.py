"""Words as character ids: the written rules, for any text."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.bilm import batch_to_ids
from elmo_tasks.bilm.characters import map_treebank_token, word_to_ids, words_to_array
from elmo_tasks.errors import InputError
from tests.bilm.reference import ReferenceBiLM

# Lone surrogates too: they have no bytes in UTF-8.
ANY_TEXT = st.text(st.characters(), max_size=70)


def test_the_example_of_the_specification() -> None:
    assert word_to_ids("cat") == [259, 100, 98, 117, 260] + [261] * 45


def test_the_empty_word_and_the_markers() -> None:
    assert word_to_ids("") == [259, 260] + [261] * 48
    assert word_to_ids("<S>") == [259, 257, 260] + [261] * 47
    assert word_to_ids("</S>") == [259, 258, 260] + [261] * 47
    # Spelled, not a marker.
    assert word_to_ids("<UNK>")[:7] == [259, *(ord(c) + 1 for c in "<UNK>"), 260]
    assert word_to_ids("<s>")[:5] == [259, *(ord(c) + 1 for c in "<s>"), 260]


@pytest.mark.parametrize(("word", "num_bytes"), [("x" * 48, 48), ("x" * 49, 48), ("é" * 24, 48), ("é" * 25, 48)])
def test_words_of_the_full_length(word: str, num_bytes: int) -> None:
    ids = word_to_ids(word)
    assert len(ids) == 50
    assert ids[num_bytes + 1] == 260


def test_a_character_may_be_cut_in_two() -> None:
    # 47 bytes and the first of the three of a Japanese character, as in the original.
    assert word_to_ids("x" * 47 + "東")[47:] == [ord("x") + 1, "東".encode()[0] + 1, 260]


@given(ANY_TEXT, st.integers(3, 60))
def test_any_word(word: str, places: int) -> None:
    ids = word_to_ids(word, places)
    shape_only = ReferenceBiLM.__new__(ReferenceBiLM)
    shape_only.cnn = {"max_characters_per_token": places}
    assert ids == [character + 1 for character in shape_only.characters(word)]
    assert len(ids) == places
    assert words_to_array([word], places).tolist() == [ids]
    # The bytes can be read back up to the cut.
    end = ids.index(260)
    if word not in ("<S>", "</S>"):
        assert bytes(i - 1 for i in ids[1:end]) == word.encode("utf-8", "ignore")[: places - 2]


@given(st.lists(st.lists(ANY_TEXT, max_size=4), max_size=4))
def test_any_batch(sentences: list[list[str]]) -> None:
    ids = batch_to_ids(sentences)
    assert ids.dtype == torch.int64
    assert ids.shape == (len(sentences), max(map(len, sentences), default=0), 50)
    for row, sentence in enumerate(sentences):
        assert ids[row, : len(sentence)].tolist() == [word_to_ids(word) for word in sentence]
        assert not ids[row, len(sentence) :].any()


def test_ids_handed_out_can_be_changed_without_harm() -> None:
    """Words are remembered; nobody can spoil what is remembered."""
    with pytest.raises(ValueError, match="read-only"):
        words_to_array(["mouse"])[:] = 0
    batch_to_ids([["mouse"]])[:] = 0
    word_to_ids("mouse")[1] = 0
    assert words_to_array(["mouse"])[0].tolist() == word_to_ids("mouse")


def test_no_words() -> None:
    assert words_to_array([], 20).shape == (0, 20)
    np.testing.assert_array_equal(batch_to_ids([]).shape, (0, 0, 50))


def test_a_sentence_that_is_no_list_of_words() -> None:
    with pytest.raises(InputError, match="sentence 1 is a string, expected a list of tokens"):
        batch_to_ids([["The", "cat"], "The cat"])


@pytest.mark.parametrize(
    ("treebank", "plain"),
    [
        ("``", '"'), ("''", '"'), ("-LRB-", "("), ("-RRB-", ")"), ("-LSB-", "["), ("-RSB-", "]"), ("-LCB-", "{"),
        ("-RCB-", "}"), ("1\\/2", "1/2"), ("\\*\\*\\*", "***"), ("and\\/or\\/not", "and/or/not"),
        ("-lrb-", "-lrb-"), ("'", "'"), ("`", "'"), ("'s", "'s"), ("a-LRB-", "a-LRB-"), ("", ""), ("\\", "\\"),
    ],
)  # fmt: skip
def test_treebank_tokens(treebank: str, plain: str) -> None:
    assert map_treebank_token(treebank) == plain


@given(ANY_TEXT)
def test_mapping_a_second_time_changes_nothing_more(token: str) -> None:
    once = map_treebank_token(token)
    if "\\" not in once:
        assert map_treebank_token(once) == once
