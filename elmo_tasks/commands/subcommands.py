"""This project's commands as commands of `allennlp`; imported by `elmo_tasks.plugin` alone."""

import argparse
import sys
from typing import Any

from allennlp.commands.subcommand import Subcommand
from overrides import overrides

from elmo_tasks.commands.main import COMMANDS, Command


def _wrap(command: Command) -> type[Subcommand]:
    """The class that AllenNLP makes its command of, for one of ours."""

    @Subcommand.register(command.name_in_allennlp, exist_ok=True)
    class OurSubcommand(Subcommand):
        requires_plugins = False  # it comes with the plugins, so they are loaded already

        @overrides
        def add_subparser(self, parser: "argparse._SubParsersAction[Any]") -> argparse.ArgumentParser:
            subparser: argparse.ArgumentParser = parser.add_parser(
                self.name,
                help=command.help,
                description=command.description,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            command.module.add_arguments(subparser)
            subparser.set_defaults(func=lambda args: sys.exit(command.run(args)))
            return subparser

    OurSubcommand.__doc__ = command.description
    return OurSubcommand


SUBCOMMANDS = tuple(_wrap(command) for command in COMMANDS)
