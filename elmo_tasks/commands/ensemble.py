"""
Makes one archive of several trained models of one kind, which together answer better than each.

`allennlp evaluate` and `allennlp predict` take the archive as they take its members' (docs/snli.md). The members must
have been trained with the same data and word vectors; their seeds, sizes and weights may differ. Exits with 0, and with
2 for archives that do not fit together.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    parser.add_argument("output", type=Path, metavar="OUT.tar.gz", help="the archive to write")
    parser.add_argument("archives", type=Path, nargs="+", metavar="ARCHIVE", help="model.tar.gz of a training")
    parser.add_argument("--force", action="store_true", help="replace the output if it is there")


def run(args: argparse.Namespace) -> int:
    """Makes the archive; returns the status to exit with."""
    from elmo_tasks.reproduce.ensemble import make_ensemble

    print(f"{args.output}: {make_ensemble(args.archives, args.output, args.force)}")
    return 0
