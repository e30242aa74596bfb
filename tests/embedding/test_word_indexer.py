"""Words are looked up as the file of word vectors writes them."""

import pytest
from allennlp.common import Params
from allennlp.data import Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.batch import Batch
from allennlp.data.fields import TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer

import elmo_tasks.embedding.word_indexer  # noqa: F401
from elmo_tasks.embedding.word_indexer import WordIndexer

TEXT = ["``", "A", "-LRB-", "b", "-RRB-", "''", "9\\/11"]


def vocabulary_of(indexer: TokenIndexer) -> tuple[Vocabulary, Instance]:
    instance = Instance({"tokens": TextField([Token(word) for word in TEXT], {"tokens": indexer})})
    return Vocabulary.from_instances([instance]), instance


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, TEXT),
        ({"lowercase_tokens": True}, ["``", "a", "-lrb-", "b", "-rrb-", "''", "9\\/11"]),
        ({"map_treebank_tokens": True}, ['"', "A", "(", "b", ")", '"', "9/11"]),
        ({"map_treebank_tokens": True, "lowercase_tokens": True}, ['"', "a", "(", "b", ")", '"', "9/11"]),
    ],
)
def test_the_looked_up_words_are_those_of_the_vocabulary(options: dict, words: list[str]) -> None:
    indexer = TokenIndexer.from_params(Params({"type": "word_ids", **options}))
    vocabulary, instance = vocabulary_of(indexer)
    assert set(vocabulary.get_token_to_index_vocabulary()) == {"@@PADDING@@", "@@UNKNOWN@@", *words}
    batch = Batch([instance])
    batch.index_instances(vocabulary)
    ids = batch.as_tensor_dict()["tokens"]["tokens"]["tokens"][0].tolist()
    assert [vocabulary.get_token_from_index(index) for index in ids] == words
    assert [token.text for token in instance["tokens"]] == TEXT


def test_without_changes_it_is_allennlps_indexer() -> None:
    ours, theirs = vocabulary_of(WordIndexer()), vocabulary_of(SingleIdTokenIndexer())
    assert ours[0].get_token_to_index_vocabulary() == theirs[0].get_token_to_index_vocabulary()
    for vocabulary, instance in (ours, theirs):
        instance.index_fields(vocabulary)
    padded = [
        instance.as_tensor_dict({"tokens": {"tokens___tokens": 9}})["tokens"]["tokens"]["tokens"].tolist()
        for _, instance in (ours, theirs)
    ]
    assert padded[0] == padded[1]


def test_a_word_that_the_vocabulary_lacks_is_unknown() -> None:
    vocabulary, _ = vocabulary_of(WordIndexer())
    assert WordIndexer().tokens_to_indices([Token("new")], vocabulary) == {"tokens": [1]}


def test_digits_are_looked_up_as_zeros_after_the_other_changes() -> None:
    indexer = WordIndexer(lowercase_tokens=True, map_treebank_tokens=True, digits_to_zero=True)
    words = {"1997": "0000", "1996-08-22": "0000-00-00", "U2": "u0", "9\\/11": "0/00", "\u0663": "\u0663", "-LRB-": "("}
    assert {word: indexer.lookup_form(word) for word in words} == words
    assert WordIndexer().lookup_form("1997") == "1997"
    vocabulary = Vocabulary({"tokens": {"0000": 1}})
    ids = WordIndexer(digits_to_zero=True).tokens_to_indices([Token("1997"), Token("2001"), Token("99")], vocabulary)
    year = vocabulary.get_token_index("0000")
    assert ids == {"tokens": [year, year, vocabulary.get_token_index("@@UNKNOWN@@")]}


def test_lower_case_is_for_words_that_the_vectors_have_in_no_other_form() -> None:
    vocabulary = Vocabulary()
    for word in ("Apple", "apple", "bank"):
        vocabulary.add_token_to_namespace(word)
    indexer = WordIndexer(lowercase_fallback=True)
    tokens = [Token(word) for word in ("Apple", "apple", "Bank", "BANK", "APPLE", "Cat")]
    ids = indexer.tokens_to_indices(tokens, vocabulary)["tokens"]
    found = [vocabulary.get_token_from_index(index) for index in ids]
    assert found == ["Apple", "apple", "bank", "bank", "apple", "@@UNKNOWN@@"]
    (without,) = WordIndexer().tokens_to_indices(tokens[2:3], vocabulary)["tokens"]
    assert vocabulary.get_token_from_index(without) == "@@UNKNOWN@@"
