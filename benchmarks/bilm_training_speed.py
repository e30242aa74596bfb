"""
Tokens per second of training a biLM, beside allennlp-models' `language_model` of the same size on the same text.

    python benchmarks/bilm_training_speed.py --text train-00.txt.xz
    python benchmarks/bilm_training_speed.py --text train-00.txt.xz --threads 2 --seconds 60

needs allennlp-models 2.10.1 for the second; without it only our own is timed. Both have the character CNN of
experiments/bilm/open-small.json, two bidirectional LSTM layers of 512, a sampled softmax of 2,048 words over 50,000,
and update all weights once a batch of about 640 words in each direction. What differs: theirs has no projection in the
LSTM (its softmax is over 512 numbers instead of 128), no clips, Adam in its sparse form for Adagrad, and a batch of
whole padded sentences of like length; its upper layer sees both directions, so that what it learns is no language
model.
The three take turns, each for some seconds; speeds are of the text's words. Prints a Markdown table.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parent.parent / "experiments" / "bilm" / "open-small.json"

# Words of the text that the vocabularies come from and that sentences are taken from.
NUM_SENTENCES = 20_000
WORDS_A_BATCH = 640


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Speed of training a biLM.")
    parser.add_argument("--text", type=Path, required=True, help="a shard: one tokenised sentence a line")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each in a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.threads)

    with tempfile.TemporaryDirectory() as folder:
        racers: dict[str, Callable[[], int]] = {}
        for precision in ("float32", "bfloat16"):
            racers[f"elmo_tasks, {precision}"] = ours(
                options.text, Path(folder) / precision, precision, options.threads
            )
        try:
            racers["allennlp-models `language_model`"] = theirs(options.text)
        except ImportError as error:
            print(f"allennlp-models is left out: {error}", file=sys.stderr)
        speeds: dict[str, list[float]] = {name: [] for name in racers}
        for turn in range(options.turns + 1):
            for name, step in racers.items():
                speed = words_per_second(step, options.seconds)
                if turn:  # the first is for warming up
                    speeds[name].append(speed)
                    print(f"turn {turn}, {name}: {speed:,.0f}", file=sys.stderr)
    print("| trainer | tokens/s | lowest and highest |\n|---|---:|---|")
    for name, found in speeds.items():
        print(f"| {name} | {sorted(found)[len(found) // 2]:,.0f} | {min(found):,.0f} to {max(found):,.0f} |")
    return 0


def words_per_second(step: Callable[[], int], seconds: float) -> float:
    """Words that a trainer's steps went through in a second."""
    started, words = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        words += step()
    return words / elapsed


def ours(text: Path, folder: Path, precision: str, threads: int) -> Callable[[], int]:
    """A step of the project's trainer."""
    from elmo_tasks.bilm.training.config import TrainingConfig
    from elmo_tasks.bilm.training.trainer import Trainer

    config = TrainingConfig.from_file(CONFIG)
    config = replace(
        config, corpus=(str(text),), output=str(folder), heldout={}, precision=precision, threads=threads,
        epochs=1000, cooldown_epochs=0, tensorboard=False,
    )  # fmt: skip
    trainer = Trainer(config, say=lambda line: None)
    trainer.model.train()
    # A sentence's end takes a place of a row too, but is no word.
    share = trainer.num_tokens / (trainer.num_tokens + trainer.num_sentences)

    def step() -> int:
        trainer.step()
        return round(share * config.batch_size * config.unroll_steps)

    return step


def theirs(text: Path) -> Callable[[], int]:
    """A step of allennlp-models' language model."""
    import elmo_tasks.bridge  # noqa: F401, I001
    import allennlp_models.lm  # noqa: F401
    import torch
    from allennlp.common import Params
    from allennlp.data import Batch, Instance, Token, Vocabulary
    from allennlp.data.fields import TextField
    from allennlp.data.token_indexers import ELMoTokenCharactersIndexer, SingleIdTokenIndexer
    from allennlp.models import Model
    from allennlp.training.optimizers import Optimizer

    from elmo_tasks.bilm.training.corpus import read_sentences

    indexers = {"tokens": SingleIdTokenIndexer(), "token_characters": ELMoTokenCharactersIndexer()}
    sentences = sorted((words for words, _ in zip(read_sentences(text), range(NUM_SENTENCES), strict=False)), key=len)
    counts: dict[str, int] = {}
    for sentence in sentences:
        for word in [*sentence, "<S>", "</S>"]:
            counts[word] = counts.get(word, 0) + 1
    size = json.loads(CONFIG.read_text())["vocabulary_size"]
    vocabulary = Vocabulary({"tokens": counts}, max_vocab_size={"tokens": size})
    # As many words as ours has: the softmax draws from all of them.
    for number in range(size - vocabulary.get_vocab_size("tokens")):
        vocabulary.add_token_to_namespace(f"word-{number}", "tokens")
    model = Model.from_params(Params(_language_model()), vocab=vocabulary)
    parameters = [(name, values) for name, values in model.named_parameters() if values.requires_grad]
    optimizer: Any = Optimizer.from_params(Params({"type": "dense_sparse_adam"}), model_parameters=parameters)

    batches, words, members = [], 0, []
    for sentence in sentences:
        members.append(Instance({"source": TextField([Token(w) for w in ["<S>", *sentence, "</S>"]], indexers)}))
        words += len(sentence)
        if words >= WORDS_A_BATCH:
            batches.append((members, words))
            members, words = [], 0
    generator = torch.Generator().manual_seed(1)
    model.train()

    def step() -> int:
        instances, num_words = batches[int(torch.randint(len(batches), (1,), generator=generator))]
        batch = Batch(instances)
        batch.index_instances(vocabulary)
        optimizer.zero_grad()
        model(**batch.as_tensor_dict())["loss"].backward()
        optimizer.step()
        return num_words

    return step


def _language_model() -> dict[str, Any]:
    options = json.loads(CONFIG.read_text())
    shape = options["model"]
    filters = shape["char_cnn"]["filters"]
    dim = shape["lstm"]["projection_dim"]
    return {
        "type": "language_model",
        "bidirectional": True,
        "num_samples": options["negative_samples"],
        "sparse_embeddings": True,
        "text_field_embedder": {
            "token_embedders": {
                "tokens": {"type": "empty"},
                "token_characters": {
                    "type": "character_encoding",
                    "embedding": {"num_embeddings": 262, "embedding_dim": shape["char_cnn"]["embedding"]["dim"]},
                    "encoder": {
                        "type": "cnn-highway",
                        "activation": "relu",
                        "embedding_dim": shape["char_cnn"]["embedding"]["dim"],
                        "filters": filters,
                        "num_highway": shape["char_cnn"]["n_highway"],
                        "projection_dim": dim,
                        "projection_location": "after_highway",
                    },
                },
            }
        },
        "contextualizer": {
            "type": "lstm",
            "bidirectional": True,
            "num_layers": shape["lstm"]["n_layers"],
            "input_size": dim,
            "hidden_size": shape["lstm"]["dim"],
        },
    }


if __name__ == "__main__":
    raise SystemExit(main())
