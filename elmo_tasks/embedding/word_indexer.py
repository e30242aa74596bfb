"""Token indexer that looks words up the way a file of word vectors writes them."""

import re
from typing import Any

from allennlp.data import Token, TokenIndexer, Vocabulary
from allennlp.data.token_indexers.token_indexer import IndexedTokenList
from overrides import overrides

from elmo_tasks.bilm.characters import map_treebank_token

_DIGIT = re.compile("[0-9]")


@TokenIndexer.register("word_ids")
class WordIndexer(TokenIndexer):
    """
    Words as ids of a vocabulary, after the two changes that word vectors need.

    Unlike AllenNLP's ``single_id`` it can undo the treebank's escapes for the lookup alone: the tokens themselves stay
    as they are, and another indexer of the same text decides for itself.

    Parameters
    ----------
    namespace
        vocabulary namespace of the words.
    lowercase_tokens
        look words up in lower case; right for vectors of lower-cased text.
    digits_to_zero
        look every digit up as 0, so that all years are one word; right for vectors made so, as Senna's.
    map_treebank_tokens
        look ``-LRB-`` up as ``(``, two backquotes as ``"`` and so on; right for vectors of plain text.
    lowercase_fallback
        look a word up in lower case where the vocabulary has it in no other form; right for vectors of cased text. The
        vocabulary has to hold no words but the vectors' (``only_include_pretrained_words``).
    token_min_padding_length
        AllenNLP's; pad to at least this many tokens.
    """

    def __init__(
        self,
        namespace: str = "tokens",
        lowercase_tokens: bool = False,
        map_treebank_tokens: bool = False,
        digits_to_zero: bool = False,
        lowercase_fallback: bool = False,
        token_min_padding_length: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(token_min_padding_length=token_min_padding_length, **kwargs)
        self.namespace = namespace
        self.lowercase_tokens = lowercase_tokens
        self.map_treebank_tokens = map_treebank_tokens
        self.digits_to_zero = digits_to_zero
        self.lowercase_fallback = lowercase_fallback

    def lookup_form(self, word: str) -> str:
        """The word as it is looked up."""
        if self.map_treebank_tokens:
            word = map_treebank_token(word)
        if self.digits_to_zero:
            word = _DIGIT.sub("0", word)
        return word.lower() if self.lowercase_tokens else word

    @overrides
    def count_vocab_items(self, token: Token, counter: dict[str, dict[str, int]]) -> None:
        """Count the word as it is looked up."""
        counter[self.namespace][self.lookup_form(token.ensure_text())] += 1

    @overrides
    def tokens_to_indices(self, tokens: list[Token], vocabulary: Vocabulary) -> IndexedTokenList:
        """Ids of the words; that of "unknown" for a word that the vocabulary lacks."""
        known = vocabulary.get_token_to_index_vocabulary(self.namespace)
        forms = [self.lookup_form(token.ensure_text()) for token in tokens]
        if self.lowercase_fallback:
            forms = [form if form in known else form.lower() for form in forms]
        return {"tokens": [vocabulary.get_token_index(form, self.namespace) for form in forms]}

    @overrides
    def get_empty_token_list(self) -> IndexedTokenList:
        """No word."""
        return {"tokens": []}
