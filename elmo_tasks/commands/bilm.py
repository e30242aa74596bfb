"""
Trains a biLM on your own text, measures it, and exports it.

It needs torch, numpy and h5py alone (`text` AllenNLP too). docs/training-a-bilm.md has the keys of a configuration, and
what a perplexity means. Exits with 0, with 130 when a training was stopped, and with 2 for input that cannot be used.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from elmo_tasks.extras import require_allennlp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this command's arguments."""
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", required=True)

    def action(work: Callable[[argparse.Namespace], int], name: str, text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text, description=text)
        added.set_defaults(work=work)
        return added

    vocab = action(_vocab, "vocab", "Counts the words of a corpus and writes the vocabulary of a biLM.")
    vocab.add_argument("corpus", nargs="+", help="shards, or patterns of them: one tokenised sentence a line")
    vocab.add_argument("--output", required=True, type=Path, metavar="FILE", help="file to write, one word a line")
    vocab.add_argument("--max-size", type=_at_least(4), metavar="N", help="words to keep, three special ones included")
    vocab.add_argument("--min-count", type=_at_least(1), default=1, metavar="N", help="leave out words rarer than this")

    text = action(
        _text, "text", "Writes the texts of a task's data as its biLM reads them, to train or measure one on."
    )
    text.add_argument("config", type=Path, help="config of a training with ELMo, such as experiments/sst5/elmo.jsonnet")
    text.add_argument("output", type=Path, help="file to write, one text a line, each once")
    text.add_argument("--split", choices=("train", "dev", "test"), default="train", help="default: train")
    text.add_argument("-o", "--overrides", metavar="JSON", help='changes of the config: {"dotted.key": value, ...}')

    train = action(_train, "train", "Trains a biLM, or goes on with a training that was stopped or killed.")
    train.add_argument("config", help="JSON or Jsonnet file")
    train.add_argument("--output", metavar="FOLDER", help="folder to write to, in place of the configuration's")
    train.add_argument("--device", help="cpu or cuda, in place of the configuration's")

    evaluate = action(_evaluate, "evaluate", "Measures the perplexity of an exported biLM on held-out files.")
    evaluate.add_argument("folder", type=Path, help="options.json, weights.hdf5, softmax.hdf5 and vocabulary.txt[.xz]")
    evaluate.add_argument("files", nargs="+", metavar="file", help="text, one tokenised sentence a line")
    evaluate.add_argument("--state", choices=("reset", "carry", "both"), default="both", help="default: both")
    evaluate.add_argument("--sentences", type=_at_least(1), metavar="N", help="only the first ones of each file")
    evaluate.add_argument("--json", action="store_true", help="print a JSON array")

    export = action(_export, "export", "Exports a biLM from the checkpoint of a training, which may be running.")
    export.add_argument("folder", type=Path, help="the training's output folder")
    export.add_argument("output", type=Path, help="folder to write to")
    export.add_argument("--dtype", choices=("float32", "float16"), default="float32", help="default: float32")

    scatter = action(_scatter, "scatter", "Writes a control: a biLM's weights, their numbers in random places.")
    scatter.add_argument("weights", type=Path, help="weights.hdf5 of a biLM")
    scatter.add_argument("output", type=Path, help="file to write")
    scatter.add_argument("--seed", type=_at_least(0), default=1, help="default: 1")


def run(args: argparse.Namespace) -> int:
    """Does what was asked for; returns the status to exit with."""
    work: Callable[[argparse.Namespace], int] = args.work
    return work(args)


def _vocab(args: argparse.Namespace) -> int:
    from elmo_tasks.bilm.training.vocabulary import write_vocabulary

    print(write_vocabulary(args.corpus, args.output, args.max_size, args.min_count))
    return 0


def _text(args: argparse.Namespace) -> int:
    require_allennlp()
    import elmo_tasks.bridge  # noqa: F401
    from elmo_tasks.reproduce.texts import write_texts

    print(write_texts(args.config, args.output, args.split, args.overrides))
    return 0


def _train(args: argparse.Namespace) -> int:
    from elmo_tasks.bilm.training.config import TrainingConfig
    from elmo_tasks.bilm.training.trainer import Trainer

    given = {key: value for key in ("output", "device") if (value := getattr(args, key)) is not None}
    try:
        trainer = Trainer(replace(TrainingConfig.from_file(args.config), **given))
        trainer.run()
    except KeyboardInterrupt:
        # Before the first batch or behind the last one; on the way a training ends by itself.
        print("interrupted; the same command goes on from the last checkpoint, if there is one", file=sys.stderr)
        return 130
    return 130 if trainer.stopped else 0


def _evaluate(args: argparse.Namespace) -> int:
    from elmo_tasks.bilm.training.export import read_export
    from elmo_tasks.bilm.training.perplexity import measure_files

    policies = ("reset", "carry") if args.state == "both" else (args.state,)
    entries = []
    for name, measured in measure_files(*read_export(args.folder), args.files, policies, args.sentences):
        entries.append({"file": name, **measured.to_dict()})
        if not args.json:
            print(f"{name or 'all'}: {measured}", flush=True)
    if args.json:
        print(json.dumps(entries, indent=2))
    return 0


def _export(args: argparse.Namespace) -> int:
    from elmo_tasks.bilm.training.export import export_checkpoint

    batches = export_checkpoint(args.folder, args.output, args.dtype)
    print(f"{args.output}: the biLM after {batches:,} batches")
    return 0


def _scatter(args: argparse.Namespace) -> int:
    from elmo_tasks.bilm.weights import scatter_weights

    scatter_weights(args.weights, args.output, args.seed)
    return 0


def _at_least(minimum: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {minimum}, found {text!r}")
        return int(text)

    return number
