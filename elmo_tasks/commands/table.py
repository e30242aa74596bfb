"""
Runs what a table still lacks, and prints the table: baseline against ELMo, the paper's figures beside it.

The runs are those that a suite (experiments/suites) names. A run that has a result is not run again; one that was
interrupted goes on from its last checkpoint. Exits with 0, with 1 if a run failed, and with 130 after Ctrl-C.
"""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    parser.add_argument("--profile", help="the profile whose table it is (default: sample, or that of --suite)")
    parser.add_argument("--suite", type=_words, default=(), help="names or files of suites, with commas between them")
    parser.add_argument("--tasks", type=_words, help="only these tasks, with commas between them")
    parser.add_argument("--seeds", type=_numbers, help="only these seeds, with commas between them")
    parser.add_argument("--arms", type=_words, help="only these arms, with commas between them")
    parser.add_argument("--jobs", type=_positive, help="runs at a time (default: one a core, or one a GPU)")
    parser.add_argument("--out", type=Path, help="where runs and results go (default: out, and results if committed)")
    parser.add_argument("--no-run", action="store_true", help="run nothing, and say which runs there are still to do")
    parser.add_argument("--retry-failed", action="store_true", help="run again what failed; the table says so")
    parser.add_argument("--rerun", action="store_true", help="run everything again")
    parser.add_argument(
        "--time-limit",
        type=float,
        metavar="MINUTES",
        help="end a run's training after this time, and mark its result as cut short",
    )


def run(args: argparse.Namespace) -> int:
    """Makes and prints the tables; returns the status to exit with."""
    from elmo_tasks.reproduce.experiment import Request, make_tables

    request = Request(
        profile=args.profile,
        suites=args.suite,
        tasks=args.tasks,
        seeds=args.seeds,
        arms=args.arms,
        jobs=args.jobs,
        out=args.out.resolve() if args.out else None,
        run=not args.no_run,
        retry_failed=args.retry_failed,
        rerun=args.rerun,
        time_limit=args.time_limit * 60 if args.time_limit else None,
    )
    try:
        tables = make_tables(request)
    except KeyboardInterrupt:
        print("Interrupted. Runs that are done are kept; the others go on from their last epoch.", file=sys.stderr)
        return 130
    for table in tables:
        print(f"\n{table.text}")
        if table.missing:
            print(f"\nStill to run ({len(table.missing)}):")
            for planned in table.missing:
                print(f"- {planned.run.title}")
            if args.no_run:
                print("They are run without --no-run, or by make with RUN=1.")
        if table.file is not None:
            print(f"\nAs Markdown: {table.file}")
    return 1 if any(table.failed for table in tables) else 0


def _words(text: str) -> list[str]:
    words = text.replace(",", " ").split()
    if not words:
        raise argparse.ArgumentTypeError("expected at least one name")
    return words


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers with commas between them, found {text!r}") from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return int(text)
