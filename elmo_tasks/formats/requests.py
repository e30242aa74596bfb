"""What predictors are asked: a JSON object with texts or with their tokens."""

from collections.abc import Callable
from typing import Any

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
