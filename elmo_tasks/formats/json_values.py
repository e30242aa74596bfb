"""JSON of other people's files: parsed strictly, its values asked for by key and kind, mistakes in one sentence."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from elmo_tasks.errors import InputError

Value = TypeVar("Value", str, int, list[Any])

_KINDS: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_SHOWN = 60


def parse_json(
    text: str, source: str, line: int | None = None, on_repeated_key: Callable[[str], object] | None = None
) -> Any:
    """
    The value that a JSON text stands for.

    Parameters
    ----------
    text : a whole file, or one line of it.
    source : what messages call the file.
    line : number of the line that the text is; None for a whole file.
    on_repeated_key : called with each key that stands in one object again; its last value then counts. Without it such
        a key is an error.

    Raises
    ------
    InputError
        Naming the file, and line and column of what is not JSON.
    """
    where = f"{source}:{line}" if line else source

    def refuse(key: str) -> None:
        raise InputError(f"{where}: the key {shown(key)} stands twice in one JSON object; remove one of them.")

    def to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            seen = set()
            for key, _ in pairs:
                if key in seen:
                    (on_repeated_key or refuse)(key)
                seen.add(key)
        return found

    try:
        return json.loads(text, object_pairs_hook=to_object)
    except json.JSONDecodeError as error:
        place = f"{source}:{line or error.lineno}: column {error.colno}"
        remedy = "expected one value and no more." if error.msg == "Extra data" else "is the file whole?"
        raise InputError(f"{place}: this is not JSON ({error.msg}); {remedy}") from None
    except InputError:
        raise
    except RecursionError:
        raise InputError(f"{where}: the brackets of this JSON are nested too deeply to be read.") from None
    except ValueError as error:
        # A number with more digits than Python takes.
        raise InputError(f"{where}: this JSON cannot be read ({error}).") from None


def shown(text: str) -> str:
    """A text as a message shows it: in quotes, on one line, cut where it is long."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}..."


def found(value: Any) -> str:
    """What a JSON value is, for messages: "the string 'one'", "a list", "null"."""
    if isinstance(value, str):
        return f"the string {shown(value)}"
    if isinstance(value, bool | int | float):
        return json.dumps(value)[:_SHOWN]
    return _KINDS[type(value)]


def member(record: Any, key: str, kind: type[Value], where: str) -> Value:
    """
    The value of a key that an object must have.

    Parameters
    ----------
    record : what must be an object.
    kind : what the value must be; `int` is no boolean here.
    where : file and place, for messages.

    Raises
    ------
    InputError
        If it is no object, or has no such key, or a value of another kind.
    """
    if not isinstance(record, dict):
        raise InputError(f'{where}: expected an object with "{key}", found {found(record)}.')
    if key not in record:
        names = ", ".join(map(shown, record))[: 2 * _SHOWN]
        raise InputError(f'{where}: there is no "{key}" ' + (f"among the keys {names}." if names else "in it."))
    value = record[key]
    if type(value) is not kind:
        raise InputError(f'{where}: "{key}" must be {_KINDS[kind]}, found {found(value)}.')
    return value
