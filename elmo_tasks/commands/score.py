"""
Scores files of predictions as the official programs do, and prints what they print.

Exits with 0 when a score was printed, with 1 where the official program refuses the input, and with 2 for input that
cannot be read. docs/scores.md has the formats.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Score:
    """
    One task's score. To add one, write its two functions and a row of `SCORES`.

    Parameters
    ----------
    task
        What one types after `score`.
    help
        One line about it.
    add_arguments
        Adds its arguments to a parser; `--json` is there for every task.
    run
        Prints the score; returns the status to exit with.
    """

    task: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    tasks = parser.add_subparsers(title="tasks", metavar="TASK", required=True)
    for score in SCORES:
        added = tasks.add_parser(score.task, help=score.help, description=score.help)
        score.add_arguments(added)
        added.add_argument("--json", action="store_true", help="print a JSON object, with the same percentages")
        added.set_defaults(score=score)


def run(args: argparse.Namespace) -> int:
    """Prints the score that was asked for; returns the status to exit with."""
    from elmo_tasks.scoring.refusal import RefusalError

    score: Score = args.score
    try:
        return score.run(args)
    except RefusalError as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 1


def _coref_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key",
        help="documents with coreference in the last column: plain, .gz or .xz; or a folder of *gold_conll files",
    )
    parser.add_argument("response", help="the same documents with the predicted clusters; - for standard input")


def _coref(args: argparse.Namespace) -> int:
    from elmo_tasks.scoring import coref, coref_files

    score, warnings = coref_files.score_lines(
        _key_lines(args.key), _lines(args.response), _name(args.key), _name(args.response)
    )
    _warn(warnings)
    print(json.dumps(coref.to_dict(score), indent=2) if args.json else coref.report(score))
    return 0


def _key_lines(file: str) -> Iterator[tuple[int | str, str]]:
    """The lines of a key with their numbers, or those of a folder's files with their places."""
    if not Path(file).is_dir():
        yield from _lines(file)
        return
    from elmo_tasks.formats.conll2012 import column_files
    from elmo_tasks.formats.files import read_lines

    for path in column_files(file):
        for number, line in read_lines(path):
            yield f"{path}:{number}", line


def _ner_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="rows of word, gold tag, predicted tag: plain, .gz, .xz, or - for standard input")
    parser.add_argument("-r", "--raw", action="store_true", help="tags are bare types, each token a phrase of its own")


def _ner(args: argparse.Namespace) -> int:
    from elmo_tasks.scoring import conlleval

    score, warnings = conlleval.score_lines(_byte_lines(args.file), _name(args.file), args.raw)
    _warn(warnings)
    _print_latin1(f"{json.dumps(conlleval.to_dict(score), indent=2)}\n" if args.json else conlleval.report(score))
    return 0


def _sst5_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gold", type=Path, help="sentiment trees, one a line: plain, .gz or .xz")
    parser.add_argument("predictions", help="labels 0 to 4, one a line in the order of the trees; - for standard input")


def _sst5(args: argparse.Namespace) -> int:
    from elmo_tasks.formats.trees import LABELS, read_trees
    from elmo_tasks.scoring.accuracy import compare, read_labels

    gold = [tree.label for _, tree in read_trees(args.gold)]
    predicted = read_labels(_lines(args.predictions), _name(args.predictions), LABELS)
    accuracy = compare(gold, predicted, str(args.gold), _name(args.predictions))
    print(json.dumps(accuracy.to_dict(), indent=2) if args.json else accuracy)
    return 0


def _snli_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gold", help="the official file, a JSON object a line: plain, .gz, .xz, or -")
    parser.add_argument("predictions", help='an object with "pairID" and "label" a line; - for standard input')


def _snli(args: argparse.Namespace) -> int:
    from elmo_tasks.formats.snli import pairs_of_lines, read_predictions
    from elmo_tasks.scoring.accuracy import compare_by_name

    gold = {pair.pair_id: pair.label for pair in pairs_of_lines(_lines(args.gold), _name(args.gold))}
    predicted = read_predictions(_lines(args.predictions), _name(args.predictions))
    score, warnings = compare_by_name(gold, predicted, _name(args.gold), _name(args.predictions))
    _warn(warnings)
    print(json.dumps(score.to_dict(), indent=2) if args.json else score.accuracy)
    return 0


def _squad_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="the official file, in SQuAD's JSON layout: plain, .gz or .xz")
    parser.add_argument("predictions", help="a JSON object, the answer to each question's id; - for standard input")


def _squad(args: argparse.Namespace) -> int:
    from elmo_tasks.scoring import squad

    dataset, dataset_warnings = _json_object(args.dataset)
    predictions, predictions_warnings = _json_object(args.predictions)
    score, official_warnings = squad.score_documents(dataset, predictions, _name(args.dataset), _name(args.predictions))
    for line in official_warnings:
        print(line, file=sys.stderr)
    _warn(dataset_warnings + predictions_warnings)
    print(json.dumps(squad.to_dict(score), indent=2) if args.json else squad.report(score))
    return 0


def _srl_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "gold",
        help="lemmas of predicates, a column of arguments for each: plain, .gz or .xz; or a file in CoNLL-2012's "
        "columns (*gold_conll), or a folder of such",
    )
    parser.add_argument("predictions", help="the same rows with the predicted arguments; - for standard input")


def _srl(args: argparse.Namespace) -> int:
    from elmo_tasks.scoring import srl, srl_files

    score, warnings = srl_files.score_lines(
        _gold_props(args.gold), _byte_lines(args.predictions), _name(args.gold), _name(args.predictions)
    )
    _warn(warnings)
    _print_latin1(f"{json.dumps(srl.to_dict(score), indent=2)}\n" if args.json else srl.report(score))
    return 0


def _gold_props(file: str) -> Iterator[tuple[int | str, bytes]]:
    """The lines of a gold file, or those that a file or folder in CoNLL-2012's columns makes, with their places."""
    from elmo_tasks.formats.conll2012 import SUFFIXES

    if not file.endswith(SUFFIXES) and not Path(file).is_dir():
        yield from _byte_lines(file)
        return
    from elmo_tasks.formats.props import gold_lines

    for place, line in gold_lines(file):
        yield place, line.encode()


def _json_object(file: str) -> tuple[dict[str, Any], list[str]]:
    """A file's JSON object, and a warning where its parser has dropped values, as the official script's does."""
    from elmo_tasks.formats.squad import read_object

    keys: list[str] = []
    found = read_object(_lines(file), _name(file), keys.append)
    if not keys:
        return found, []
    return found, [f"{_name(file)}: repeated keys, of which the last value counts: {len(keys)}, first {keys[0]!r}."]


SCORES = (
    Score("coref", "Clusters of mentions, as the official scorer of CoNLL-2012 counts them.", _coref_arguments, _coref),
    Score("ner", "Phrases of a CoNLL file, as conlleval scores them.", _ner_arguments, _ner),
    Score("snli", "Accuracy of the labels of sentence pairs.", _snli_arguments, _snli),
    Score("squad", "Answers to questions, as the official script of SQuAD 1.1 scores them.", _squad_arguments, _squad),
    Score("srl", "Arguments of predicates, as srl-eval.pl scores them.", _srl_arguments, _srl),
    Score("sst5", "Accuracy of the sentiment of whole sentences.", _sst5_arguments, _sst5),
)


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr)


def _print_latin1(text: str) -> None:
    """Prints what was read as Latin-1 characters as the bytes that it was."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("latin-1"))
    sys.stdout.buffer.flush()


def _name(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else file


def _byte_lines(file: str) -> Iterator[tuple[int, bytes]]:
    from elmo_tasks.errors import InputError
    from elmo_tasks.formats.files import read_byte_lines

    if file != STANDARD_INPUT:
        yield from read_byte_lines(file)
        return
    try:
        yield from enumerate(sys.stdin.buffer, start=1)
    except OSError as error:
        raise InputError(f"standard input cannot be read ({error.strerror or error}).") from error


def _lines(file: str) -> Iterator[tuple[int, str]]:
    from elmo_tasks.formats.files import decode_lines

    return decode_lines(_byte_lines(file), _name(file))
