"""What predictors are asked: a JSON object with texts or with their tokens."""

from collections.abc import Callable
from typing import Any

from nltk.tokenize import TreebankWordTokenizer

from elmo_tasks.errors import InputError


def tokens_of_request(request: dict[str, Any], tokenize: Callable[[str], list[str]]) -> list[str]:
    """
    The tokens of ``{"sentence": "a text"}`` or ``{"tokens": ["a", "text"]}``.

    Parameters
    ----------
    tokenize : makes the tokens of a text; those that are given are taken as they are.

    Raises
    ------
    InputError
        If there is neither, or no word in it.
    """
    if "tokens" in request:
        return _given_tokens(request["tokens"], "tokens")
    if "sentence" in request:
        return _tokens_of_text(request["sentence"], "sentence", tokenize)
    raise InputError(f'expected {{"sentence": "a text"}} or {{"tokens": ["a", "text"]}}, found {_keys(request)}.')


def sentence_of_request(request: dict[str, Any]) -> tuple[str, list[tuple[int, int]]]:
    """
    The text of ``{"sentence": "a text"}`` or ``{"tokens": ["a", "text"]}``, and where its tokens begin and end in it.

    A text is taken for one sentence and tokenised by the rules of the Penn Treebank (nltk's ``TreebankWordTokenizer``,
    which needs no download). Given tokens make the text joined by single blanks.

    Raises
    ------
    InputError
        If there is neither, or no word in it.
    """
    tokens = tokens_of_request(request, lambda text: [text[start:end] for start, end in treebank_spans(text)])
    if "tokens" not in request:
        return request["sentence"], treebank_spans(request["sentence"])
    spans, start = [], 0
    for token in tokens:
        spans.append((start, start + len(token)))
        start += len(token) + 1
    return " ".join(tokens), spans


def part_of_sentence(text: str, spans: list[tuple[int, int]], start: int, end: int) -> dict[str, Any]:
    """
    Tokens ``start`` to ``end`` of a sentence as an answer shows them: ``text``, these tokens, and their characters.

    Parameters
    ----------
    text, spans : what :func:`sentence_of_request` gives.
    start, end : the ends are excluded, of tokens and of characters.
    """
    first, last = spans[start][0], spans[end - 1][1]
    return {
        "text": text[first:last],
        "start": start,
        "end": end,
        "start_character": first,
        "end_character": last,
    }


def treebank_spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a sentence begin and end by the rules of the Penn Treebank."""
    return list(TreebankWordTokenizer().span_tokenize(text))


def tokens_at(request: dict[str, Any], key: str, tokenize: Callable[[str], list[str]]) -> list[str]:
    """
    The tokens that a request has under a key: of a text, or given as a list.

    Parameters
    ----------
    tokenize : makes the tokens of a text; those that are given are taken as they are.

    Raises
    ------
    InputError
        If there is no such key, or no word in it.
    """
    if key not in request:
        raise InputError(f'expected "{key}", a text or a list of words, found {_keys(request)}.')
    value = request[key]
    return _given_tokens(value, key) if isinstance(value, list) else _tokens_of_text(value, key, tokenize)


def _given_tokens(tokens: Any, key: str) -> list[str]:
    if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
        raise InputError(f'"{key}" must be a list of words, each a non-empty string.')
    if not tokens:
        raise InputError(f'"{key}" is empty: give at least one word.')
    return tokens


def _tokens_of_text(text: Any, key: str, tokenize: Callable[[str], list[str]]) -> list[str]:
    if not isinstance(text, str):
        raise InputError(f'"{key}" must be a text, found {type(text).__name__}.')
    tokens = tokenize(text)
    if not tokens:
        raise InputError(f'"{key}" is empty: give a text of at least one word.')
    return tokens


def _keys(request: dict[str, Any]) -> str:
    return ", ".join(f'"{key}"' for key in request) or "an empty object"
