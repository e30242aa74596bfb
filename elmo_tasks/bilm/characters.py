"""
Words as character ids, the way the released biLMs were trained (bilm-tf ``data.py``).

A word is its UTF-8 bytes between two word markers, filled up with a padding character. Every id is one higher than in
bilm-tf's training code, so that 0 means "no token here": a byte b is b + 1.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from elmo_tasks.errors import InputError

BEGIN_SENTENCE = "<S>"
END_SENTENCE = "</S>"
UNKNOWN = "<UNK>"

NO_TOKEN_ID = 0
BEGIN_SENTENCE_ID = 257
END_SENTENCE_ID = 258
BEGIN_WORD_ID = 259
END_WORD_ID = 260
PADDING_ID = 261

DEFAULT_MAX_CHARACTERS = 50

_TREEBANK_TO_PLAIN = {
    "``": '"',
    "''": '"',
    "`": "'",
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
}


def map_treebank_token(token: str) -> str:
    """
    Write a Penn Treebank token as plain text has it: quotes, brackets and the escapes of slash and asterisk.

    The project's own biLMs and word vectors come from plain text; the released ELMo weights are used without this.
    """
    if token in _TREEBANK_TO_PLAIN:
        return _TREEBANK_TO_PLAIN[token]
    return token.replace("\\/", "/").replace("\\*", "*")


def word_to_ids(word: str, max_characters_per_token: int = DEFAULT_MAX_CHARACTERS) -> list[int]:
    """
    Character ids of one word, ``max_characters_per_token`` of them.

    Longer words are cut after ``max_characters_per_token - 2`` bytes, as in the original, which may split a character
    of several bytes. The literal tokens ``<S>`` and ``</S>`` are the sentence markers.
    """
    if word == BEGIN_SENTENCE:
        inner = [BEGIN_SENTENCE_ID]
    elif word == END_SENTENCE:
        inner = [END_SENTENCE_ID]
    else:
        inner = [byte + 1 for byte in word.encode("utf-8", "ignore")[: max_characters_per_token - 2]]
    ids = [BEGIN_WORD_ID, *inner, END_WORD_ID]
    return ids + [PADDING_ID] * (max_characters_per_token - len(ids))


# As bytes, which Python keeps in its own pools: many small arrays between a training's large ones would leave holes
# in the heap that grow with every new word.
@lru_cache(maxsize=200_000)
def _word_row(word: str, max_characters_per_token: int) -> bytes:
    return np.array(word_to_ids(word, max_characters_per_token), dtype=np.int16).tobytes()


def words_to_array(words: Sequence[str], max_characters_per_token: int = DEFAULT_MAX_CHARACTERS) -> np.ndarray:
    """Character ids of a list of words: int16 array ``(num_words, max_characters_per_token)``, read-only."""
    rows = b"".join(_word_row(word, max_characters_per_token) for word in words)
    return np.frombuffer(rows, dtype=np.int16).reshape(len(words), max_characters_per_token)


def batch_to_ids(
    sentences: Sequence[Sequence[str]], max_characters_per_token: int = DEFAULT_MAX_CHARACTERS
) -> torch.Tensor:
    """
    Character ids of tokenised sentences, without sentence markers (``BiLM`` adds them).

    Returns
    -------
    int64 tensor ``(batch_size, num_tokens, max_characters_per_token)``; tokens past a sentence's end are all 0.

    Raises
    ------
    InputError
        If a sentence is a string.
    """
    for number, sentence in enumerate(sentences):
        if isinstance(sentence, str):
            raise InputError(f"sentence {number} is a string, expected a list of tokens: {sentence[:40]!r}.")
    longest = max((len(sentence) for sentence in sentences), default=0)
    ids = np.full((len(sentences), longest, max_characters_per_token), NO_TOKEN_ID, dtype=np.int64)
    for row, sentence in enumerate(sentences):
        ids[row, : len(sentence)] = words_to_array(sentence, max_characters_per_token)
    return torch.from_numpy(ids)
