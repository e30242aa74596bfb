"""
Peak memory and seconds of coreference on long documents, in training and in prediction.

    python benchmarks/coref_memory.py --profile open
    python benchmarks/coref_memory.py --profile open --arms elmo --steps train:5000 predict:20000 --block-sizes 8 128
    python benchmarks/coref_memory.py --profile open --steps train:5000 --max-spans 1000 --max-antecedents 100
    python benchmarks/coref_memory.py --profile open --arms baseline stock --steps train:1000 predict:1000

`stock` is the model of allennlp-models (experiments/stock/coref.jsonnet), which it needs; it has no blocks.

The documents are drawn from the words of the profile's vectors, in sentences of 25 words. Training takes the whole
document, not a window of 50 sentences. Of several values of a limit all combinations are run. Each step runs in a
process of its own, twice; its peak is that of the whole process (getrusage), also less what it had when model and
document were there; its seconds are those of the processor, of the faster time. Prints a Markdown table.
"""

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
STOCK = "stock"
SENTENCE = 25
MENTION_EVERY = 8
# As in OntoGUM, where a cluster has four or five mentions.
MENTIONS_OF_A_CLUSTER = 5
REPEATS = 2
LIMITS = ("block_size", "max_antecedents", "max_spans")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Peak memory of coreference on long documents.")
    parser.add_argument("--profile", default="open")
    parser.add_argument("--arms", nargs="+", default=["baseline", "elmo"])
    parser.add_argument("--steps", nargs="+", default=["train:5000", "predict:5000", "predict:20000"])
    parser.add_argument("--block-sizes", nargs="+", type=int, default=[32])
    parser.add_argument("--max-spans", nargs="+", type=int, default=[None], help="none: 0.4 of the words, as the paper")
    parser.add_argument("--max-antecedents", nargs="+", type=int, default=[250])
    parser.add_argument("--step", nargs=3, metavar=("ARM", "STEP", "LIMITS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["ELMO_TASKS_PROFILE"] = options.profile
    os.environ["ELMO_TASKS_FLOOR_DATA"] = ""  # the stock config names files that are not read here
    if options.step:
        arm, kind, limits = options.step
        print(step(arm, kind, json.loads(limits)))
        return 0
    print("| arm | step | block size | antecedents | spans | peak, GB | of it the step | seconds |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    values = options.block_sizes, options.max_antecedents, options.max_spans
    for arm, kind, *limits in itertools.product(options.arms, options.steps, *values):
        named = json.dumps(dict(zip(LIMITS, limits, strict=True)))
        command = [sys.executable, __file__, "--profile", options.profile, "--step", arm, kind, named]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
        print(f"| {arm} | {kind} | {limits[0]} | {limits[1]} | {done.stdout.splitlines()[-1]} |", flush=True)
    return 0


def step(arm: str, kind: str, limits: dict[str, int | None]) -> str:
    """Train on one document, or predict; returns the last four cells of the row."""
    import torch
    from allennlp.common import Params
    from allennlp.data import DatasetReader, Vocabulary
    from allennlp.data.batch import Batch
    from allennlp.models import Model

    import elmo_tasks.plugin  # noqa: F401

    if arm == STOCK:
        import allennlp_models.coref  # noqa: F401

    what, _, number = kind.partition(":")
    params = Params.from_file(EXPERIMENTS / f"{'stock/coref' if arm == STOCK else f'coref/{arm}'}.jsonnet")
    reader = DatasetReader.from_params(params.pop("dataset_reader"))
    empty = Vocabulary.from_params(params["vocabulary"].duplicate(), instances=[])
    words = sorted(empty.get_token_to_index_vocabulary("tokens"))
    dice = random.Random(7)
    sentences = [[dice.choice(words) for _ in range(SENTENCE)] for _ in range(int(number) // SENTENCE)]
    instance = instance_of(reader, arm, sentences, dice)
    reader.apply_token_indexers(instance)
    vocabulary = Vocabulary.from_params(params.pop("vocabulary"), instances=[instance])
    model_params = params.pop("model")
    if arm != STOCK:
        for name, value in limits.items():
            model_params[name] = value
        model_params["max_sentences"] = len(sentences)
    model = Model.from_params(model_params, vocab=vocabulary).train(what == "train")
    batch = Batch([instance])
    batch.index_instances(vocabulary)
    tensors = batch.as_tensor_dict()
    kept: list[int] = []
    if arm != STOCK:
        model.pairs.register_forward_pre_hook(lambda _, given: kept.append(len(given[0])))
    before, seconds = peak(), []
    for _ in range(REPEATS):
        start = time.process_time()
        if what == "train":
            output = model(**tensors)
            output["loss"].backward()
        else:
            with torch.no_grad():
                output = model(**tensors)
        seconds.append(time.process_time() - start)
    if arm == STOCK:
        kept.append(output["top_spans"].shape[1])
    return f"{kept[0]:,} | {peak():.1f} | {peak() - before:.1f} | {min(seconds):.1f}"


def instance_of(reader: Any, arm: str, sentences: list[list[str]], dice: random.Random) -> Any:
    """The document with clusters of words drawn at random, for our reader or for that of allennlp-models."""
    from elmo_tasks.formats.conll2012 import Mention

    places = [
        Mention(row, start, start + 1) for row in range(len(sentences)) for start in range(0, SENTENCE, MENTION_EVERY)
    ]
    dice.shuffle(places)
    starts = range(0, len(places), MENTIONS_OF_A_CLUSTER)
    clusters = [sorted(places[start : start + MENTIONS_OF_A_CLUSTER]) for start in starts]
    if arm != STOCK:
        return reader.text_to_instance(sentences, clusters=clusters, genre="nw")
    # Its places count from the start of the document; a mention's end is its last word.
    firsts = [[mention.sentence * SENTENCE + mention.start for mention in cluster] for cluster in clusters]
    return reader.text_to_instance(sentences, [[(first, first) for first in cluster] for cluster in firsts])


def peak() -> float:
    """Most memory that this process ever had, in GB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 1e6 if sys.platform != "darwin" else kilobytes / 1e9


if __name__ == "__main__":
    sys.exit(main())
