"""
Peak memory of one training step of SQuAD's reader, for batches of different kinds.

    python benchmarks/squad_memory.py --file train-v1.1.json --profile open
    python benchmarks/squad_memory.py --file train-v1.1.json --profile open --arms elmo --batches 45 tokens:8000

A batch is a number of questions on the longest passages of the file, one a passage, or `tokens:N`: as many of these as
have N tokens together with their padding. Each step runs in a process of its own; its peak is that of the whole process
(getrusage) less what it had when model and batch were there. Prints a Markdown table.
"""

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

EXPERIMENTS = Path(__file__).parent.parent / "experiments"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Peak memory of a training step on SQuAD.")
    parser.add_argument("--file", type=Path, required=True, help="questions in SQuAD's layout")
    parser.add_argument("--profile", default="open")
    parser.add_argument("--arms", nargs="+", default=["baseline", "elmo"])
    parser.add_argument("--batches", nargs="+", default=["45", "tokens:8000"])
    parser.add_argument("--step", nargs=2, metavar=("ARM", "BATCH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["ELMO_TASKS_PROFILE"] = options.profile
    if options.step:
        print(step(*options.step, options.file))
        return 0
    print("| arm | batch | questions | longest passage, tokens | peak, GB |\n|---|---|---:|---:|---:|")
    for arm in options.arms:
        for batch in options.batches:
            command = [sys.executable, __file__, "--file", options.file, "--profile", options.profile]
            done = subprocess.run(
                [*command, "--step", arm, batch], check=True, stdout=subprocess.PIPE, text=True, env=os.environ
            )
            print(f"| {arm} | {batch} | {done.stdout.splitlines()[-1]} |", flush=True)
    return 0


def step(arm: str, kind: str, file: Path) -> str:
    """Train on one batch; returns the last three cells of the row."""
    from allennlp.common import Params
    from allennlp.data import DatasetReader, Vocabulary
    from allennlp.data.batch import Batch
    from allennlp.models import Model

    import elmo_tasks.plugin  # noqa: F401

    params = Params.from_file(EXPERIMENTS / "squad" / f"{arm}.jsonnet")
    instances = chosen(list(DatasetReader.from_params(params.pop("dataset_reader")).read(file)), kind)
    vocabulary = Vocabulary.from_params(params.pop("vocabulary"), instances=instances)
    model = Model.from_params(params.pop("model"), vocab=vocabulary).train()
    batch = Batch(instances)
    batch.index_instances(vocabulary)
    tensors = batch.as_tensor_dict()
    before = peak()
    model(**tensors)["loss"].backward()
    longest = max(len(instance["passage"].tokens) for instance in instances)
    return f"{len(instances)} | {longest} | {peak() - before:.1f}"


def chosen(instances: list[Any], kind: str) -> list[Any]:
    """The batch: questions on the longest passages."""
    passages = {id(instance["passage"]): instance for instance in instances}
    longest_first = sorted(passages.values(), key=lambda instance: -len(instance["passage"].tokens))
    number = kind.removeprefix("tokens:")
    if number == kind:
        return longest_first[: int(kind)]
    return longest_first[: int(number) // len(longest_first[0]["passage"].tokens)]


def peak() -> float:
    """Most memory that this process ever had, in GB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 1e6 if sys.platform != "darwin" else kilobytes / 1e9


if __name__ == "__main__":
    sys.exit(main())
