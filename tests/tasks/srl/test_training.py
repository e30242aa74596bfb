"""Training of the configs through AllenNLP: what is saved is what was trained."""

import json
from functools import partial
from pathlib import Path

import pytest
from allennlp.data import Vocabulary

from tests.tasks.archives import assert_predicts_alike
from tests.tasks.conftest import TrainConfig


@pytest.fixture
def train(train_config: TrainConfig) -> TrainConfig:
    return partial(train_config, "srl")


@pytest.mark.parametrize("arm", ["baseline", "elmo", "elmo_only"])
def test_an_archive_predicts_as_the_model_that_was_trained(train: TrainConfig, tmp_path: Path, arm: str, monkeypatch):
    monkeypatch.setenv("ELMO_TASKS_STORE", "off")  # its vectors are rounded
    assert_predicts_alike(train(arm), tmp_path, ("Anna sold it .", "Yes"), ("tags", "arguments"))


def test_training_learns_the_training_sentences(train: TrainConfig, tmp_path: Path, repository: Path) -> None:
    data = str(repository / "fixtures" / "srl" / "train.gold_conll")
    train(
        "baseline",
        validation_data_path=data,
        test_data_path=data,
        **{
            "trainer.num_epochs": 60,
            "trainer.optimizer": {"type": "adam", "lr": 0.01},
            "model.encoder.hidden_size": 24,
        },
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test_f1"] == 1.0
    assert metrics["training_loss"] < 0.1


def test_a_budget_is_of_training_alone(train: TrainConfig, tmp_path: Path) -> None:
    train("elmo", **{"dataset_reader.max_predicates": 4})
    log = (tmp_path / "run" / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(log)["epoch"] == 1
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert config["dataset_reader"]["max_predicates"] == 4
    assert "max_predicates" not in config["validation_dataset_reader"]


def test_the_vocabulary_is_the_training_words_in_lower_case_and_every_word_of_the_vector_file(
    train: TrainConfig, tmp_path: Path, repository: Path
) -> None:
    lines = (repository / "fixtures" / "srl" / "train.gold_conll").read_text(encoding="utf-8").splitlines()
    tokens = [line.split(" ")[3] for line in lines if line and not line.startswith("#")]
    vectors = (repository / "fixtures" / "sst5" / "vectors.txt").read_text(encoding="utf-8").splitlines()
    train("elmo")
    words = set(Vocabulary.from_files(tmp_path / "run" / "vocabulary").get_token_to_index_vocabulary("tokens"))
    assert words == (
        {"@@PADDING@@", "@@UNKNOWN@@"} | {line.split(" ")[0] for line in vectors} | {word.lower() for word in tokens}
    )
    assert "zyx" not in words  # in the development file
