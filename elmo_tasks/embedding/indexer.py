"""Tokens as the character ids that a biLM reads."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from allennlp.data.token_indexers.token_indexer import IndexedTokenList, TokenIndexer
from allennlp.data.tokenizers import Token
from allennlp.data.vocabulary import Vocabulary
from overrides import overrides

from elmo_tasks.bilm.characters import (
    DEFAULT_MAX_CHARACTERS,
    NO_TOKEN_ID,
    map_treebank_token,
    word_to_ids,
)
from elmo_tasks.errors import InputError

# A word's two markers and at least one byte.
_FEWEST_CHARACTERS = 3


@TokenIndexer.register("bilm_characters")
class BiLMCharacterIndexer(TokenIndexer):
    r"""
    Turns each token into the ids of its UTF-8 bytes; no vocabulary takes part.

    A token whose text is exactly ``<S>`` or ``</S>`` becomes the sentence marker (docs/file-format.md).

    Parameters
    ----------
    map_treebank_tokens : write quotes, brackets and escapes of the Penn Treebank (`` `` ``, ``-LRB-``, ``\/``) as
        plain text has them. On for biLMs trained on plain text, as the project's own are; off for the released weights.
    max_characters_per_token : places of a token, the two word markers included; the biLM's options say how many. What
        a word has beyond is cut off.
    token_min_padding_length : shortest padded length of a text, in tokens.

    Raises
    ------
    InputError
        If ``max_characters_per_token`` leaves no room for a character.
    """

    def __init__(
        self,
        map_treebank_tokens: bool = False,
        max_characters_per_token: int = DEFAULT_MAX_CHARACTERS,
        token_min_padding_length: int = 0,
    ) -> None:
        super().__init__(token_min_padding_length)
        if max_characters_per_token < _FEWEST_CHARACTERS:
            raise InputError(
                f"max_characters_per_token is {max_characters_per_token}, expected at least {_FEWEST_CHARACTERS}."
            )
        self.map_treebank_tokens = map_treebank_tokens
        self.max_characters_per_token = max_characters_per_token

    @overrides
    def count_vocab_items(self, token: Token, counter: dict[str, dict[str, int]]) -> None:
        """Count nothing: the biLM brings its characters along."""

    @overrides
    def tokens_to_indices(self, tokens: list[Token], vocabulary: Vocabulary) -> IndexedTokenList:
        """``{"character_ids": a list of max_characters_per_token ids for each token}``."""
        return {"character_ids": [_shared_ids(word, self.max_characters_per_token) for word in self.words(tokens)]}

    def words(self, tokens: Iterable[Token]) -> list[str]:
        """The tokens as the biLM reads them."""
        words = [token.ensure_text() for token in tokens]
        return [map_treebank_token(word) for word in words] if self.map_treebank_tokens else words

    @overrides
    def get_empty_token_list(self) -> IndexedTokenList:
        """The indices of a text without tokens."""
        return {"character_ids": []}

    @overrides
    def as_padded_tensor_dict(
        self, tokens: IndexedTokenList, padding_lengths: dict[str, int]
    ) -> dict[str, torch.Tensor]:
        """``{"character_ids": int64 (num_tokens, max_characters_per_token)}``; a padded token is all zeros."""
        length = padding_lengths["character_ids"]
        ids = np.full((length, self.max_characters_per_token), NO_TOKEN_ID, dtype=np.int64)
        known: list[Any] = tokens["character_ids"][:length]
        if known:
            ids[: len(known)] = known
        return {"character_ids": torch.from_numpy(ids)}


@lru_cache(maxsize=200_000)
def _shared_ids(word: str, max_characters_per_token: int) -> list[int]:
    # One list for all places of a word: indexed data sets stay in memory, and a list of fifty is half a kilobyte.
    return word_to_ids(word, max_characters_per_token)
