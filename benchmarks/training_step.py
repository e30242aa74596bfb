"""
Milliseconds of a training step of a task's configs: products in float32 and in bfloat16, and what ELMo's biLM adds.

    ELMO_TASKS_PROFILE=open ELMO_TASKS_DATA=data python benchmarks/training_step.py sst5/baseline sst5/widened sst5/elmo
    python benchmarks/training_step.py ner/baseline stock/ner ner/elmo --batches 12 --optimizer fused_adam

A name is a config below experiments without its suffix; `stock` needs allennlp-models. Batches are the config's;
configs and precisions take turns at them in one process. A step is all but reading: forward,
backward, clipping, optimizer. ELMo's layers come from a store that is filled beforehand. Prints a Markdown table.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

EXPERIMENTS = Path(__file__).parent.parent / "experiments"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Milliseconds of a training step.")
    parser.add_argument("configs", nargs="+", metavar="TASK/ARM")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--optimizer", help="in the place of the configs' own, for example fused_adam")
    options = parser.parse_args()

    import torch

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ELMO_TASKS_STORE"] = folder
        timed = {name: steps(name, options.batches, options.optimizer) for name in options.configs}
        found: dict[tuple[str, str], list[float]] = {}
        for turn in range(options.turns + 1):
            for name, timer in timed.items():
                for kind, milliseconds in timer().items():
                    if turn:  # the first is for warming up
                        found.setdefault((name, kind), []).append(milliseconds)
            print(f"turn {turn} of {options.turns}", file=sys.stderr)
    print(
        "| config | float32 | bfloat16 | times | of it the biLM from the store | the biLM computed |\n"
        "|---|---:|---:|---:|---:|---:|"
    )
    for name in options.configs:
        one = {kind: statistics.median(found.get((name, kind), [0.0])) for kind in KINDS}
        shares = " | ".join(f"{one[kind]:.1f}" if one[kind] else "" for kind in KINDS[2:])
        ratio = one["float32"] / one["bfloat16"]
        print(f"| {name} | {one['float32']:.0f} | {one['bfloat16']:.0f} | {ratio:.2f} | {shares} |")
    return 0


KINDS = ("float32", "bfloat16", "store", "computed")


def steps(name: str, num_batches: int, optimizer_type: str | None) -> Callable[[], dict[str, float]]:
    """A function that takes a step on each batch, in every way there is, and returns the mean milliseconds of each."""
    import elmo_tasks.plugin  # noqa: F401, I001
    import torch
    from allennlp.common import Params
    from allennlp.common.plugins import import_plugins
    from allennlp.common.util import prepare_environment
    from allennlp.data import DataLoader, DatasetReader, Vocabulary
    from allennlp.models import Model
    from allennlp.training.optimizers import Optimizer

    from elmo_tasks.embedding.embedder import BiLMEmbedder
    from elmo_tasks.embedding.precompute import fill_stores
    from elmo_tasks.reproduce.precision import BFloat16Products

    import_plugins()
    params = Params.from_file(EXPERIMENTS / f"{name}.jsonnet")
    reader = DatasetReader.from_params(params.pop("dataset_reader"))
    # the same batches for configs of one task
    prepare_environment(Params({}))
    loader = DataLoader.from_params(params.pop("data_loader"), reader=reader, data_path=params["train_data_path"])
    instances = list(loader.iter_instances())
    vocabulary = Vocabulary.from_params(params.pop("vocabulary"), instances=instances)
    model = Model.from_params(params.pop("model"), vocab=vocabulary).train()
    chosen = [
        [instances[i] for i in batch]
        for batch, _ in zip(loader.batch_sampler.get_batch_indices(instances), range(num_batches), strict=False)
    ]
    fill_stores(model, [SimpleNamespace(iter_instances=lambda: itertools.chain(*chosen))])
    batches = [tensors(members, vocabulary) for members in chosen]
    trained = [(key, value) for key, value in model.named_parameters() if value.requires_grad]
    trainer = params.pop("trainer")
    settings = trainer.pop("optimizer")
    if optimizer_type:
        settings["type"] = optimizer_type
    optimizer: Any = Optimizer.from_params(settings, model_parameters=trained)
    largest_norm = trainer.get("grad_norm")
    embedders = [module for module in model.modules() if isinstance(module, BiLMEmbedder)]

    def train() -> None:
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            model(**batch)["loss"].backward()
            if largest_norm:
                torch.nn.utils.clip_grad_norm_([value for _, value in trained], largest_norm)
            optimizer.step()

    def embed() -> None:
        for batch in batches:
            for text in batch.values():
                if isinstance(text, dict) and "elmo" in text:
                    embedders[0](**text["elmo"])

    def measured(run: Callable[[], None]) -> float:
        started = time.process_time()
        run()
        return 1000 * (time.process_time() - started) / len(batches)

    def timer() -> dict[str, float]:
        found = {"float32": measured(train)}
        callback = BFloat16Products("")
        callback.on_start(SimpleNamespace(model=model))
        found["bfloat16"] = measured(train)
        callback.on_end(None)
        if embedders:
            found["store"] = measured(embed)
            store, embedders[0]._store = embedders[0]._store, None
            found["computed"] = measured(embed)
            embedders[0]._store = store
        return found

    return timer


def tensors(instances: list[Any], vocabulary: Any) -> dict[str, Any]:
    """A batch as the model takes it."""
    from allennlp.data import Batch

    batch = Batch(instances)
    batch.index_instances(vocabulary)
    return batch.as_tensor_dict()


if __name__ == "__main__":
    raise SystemExit(main())
