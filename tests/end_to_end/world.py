"""A profile of a few sentences, a few vectors and a biLM of random weights, made in a moment."""

import json
import random
from pathlib import Path
from typing import Any

import torch

from elmo_tasks.bilm import BiLM, BiLMOptions

ADJECTIVES = {"awful": 0, "bad": 1, "slow": 1, "plain": 2, "nice": 3, "fine": 3, "great": 4}
SUBJECTS = (("the", "film"), ("this", "story"), ("her", "voice"))
WORDS = [*ADJECTIVES, "the", "this", "her", "film", "story", "voice", "was", "really", "quite", "."]
VECTOR_DIM = 6

BILM_OPTIONS = {
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 4,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 8,
        "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": [[1, 4], [2, 4], [3, 8]],
        "n_highway": 1,
        "embedding": {"dim": 4},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}

SIZES = {
    "pre_encode_feedforward": {"hidden_dims": 8},
    "encoder": {"hidden_size": 8},
    "integrator": {"hidden_size": 8},
    "output": {"hidden_dims": [16, 8]},
}

# Batches of 4 from 36 sentences of two phrases each: 18 batches in an epoch.
TRAINING = {
    "data_loader": {"batch_sampler": {"batch_size": 4}},
    "trainer": {"optimizer": {"lr": 0.005}, "num_epochs": 2, "cuda_device": -1},
}


def write_world(folder: Path) -> Path:
    """Write all of it, the same every time; returns the profile's path."""
    folder.mkdir(parents=True)
    dice = random.Random(7)
    for name, size in (("train", 36), ("dev", 8), ("test", 10)):
        (folder / f"{name}.txt").write_text("".join(_tree(dice) + "\n" for _ in range(size)), encoding="utf-8")
    vectors = (f"{word} " + " ".join(f"{dice.gauss(0, 1):.3f}" for _ in range(VECTOR_DIM)) for word in WORDS)
    (folder / "vectors.txt").write_text("\n".join(vectors) + "\n", encoding="utf-8")
    (folder / "options.json").write_text(json.dumps(BILM_OPTIONS), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        bilm = BiLM(BiLMOptions.from_dict(BILM_OPTIONS))
        with torch.no_grad():
            for parameter in bilm.parameters():
                parameter.mul_(3)
        bilm.save_weights(folder / "weights.hdf5")
    profile: dict[str, Any] = {
        "name": "end to end",
        "description": "a few sentences for a test",
        "word_vectors": {"file": "vectors.txt", "dim": VECTOR_DIM, "lowercase": True},
        "bilm": {"options_file": "options.json", "weights_file": "weights.hdf5"},
        "tasks": {
            "sst5": {
                **{name: f"{name}.txt" for name in ("train", "dev", "test")},
                "sizes": SIZES,
                "training": TRAINING,
            }
        },
    }
    path = folder / "profile.json"
    path.write_text(json.dumps(profile), encoding="utf-8")
    return path


def _tree(dice: random.Random) -> str:
    (article, noun), adjective = dice.choice(SUBJECTS), dice.choice(list(ADJECTIVES))
    label = ADJECTIVES[adjective]
    predicate = f"({label} (2 was) ({label} (2 {dice.choice(['really', 'quite'])}) ({label} {adjective})))"
    return f"({label} (2 (2 {article}) (2 {noun})) ({label} {predicate} (2 .)))"
