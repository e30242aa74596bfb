"""
Peak memory of training steps of SQuAD's reader for batches of different kinds, and of an answer on a long passage.

    python benchmarks/squad_memory.py --file train-v1.1.json --profile open
    python benchmarks/squad_memory.py --file train-v1.1.json --profile open --arms elmo --batches predict:20000
    python benchmarks/squad_memory.py --file train-v1.1.json --profile open --arms elmo --original

A batch is a number of questions on the longest passages of the file, one a passage, or `tokens:N`: of the batches that
the sampler `max_tokens_sampler` makes of one question a passage, the one with the most pairs of tokens. Two training
steps are made on it, with optimizer and average of the weights. `predict:N` answers one question on the file's first N
tokens taken for one passage. `--original` puts a biLM of the original's size and of random weights in the place of the
profile's. Each row is a process of its own; its peak is the largest memory that it has at any time of the steps (VmHWM)
less what it has when model and batch are there (statm), so it needs Linux. The biLM runs: no store is used. Prints a
Markdown table.
"""

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
STEPS = 2
# Of the released weights; the filters are those of the profile's biLM.
ORIGINAL = {"cell_dim": 4096, "projection_dim": 512, "num_highway": 2}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Peak memory of a training step on SQuAD.")
    parser.add_argument("--file", type=Path, required=True, help="questions in SQuAD's layout")
    parser.add_argument("--profile", default="open")
    parser.add_argument("--arms", nargs="+", default=["baseline", "elmo"])
    parser.add_argument("--batches", nargs="+", default=["45", "tokens:8000"])
    parser.add_argument("--original", action="store_true", help="with a biLM of the original's size")
    parser.add_argument("--step", nargs=2, metavar=("ARM", "BATCH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["ELMO_TASKS_PROFILE"] = options.profile
    os.environ["ELMO_TASKS_STORE"] = "off"
    if options.step:
        print(step(*options.step, options.file, options.original))
        return 0
    print("| arm | batch | questions | longest passage, tokens | peak, GB |\n|---|---|---:|---:|---:|")
    for arm in options.arms:
        for batch in options.batches:
            command = [sys.executable, __file__, "--file", options.file, "--profile", options.profile]
            command += ["--original"] if options.original else []
            done = subprocess.run(
                [*command, "--step", arm, batch], check=True, stdout=subprocess.PIPE, text=True, env=os.environ
            )
            print(f"| {arm} | {batch} | {done.stdout.splitlines()[-1]} |", flush=True)
    return 0


def step(arm: str, kind: str, file: Path, original: bool) -> str:
    """Train on one batch, or answer; returns the last three cells of the row."""
    import torch
    from allennlp.common import Params
    from allennlp.common.util import prepare_environment
    from allennlp.data import DatasetReader, Vocabulary
    from allennlp.data.batch import Batch
    from allennlp.models import Model

    import elmo_tasks.plugin  # noqa: F401

    params = Params.from_file(EXPERIMENTS / "squad" / f"{arm}.jsonnet")
    prepare_environment(params)  # the sampler draws
    reader = DatasetReader.from_params(params.pop("dataset_reader"))
    what, _, number = kind.rpartition(":")
    instances = list(reader.read(file))
    if what == "predict":
        instances = [long_instance(reader, instances, int(number))]
    else:
        passages = list({id(instance["passage"]): instance for instance in instances}.values())
        passages.sort(key=num_tokens, reverse=True)
        instances = largest_batch(passages, int(number)) if what == "tokens" else passages[: int(number)]
    for instance in instances:
        reader.apply_token_indexers(instance)
    vocabulary = Vocabulary.from_params(params.pop("vocabulary"), instances=instances)
    with tempfile.TemporaryDirectory() as folder:
        model_params = params.pop("model")
        if original:
            put_original_bilm(model_params["text_field_embedder"]["token_embedders"]["elmo"], Path(folder))
        model = Model.from_params(model_params, vocab=vocabulary).train(what != "predict")
    batch = Batch(instances)
    batch.index_instances(vocabulary)
    tensors = batch.as_tensor_dict()
    gc.collect()
    before = memory_now()
    forget_largest()
    if what == "predict":
        with torch.no_grad():
            model(**tensors)
    else:
        train(model, tensors, params.pop("trainer"))
    longest = max(map(num_tokens, instances))
    return f"{len(instances)} | {longest} | {largest_memory() - before:.1f}"


def train(model: Any, tensors: dict[str, Any], trainer: Any) -> None:
    """The config's steps on one batch."""
    from allennlp.training.moving_average import MovingAverage
    from allennlp.training.optimizers import Optimizer

    parameters = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    optimizer = Optimizer.from_params(trainer.pop("optimizer"), model_parameters=parameters)
    average = MovingAverage.from_params(trainer.pop("moving_average"), parameters=parameters)
    for number in range(STEPS):
        optimizer.zero_grad()
        model(**tensors)["loss"].backward()
        optimizer.step()
        average.apply(number)


def num_tokens(instance: Any) -> int:
    """Of its passage."""
    return len(instance["passage"].tokens)


def largest_batch(instances: list[Any], max_tokens: int) -> list[Any]:
    """Of the batches that AllenNLP's sampler makes of these, the one whose self-attention has the most numbers."""
    from allennlp.data.samplers import MaxTokensBatchSampler

    numbers = MaxTokensBatchSampler(max_tokens, sorting_keys=["passage"]).get_batch_indices(instances)
    batches = [[instances[number] for number in batch] for batch in numbers]
    return max(batches, key=lambda batch: len(batch) * max(map(num_tokens, batch)) ** 2)


def long_instance(reader: Any, instances: list[Any], length: int) -> Any:
    """The first question, on the first tokens of all passages together."""
    passages = {id(instance["passage"]): instance for instance in instances}.values()
    text = "\n".join(instance["metadata"]["context"] for instance in passages)
    tokens = reader.text_to_instance("Who?", text[: 10 * length])["passage"].tokens[:length]
    return reader.text_to_instance(instances[0]["metadata"]["question"], text[: tokens[-1].idx_end])


def put_original_bilm(embedder: Any, folder: Path) -> None:
    """Give an embedder's params a biLM of the original's size."""
    from dataclasses import replace

    from elmo_tasks.bilm import BiLM, BiLMOptions

    options = replace(BiLMOptions.from_dict(embedder["options"].as_dict(quiet=True)), **ORIGINAL)
    BiLM(options).save_weights(folder / "weights.hdf5")
    embedder["options"], embedder["weights_file"] = options.to_dict(), str(folder / "weights.hdf5")


def memory_now() -> float:
    """Memory that this process has, in GB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def forget_largest() -> None:
    """What `largest_memory` gives is of the time from here on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def largest_memory() -> float:
    """Most memory that this process has had, in GB."""
    (line,) = (
        line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:")
    )
    return int(line.split()[1]) * 1024 / 1e9


if __name__ == "__main__":
    sys.exit(main())
