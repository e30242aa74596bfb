"""The indexer against AllenNLP's own, and inside text fields."""

import pickle

import pytest
import torch
from allennlp.common import Params
from allennlp.data import Batch, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import ListField, TextField
from allennlp.data.token_indexers import ELMoTokenCharactersIndexer
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.bilm import batch_to_ids
from elmo_tasks.embedding.indexer import BiLMCharacterIndexer
from elmo_tasks.errors import InputError


def indices(indexer: TokenIndexer, words: list[str]) -> list[list[int]]:
    tokens = [Token(word) for word in words]
    return next(iter(indexer.tokens_to_indices(tokens, Vocabulary()).values()))


@given(st.lists(st.text(max_size=80) | st.sampled_from(["<S>", "</S>", "``", "-LRB-"]), max_size=5))
def test_ids_are_those_of_allennlp(words: list[str]) -> None:
    assert indices(BiLMCharacterIndexer(), words) == indices(ELMoTokenCharactersIndexer(), words)


def test_mapping_of_treebank_tokens() -> None:
    treebank = ["``", "''", "-LRB-", "-RRB-", "-LCB-", "-RSB-", "1\\/2", "\\*", "plain", "-lrb-"]
    plain = ['"', '"', "(", ")", "{", "]", "1/2", "*", "plain", "-lrb-"]
    assert indices(BiLMCharacterIndexer(map_treebank_tokens=True), treebank) == indices(BiLMCharacterIndexer(), plain)
    assert indices(BiLMCharacterIndexer(), ["``"]) != indices(BiLMCharacterIndexer(), ['"'])


def test_padded_batch_equals_batch_to_ids() -> None:
    sentences = [["The", "cat"], [], ["A", "much", "longer", "one"]]
    fields = [TextField([Token(word) for word in sentence], {"elmo": BiLMCharacterIndexer()}) for sentence in sentences]
    batch = Batch([Instance({"text": field}) for field in fields])
    batch.index_instances(Vocabulary())
    ids = batch.as_tensor_dict()["text"]["elmo"]["character_ids"]
    assert ids.dtype == torch.long
    assert torch.equal(ids, batch_to_ids(sentences))


def test_lists_of_texts_are_padded_with_texts_of_zeros() -> None:
    indexer = {"elmo": BiLMCharacterIndexer()}
    texts = [[["a", "b"]], [["c"], ["d", "e", "f"]]]
    instances = [
        Instance({"texts": ListField([TextField([Token(word) for word in text], indexer) for text in row])})
        for row in texts
    ]
    batch = Batch(instances)
    batch.index_instances(Vocabulary())
    ids = batch.as_tensor_dict()["texts"]["elmo"]["character_ids"]
    assert ids.shape == (2, 2, 3, 50)
    assert torch.equal(ids[1], batch_to_ids([["c"], ["d", "e", "f"]]))
    assert torch.equal(ids[0], batch_to_ids([["a", "b", "x"], []]) * torch.tensor([1, 1, 0]).view(1, 3, 1))


def test_shortest_padded_length_and_characters() -> None:
    indexer = TokenIndexer.from_params(
        Params({"type": "bilm_characters", "max_characters_per_token": 10, "token_min_padding_length": 4})
    )
    indexed = indexer.tokens_to_indices([Token("extraordinarily")], Vocabulary())
    lengths = indexer.get_padding_lengths(indexed)
    ids = indexer.as_padded_tensor_dict(indexed, lengths)["character_ids"]
    assert ids.shape == (4, 10)
    # Begin of word, eight bytes, end of word.
    assert ids[0].tolist() == [259, *(byte + 1 for byte in b"extraord"), 260]
    assert (ids[1:] == 0).all()


def test_equal_settings_are_equal_indexers() -> None:
    first, second = BiLMCharacterIndexer(), BiLMCharacterIndexer()
    indices(first, ["only", "first", "used"])
    assert first == second == pickle.loads(pickle.dumps(first))
    assert first != BiLMCharacterIndexer(map_treebank_tokens=True)


def test_no_room_for_characters() -> None:
    with pytest.raises(InputError, match="max_characters_per_token is 2"):
        BiLMCharacterIndexer(max_characters_per_token=2)
