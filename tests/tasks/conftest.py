"""A profile of tiny files: the data of fixtures, the vectors of its trees, and a biLM of random weights."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data import DatasetReader, Instance, Vocabulary
from allennlp.models import Model

import elmo_tasks.plugin  # noqa: F401  (registers what the configs name)
from elmo_tasks.bilm import BiLM, BiLMOptions
from elmo_tasks.reproduce import profile as profiles
from tests.conftest import RunCommand
from tests.tasks.commands import Commands

BuildModel = Callable[..., tuple[Model, list[Instance]]]
TrainConfig = Callable[..., Model]

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
    fixtures = repository / "fixtures"
    entry = {"options_file": "options.json", "weights_file": "weights.hdf5", "map_treebank_tokens": True}
    content = {
        "name": "tiny",
        "description": "for tests",
        "word_vectors": {
            "file": str(fixtures / "sst5" / "vectors.txt"),
            "lowercase": True,
            "map_treebank_tokens": True,
        },
        "bilm": entry,
        "bilm_random": entry,
        "bilm_shuffled": entry,
        "tasks": {
            "sst5": {
                **_files(fixtures / "sst5"),
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
            },
            "snli": {
                **_files(fixtures / "snli", "jsonl"),
                "sizes": {
                    "encoder": {"hidden_size": 5},
                    "projection_feedforward": {"hidden_dims": 7},
                    "inference_encoder": {"hidden_size": 4},
                    "output_feedforward": {"hidden_dims": 9},
                },
                "training": {
                    "trainer": {"num_epochs": 2, "optimizer": {"lr": 0.01}},
                    "data_loader": {"batch_sampler": {"batch_size": 5}},
                },
            },
            "squad": {
                **_files(fixtures / "squad", "json"),
                "sizes": {
                    "text_field_embedder": {
                        "token_embedders": {
                            "characters": {
                                "embedding": {"embedding_dim": 4},
                                "encoder": {"embedding_dim": 4, "num_filters": 7},
                            },
                        },
                    },
                    "encoder": {"hidden_size": 4},
                },
                "training": {
                    "trainer": {"num_epochs": 2},
                    "data_loader": {"batch_sampler": {"batch_size": 5}},
                },
            },
            "srl": {
                **_files(fixtures / "srl", "gold_conll"),
                "sizes": {"predicate_dim": 3, "encoder": {"hidden_size": 5, "num_layers": 3}},
                "training": {
                    "trainer": {"num_epochs": 2, "patience": None},
                    "data_loader": {"batch_sampler": {"batch_size": 5}},
                },
            },
            "coref": {
                **dict.fromkeys(("train", "dev", "test"), str(fixtures / "conll2012" / "harbour.gold_conll")),
                "sizes": {
                    "text_field_embedder": {
                        "token_embedders": {
                            "characters": {
                                "embedding": {"embedding_dim": 4},
                                "encoder": {"embedding_dim": 4, "num_filters": 3},
                            },
                        },
                    },
                    "encoder": {"hidden_size": 4},
                    "hidden_dims": [6, 5],
                    "feature_dim": 3,
                },
                "training": {"trainer": {"num_epochs": 2, "optimizer": {"lr": 0.01}}},
            },
            "ner": {
                **_files(fixtures / "ner"),
                "sizes": {
                    "text_field_embedder": {
                        "token_embedders": {
                            "characters": {
                                "embedding": {"embedding_dim": 4},
                                "encoder": {"embedding_dim": 4, "num_filters": 7},
                            },
                        },
                    },
                    "encoders": [{"type": "lstm", "hidden_size": size, "bidirectional": True} for size in (5, 4)],
                },
                "training": {
                    "trainer": {"num_epochs": 2, "optimizer": {"lr": 0.01}},
                    "data_loader": {"batch_sampler": {"batch_size": 5}},
                },
            },
        },
    }
    path = folder / "tiny.jsonnet"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _files(folder: Path, suffix: str = "txt") -> dict[str, str]:
    return {
        part: str(folder / f"{'train' if part == 'train' else 'dev'}.{suffix}") for part in ("train", "dev", "test")
    }


@contextmanager
def published(profile: Path) -> Iterator[None]:
    """The environment as the plugin leaves it under a profile."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in (profiles.PROFILE_VARIABLE, profiles.PUBLISHED_VARIABLE, profiles.SEED_VARIABLE):
            patch.setenv(variable, "1")  # so that what publish sets is undone
        profiles.publish(str(profile))
        yield


@pytest.fixture
def published_tiny_profile(tiny_profile: Path) -> Iterator[Path]:
    with published(tiny_profile):
        yield tiny_profile


@pytest.fixture
def build_model(repository: Path, published_tiny_profile: Path) -> BuildModel:
    """
    Builds a task's model of an arm, and reads the instances of its training file.

    The model is in double precision and evaluation mode. `changes` are dotted keys of the config's `model`, `config`
    those of the whole config.
    """

    def build(
        task: str,
        arm: str,
        changes: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        seed: int = 3,
    ) -> tuple[Model, list[Instance]]:
        params = Params.from_file(repository / "experiments" / task / f"{arm}.jsonnet", config or {})
        instances = list(DatasetReader.from_params(params.pop("dataset_reader")).read(params["train_data_path"]))
        vocabulary = Vocabulary.from_params(params.pop("vocabulary"), instances=instances)
        model_params = params["model"].as_dict(quiet=True)
        for key, value in (changes or {}).items():
            *path, last = key.split(".")
            node = model_params
            for part in path:
                node = node[part]
            node[last] = value
        torch.manual_seed(seed)
        model = Model.from_params(Params(model_params), vocab=vocabulary)
        with torch.no_grad():  # biases and mixes start at zero, where much would pass
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.3 * torch.randn_like(parameter))
        return model.double().eval(), instances

    return build


@pytest.fixture
def commands(run_command: RunCommand, repository: Path, tmp_path: Path, tiny_profile: Path) -> Commands:
    """The commands under the tiny profile; what they write is below `tmp_path`."""
    return Commands(run_command, repository / "experiments", tmp_path, tiny_profile)


@pytest.fixture
def train_config(repository: Path, published_tiny_profile: Path, tmp_path: Path) -> TrainConfig:
    """Trains a task's arm into the folder `name` below `tmp_path`, with overrides of dotted keys."""

    def train(task: str, arm: str, name: str = "run", recover: bool = False, **overrides: Any) -> Model:
        params = Params.from_file(repository / "experiments" / task / f"{arm}.jsonnet", overrides)
        return train_model(params, tmp_path / name, recover=recover)

    return train
