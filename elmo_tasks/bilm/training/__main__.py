"""``python -m elmo_tasks.bilm.training CONFIG``: train a biLM, or go on with a training that was cut short."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.progress import print_line
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, train; 0 when the training has ended, 130 when it was stopped, 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m elmo_tasks.bilm.training",
        description="Train a biLM. The output folder gets options.json, weights.hdf5, softmax.hdf5 and vocabulary.txt; "
        "run again to go on after an interruption.",
    )
    parser.add_argument("config", help="JSON or Jsonnet file (see docs/training-a-bilm.md)")
    parser.add_argument("--output", help="folder to write to, in place of the configuration's")
    parser.add_argument("--device", help="cpu or cuda, in place of the configuration's")
    parser.add_argument(
        "--finish",
        action="store_true",
        help="train no further: export what the checkpoint holds and measure its held-out perplexity",
    )
    options = parser.parse_args(arguments)
    try:
        config = TrainingConfig.from_file(options.config)
        given = {key: value for key in ("output", "device") if (value := getattr(options, key)) is not None}
        trainer = Trainer(replace(config, **given))
        if options.finish:
            if not trainer.continues:
                raise InputError(f"{trainer.folder}: there is no checkpoint to finish; train first, without --finish.")
            trainer.finish()
        else:
            trainer.run()
    except InputError as error:
        print_line(f"error: {error}")
        return 2
    return 130 if trainer.stopped else 0


if __name__ == "__main__":
    sys.exit(main())
