"""What predictors are asked: a JSON object with a text or with its tokens."""

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
        tokens = request["tokens"]
        if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
            raise InputError('"tokens" must be a list of words, each a non-empty string.')
        if not tokens:
            raise InputError('"tokens" is empty: give at least one word.')
        return tokens
    if "sentence" in request:
        sentence = request["sentence"]
        if not isinstance(sentence, str):
            raise InputError(f'"sentence" must be a text, found {type(sentence).__name__}.')
        tokens = tokenize(sentence)
        if not tokens:
            raise InputError('"sentence" is empty: give a text of at least one word.')
        return tokens
    found = ", ".join(f'"{key}"' for key in request) or "an empty object"
    raise InputError(f'expected {{"sentence": "a text"}} or {{"tokens": ["a", "text"]}}, found {found}.')
