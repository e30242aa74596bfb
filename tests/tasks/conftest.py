"""A profile of tiny files: the trees of fixtures/sst5, their vectors, and a biLM of random weights."""

import json
from pathlib import Path

import pytest
import torch

import elmo_tasks.plugin  # noqa: F401  (registers what the configs name)
from elmo_tasks.bilm import BiLM, BiLMOptions
from elmo_tasks.reproduce import profile as profiles

BILM_OPTIONS = BiLMOptions(
    filters=((1, 4), (2, 8), (3, 8)), character_dim=4, num_highway=1, cell_dim=16, projection_dim=6
)


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    torch.manual_seed(20)
    bilm = BiLM(BILM_OPTIONS)
    with torch.no_grad():  # as far from zero as a trained one
        for parameter in bilm.parameters():
            parameter.mul_(3.0)
    bilm.save_weights(folder / "weights.hdf5")
    (folder / "options.json").write_text(json.dumps(BILM_OPTIONS.to_dict()), encoding="utf-8")
    data = repository / "fixtures" / "sst5"
    entry = {"options_file": "options.json", "weights_file": "weights.hdf5", "map_treebank_tokens": True}
    content = {
        "name": "tiny",
        "description": "for tests",
        "word_vectors": {"file": str(data / "vectors.txt"), "lowercase": True, "map_treebank_tokens": True},
        "bilm": entry,
        "bilm_random": entry,
        "bilm_shuffled": entry,
        "tasks": {
            "sst5": {
                **{
                    part: str(data / f"{'train' if part == 'train' else 'dev'}.txt")
                    for part in ("train", "dev", "test")
                },
                "sizes": {
                    "pre_encode_feedforward": {"hidden_dims": 7},
                    "encoder": {"hidden_size": 5},
                    "integrator": {"hidden_size": 4},
                    "output": {"hidden_dims": [9, 8]},
                },
                "training": {
                    "trainer": {"num_epochs": 2, "optimizer": {"lr": 0.01}},
                    "data_loader": {"batch_sampler": {"batch_size": 8}},
                },
            }
        },
    }
    path = folder / "tiny.jsonnet"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def published_tiny_profile(tiny_profile: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment as the plugin leaves it under that profile."""
    for variable in (profiles.PROFILE_VARIABLE, profiles.PUBLISHED_VARIABLE, profiles.SEED_VARIABLE):
        monkeypatch.setenv(variable, "1")  # so that what publish sets is undone
    profiles.publish(str(tiny_profile))
    return tiny_profile
