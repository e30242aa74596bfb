"""A small biLM in files, with weights so large that its cells reach their bound, and sentences for it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from elmo_tasks.bilm import BiLM, BiLMOptions

OPTIONS: dict[str, Any] = {
    "lstm": {
        "dim": 20,
        "projection_dim": 8,
        "n_layers": 2,
        "cell_clip": 3,
        "proj_clip": 3,
        "use_skip_connections": True,
    },
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 4},
        "filters": [[1, 4], [2, 8], [3, 12]],
        "max_characters_per_token": 50,
        "n_characters": 262,
        "n_highway": 2,
    },
}

SENTENCES = [
    ["The", "cat", "sat", "on", "the", "mat", "."],
    ["Hello"],
    ["Ünïcödé", "𝔘", "x" * 70, "and", "the", "rest"],
    ["the", "cat", "the", "cat"],
]


@dataclass(frozen=True)
class BiLMFiles:
    options: dict[str, Any]
    options_file: str
    weights_file: str


def write_bilm(folder: Path, seed: int = 5, options: dict[str, Any] = OPTIONS) -> BiLMFiles:
    """A biLM of random weights, so large that layers have a standard deviation over 0.3 and cells reach their bound."""
    torch.manual_seed(seed)
    bilm = BiLM(BiLMOptions.from_dict(options))
    with torch.no_grad():
        for name, parameter in bilm.named_parameters():
            if name.startswith("lstm"):
                parameter.mul_(3.0)
            elif name.startswith("encoder.filters"):
                parameter.mul_(12.0)
    folder.mkdir(parents=True, exist_ok=True)
    files = BiLMFiles(options, str(folder / "options.json"), str(folder / "weights.hdf5"))
    bilm.save_weights(files.weights_file)
    Path(files.options_file).write_text(json.dumps(options))
    return files


@pytest.fixture(scope="session")
def bilm_files(tmp_path_factory: pytest.TempPathFactory) -> BiLMFiles:
    return write_bilm(tmp_path_factory.mktemp("bilm"))
