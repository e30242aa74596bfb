"""Fixes of the `allennlp` program itself."""

import ast
import difflib
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType

from elmo_tasks.user_mistakes import end_with, user_mistake, wants_trace

PLUGIN = "elmo_tasks.plugin"

_UNKNOWN_NAME = re.compile(
    r"^(?P<found>.*) not in acceptable choices for (?P<key>\S+): (?P<known>\[.*?\])\. You should"
)
# What AllenNLP says of a key too many, and of one too few, is a sentence already.
_WRONG_KEYS = re.compile(r"^(Extra parameters passed to .*|key \"[^\"]*\" is required.*)$")


@contextmanager
def known_plugin(module: ModuleType) -> Iterator[None]:
    """
    What: the `allennlp` command, and its workers, load our plugin in any folder.

    Where: common/plugins.py, DEFAULT_PLUGINS, the names that need no plugins file.
    Why: AllenNLP knows of no entry points; otherwise each folder or home needs a file with our name in it.
    Until: AllenNLP finds plugins by entry points.
    """
    yield
    if PLUGIN not in module.DEFAULT_PLUGINS:
        module.DEFAULT_PLUGINS = (*module.DEFAULT_PLUGINS, PLUGIN)  # type: ignore[attr-defined]


@contextmanager
def one_sentence_for_mistakes(module: ModuleType) -> Iterator[None]:
    """
    What: a user's mistake ends the `allennlp` command with one sentence and status 2; any other exception is
    AllenNLP's. Mistakes are our `InputError`, and what AllenNLP itself finds wrong with the keys and the registered
    names of a configuration (for a name, the sentence has the nearest known one).

    Where: commands/__init__.py, `main`.
    Why: our readers and models say what is wrong with which line of which file; below forty lines of trace nobody
    finds it. The sentence stands in the run's out.log too. `ELMO_TASKS_TRACEBACK=1` shows the trace.
    Until: AllenNLP knows an exception for users' mistakes.
    """
    yield
    run = module.main

    @wraps(run)
    def main(prog: str | None = None) -> None:
        try:
            run(prog)
        except Exception as error:
            sentence = user_mistake(error) or configuration_mistake(error)
            if sentence is None or wants_trace():
                raise
            _write_to_logs(sentence)
            end_with(sentence)

    module.main = main  # type: ignore[attr-defined]


@contextmanager
def quiet_for_our_commands(module: ModuleType) -> Iterator[None]:
    """
    What: for this package's own commands (`allennlp score`, …) AllenNLP logs warnings and errors alone.

    Where: commands/__init__.py, `main`.
    Why: it logs what is registered and which plugins there are on standard error, where `score` has the official
    programs' warnings, byte for byte. `ALLENNLP_LOG_LEVEL` or `ALLENNLP_DEBUG`, where set, have their way.
    Until: AllenNLP logs to a file, or from WARNING on.
    """
    yield
    run = module.main

    @wraps(run)
    def main(prog: str | None = None) -> None:
        # here, since the commands are above the bridge
        from elmo_tasks.commands.main import COMMANDS

        ours = {command.name_in_allennlp for command in COMMANDS}
        wanted = os.environ.get("ALLENNLP_LOG_LEVEL") or os.environ.get("ALLENNLP_DEBUG")
        if sys.argv[1:] and sys.argv[1] in ours and not wanted:
            logging.getLogger("allennlp").setLevel(logging.WARNING)
        run(prog)

    module.main = main  # type: ignore[attr-defined]


def configuration_mistake(error: BaseException) -> str | None:
    """A sentence for a wrong key or registered name that AllenNLP found in a configuration; None for all else."""
    if type(error).__name__ != "ConfigurationError":
        return None
    text = str(error)
    if _WRONG_KEYS.match(text):
        return f"the configuration cannot be used: {text}"
    unknown = _UNKNOWN_NAME.match(text)
    if unknown is None:
        return None
    known: list[str] = sorted(ast.literal_eval(unknown["known"]))
    nearest = difflib.get_close_matches(unknown["found"], known, n=1)
    remedy = f"did you mean '{nearest[0]}'?" if nearest else f"expected one of: {', '.join(known)}."
    return f"the configuration has {unknown['key']} '{unknown['found']}', which is not registered; {remedy}"


def _write_to_logs(sentence: str) -> None:
    """Writes to the files that log this run, and not to the screen a second time."""
    record = logging.LogRecord(__name__, logging.ERROR, __file__, 0, "%s", (sentence,), None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
