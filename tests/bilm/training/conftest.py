"""A toy language whose next word can be guessed, and configurations small enough for seconds."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elmo_tasks.bilm.training.config import TrainingConfig

MODEL = {
    "lstm": {
        "dim": 16,
        "projection_dim": 8,
        "n_layers": 2,
        "cell_clip": 3,
        "proj_clip": 3,
        "use_skip_connections": True,
    },
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 4},
        "filters": [[1, 6], [2, 6], [3, 8]],
        "n_highway": 1,
        "n_characters": 262,
        "max_characters_per_token": 12,
    },
}

WriteConfig = Callable[..., Path]


def toy_sentence(choose: random.Random) -> str:
    """A subject decides the verb's number, a verb its object."""
    plural = choose.random() < 0.5
    subject = choose.choice(["dogs", "cats"] if plural else ["a dog", "a cat"])
    verb, thing = choose.choice([("eat", "fish"), ("chase", "mice"), ("drink", "milk")])
    return f"{subject} {verb if plural else verb + 's'} {thing} ."


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with two shards of 60 sentences and a held-out file of 30."""
    choose = random.Random(3)
    for name, count in [("train-0.txt", 60), ("train-1.txt", 60), ("heldout.txt", 30)]:
        lines = [toy_sentence(choose) for _ in range(count)]
        (tmp_path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return tmp_path


@pytest.fixture
def write_config(corpus: Path) -> WriteConfig:
    """Writes a configuration beside the corpus: `write_config(name="config.json", **changes)`; `...` removes a key."""

    def write(name: str = "config.json", **changes: Any) -> Path:
        content: dict[str, Any] = {
            "corpus": "train-*.txt",
            "output": "out",
            "model": MODEL,
            "negative_samples": 6,
            "batch_size": 4,
            "unroll_steps": 5,
            "epochs": 0.5,
            "threads": 1,
            "device": "cpu",
            "tensorboard": False,
            **changes,
        }
        content = {key: value for key, value in content.items() if value is not ...}
        (corpus / name).write_text(json.dumps(content))
        return corpus / name

    return write


@pytest.fixture
def make_config(write_config: WriteConfig) -> Callable[..., TrainingConfig]:
    """The same, read."""
    return lambda **changes: TrainingConfig.from_file(write_config(**changes))
