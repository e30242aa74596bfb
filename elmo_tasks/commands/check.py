"""
Checks the installation: versions, the allennlp program, the plugin, and one forward pass.

Says in plain words what is wrong and what to do about it. Exits with 0 if all is well and with 1 otherwise.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    parser.add_argument(
        "--inside-allennlp",
        action="store_true",
        help="only what `allennlp` itself must be able to do (the check starts that by itself)",
    )


def run(args: argparse.Namespace) -> int:
    """Checks; returns the status to exit with."""
    from elmo_tasks.reproduce import installation

    findings = installation.check_inside_allennlp() if args.inside_allennlp else installation.check()
    wrong = 0
    for finding in findings:
        print(finding, flush=True)
        wrong += not finding.is_well
    if not args.inside_allennlp:
        print("All is well." if wrong == 0 else f"{wrong} of these must be put right.")
    return 1 if wrong else 0
