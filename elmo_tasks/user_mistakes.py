"""From an exception to the one sentence for the user whose mistake it is."""

import os
import sys
from typing import NoReturn

from elmo_tasks.errors import InputError

EXIT_STATUS = 2
"""What a command of ours exits with after a user's mistake."""

TRACEBACK_VARIABLE = "ELMO_TASKS_TRACEBACK"
"""Set to 1, the environment variable of this name leaves the stack trace in place."""

_IN_A_TRACE = f"{InputError.__module__}.{InputError.__name__}: "


def user_mistake(error: BaseException) -> str | None:
    """
    The sentence of the `InputError` that this exception is, was caused by, or quotes; None if there is none.

    AllenNLP puts its own exception around ours when it tries the members of a `Union`, and puts its own words in
    front of our sentence. Its workers, and torch's, hand on the text of the trace alone.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if isinstance(link, InputError):
            return str(link.args[-1]) if link.args else str(link)
        for line in str(link).splitlines():
            if line.strip().startswith(_IN_A_TRACE):
                return line.strip().removeprefix(_IN_A_TRACE)
        link = link.__cause__
    return None


def wants_trace() -> bool:
    """Whether the user asked for stack traces."""
    return os.environ.get(TRACEBACK_VARIABLE) == "1"


def end_with(sentence: str) -> NoReturn:
    """Ends the program with the sentence on standard error."""
    print(f"error: {sentence}", file=sys.stderr)  # noqa: T201
    raise SystemExit(EXIT_STATUS)
