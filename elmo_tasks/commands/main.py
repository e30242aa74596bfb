"""
The program `elmo-tasks`: this project's commands without AllenNLP's five seconds of start.

Each command is a module of this package with `add_arguments(parser)` and `run(args) -> int`; the first line of its
docstring is its help. To add one, write the module and add it to `COMMANDS`.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType

from elmo_tasks import __version__
from elmo_tasks.extras import MissingPackageError, require_allennlp
from elmo_tasks.user_mistakes import end_with, user_mistake, wants_trace


@dataclass(frozen=True)
class Command:
    """
    A command of ours.

    Parameters
    ----------
    name
        What one types after `elmo-tasks`; also the name of its module in this package.
    name_in_allennlp
        What one types after `allennlp` for the same: distinct from AllenNLP's and allennlp-models' own commands.
    needs_allennlp
        Whether its work uses AllenNLP (its arguments never do).
    """

    name: str
    name_in_allennlp: str
    needs_allennlp: bool

    @property
    def module(self) -> ModuleType:
        """The module with `add_arguments` and `run`."""
        return importlib.import_module(f"elmo_tasks.commands.{self.name}")

    @property
    def help(self) -> str:
        """One line about it."""
        return (self.module.__doc__ or "").strip().splitlines()[0]

    @property
    def description(self) -> str:
        """All its module says about it."""
        return (self.module.__doc__ or "").strip()

    def run(self, args: argparse.Namespace) -> int:
        """Does its work; returns the status to exit with."""
        if self.needs_allennlp:
            require_allennlp()
            import elmo_tasks.bridge  # noqa: F401
        work: Callable[[argparse.Namespace], int] = self.module.run
        return work(args)


CLOSED_PIPE = 141
"""The status of a program that its reader has left, as shells have it (128 and the signal SIGPIPE)."""

COMMANDS = (
    Command("bilm", name_in_allennlp="bilm", needs_allennlp=False),
    # What is wrong with an installation is found out without what may be missing from it.
    Command("check", name_in_allennlp="elmo-check", needs_allennlp=False),
    Command("ensemble", name_in_allennlp="ensemble", needs_allennlp=True),
    Command("score", name_in_allennlp="score", needs_allennlp=False),
    Command("table", name_in_allennlp="elmo-table", needs_allennlp=True),
)


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    program = argparse.ArgumentParser(prog="elmo-tasks", description="ELMo and the six tasks of its paper.")
    program.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = program.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.module.add_arguments(subparser)
        subparser.set_defaults(command=command)
    return program


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Runs the command line; returns the status to exit with.

    A user's mistake, or a package that is not installed, ends with one sentence on standard error and status 2.
    """
    args = parser().parse_args(arguments)
    try:
        command: Command = args.command
        status = command.run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Who reads standard output has seen enough (`| head`). Nothing is left for Python to flush when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except MissingPackageError as error:
        if wants_trace():
            raise
        end_with(str(error))
    except Exception as error:
        sentence = user_mistake(error)
        if sentence is None or wants_trace():
            raise
        end_with(sentence)
