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
    return partial(train_config, "ner")


@pytest.mark.parametrize("arm", ["baseline", "elmo", "elmo_only"])
def test_an_archive_predicts_as_the_model_that_was_trained(train: TrainConfig, tmp_path: Path, arm: str, monkeypatch):
    monkeypatch.setenv("ELMO_TASKS_STORE", "off")  # its vectors are rounded
    assert_predicts_alike(train(arm), tmp_path, ("Anna visits Lyon .", "U2"), ("logits", "tags"))


def test_training_learns_the_training_sentences(train: TrainConfig, tmp_path: Path, repository: Path) -> None:
    data = str(repository / "fixtures" / "ner" / "train.txt")
    settings = {"trainer.num_epochs": 80, "trainer.optimizer.lr": 0.02, "model.dropout": 0.0}
    train("baseline", validation_data_path=data, test_data_path=data, **settings)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test_f1"] == 1.0
    assert metrics["training_loss"] < 1.0


def test_the_vocabulary_is_the_training_words_and_every_word_of_the_vector_file(
    train: TrainConfig, tmp_path: Path, repository: Path
) -> None:
    lines = (repository / "fixtures" / "ner" / "train.txt").read_text(encoding="utf-8").splitlines()
    tokens = [line.split(" ")[0] for line in lines if line and not line.startswith("-DOCSTART-")]
    vectors = (repository / "fixtures" / "sst5" / "vectors.txt").read_text(encoding="utf-8").splitlines()
    words = (
        {"@@PADDING@@", "@@UNKNOWN@@"} | {line.split(" ")[0] for line in vectors} | {word.lower() for word in tokens}
    )
    for arm in ("baseline", "elmo"):
        train(arm, arm)
        vocabulary = Vocabulary.from_files(tmp_path / arm / "vocabulary")
        assert set(vocabulary.get_token_to_index_vocabulary("tokens")) == words
        # of the training words alone, in their own case, and the marks of a word's ends
        characters = {"@@PADDING@@", "@@UNKNOWN@@", "<w>", "</w>"}.union(*tokens)
        assert set(vocabulary.get_token_to_index_vocabulary("token_characters")) == characters
    assert {"excellent", "boring"} <= words  # in the vector file alone
    assert "zyx" not in words  # in the development file


def test_years_are_one_word_where_the_vectors_have_zeros_for_digits(train: TrainConfig, tmp_path: Path) -> None:
    train("baseline", **{"dataset_reader.token_indexers.tokens.digits_to_zero": True})
    vocabulary = Vocabulary.from_files(tmp_path / "run" / "vocabulary")
    words = set(vocabulary.get_token_to_index_vocabulary("tokens"))
    assert {"0000", "0000-00-00", "u0", "0"} <= words
    assert not words & {"1997", "1996-08-22", "u2", "3"}
    characters = set(vocabulary.get_token_to_index_vocabulary("token_characters"))
    assert {"1", "9", "7"} <= characters  # for the lookup of vectors alone
