"""Training of the configs through AllenNLP: what is saved is what was trained."""

import json
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from allennlp.data import Vocabulary
from allennlp.training.callbacks import TrainerCallback

from tests.tasks.archives import assert_predicts_alike
from tests.tasks.conftest import TrainConfig


@pytest.fixture
def train(train_config: TrainConfig) -> TrainConfig:
    return partial(train_config, "snli")


@pytest.mark.parametrize("arm", ["baseline", "elmo", "elmo_only"])
def test_an_archive_predicts_as_the_model_that_was_trained(train: TrainConfig, tmp_path: Path, arm: str, monkeypatch):
    monkeypatch.setenv("ELMO_TASKS_STORE", "off")  # its vectors are rounded
    pairs = (("A film is dull .", "A film is here ."), ("Dogs", "Dogs run"))
    assert_predicts_alike(train(arm), tmp_path, pairs, ("logits", "label"))


def test_training_learns_the_training_pairs(train: TrainConfig, tmp_path: Path, repository: Path) -> None:
    data = str(repository / "fixtures" / "snli" / "train.jsonl")
    settings = {"trainer.num_epochs": 60, "trainer.optimizer.lr": 0.03, "trainer.patience": None}
    settings |= {"model.dropout": 0.0, "model.output_dropout": 0.0, "trainer.learning_rate_scheduler": None}
    train("baseline", validation_data_path=data, test_data_path=data, **settings)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test_accuracy"] == 1.0


@TrainerCallback.register("learning_rates_for_tests", exist_ok=True)
class LearningRates(TrainerCallback):
    """Notes the learning rate after each epoch, and the development accuracy."""

    seen: ClassVar[list[float]] = []
    accuracies: ClassVar[list[float]] = []

    def on_epoch(self, trainer: Any, metrics: dict[str, Any], epoch: int, is_primary: bool = True, **_: Any) -> None:
        self.seen.append(trainer.optimizer.param_groups[0]["lr"])
        self.accuracies.append(metrics["validation_accuracy"])


def test_the_learning_rate_is_halved_when_development_accuracy_does_not_rise(train: TrainConfig) -> None:
    LearningRates.seen.clear()
    # too low for anything to change: the first epoch is the best, and no other one is better
    stuck = {"trainer.num_epochs": 4, "trainer.optimizer.lr": 1e-6}
    train("baseline", **stuck, **{"trainer.callbacks": ["learning_rates_for_tests"]})
    assert LearningRates.seen == pytest.approx([1e-6, 1e-6 / 2, 1e-6 / 4, 1e-6 / 8])


def test_the_learning_rate_stays_where_development_accuracy_rises(train: TrainConfig, repository: Path) -> None:
    LearningRates.seen.clear()
    LearningRates.accuracies.clear()
    data = str(repository / "fixtures" / "snli" / "train.jsonl")
    learning = {"trainer.num_epochs": 6, "trainer.optimizer.lr": 0.03, "trainer.patience": None}
    learning |= {"model.dropout": 0.0, "model.output_dropout": 0.0, "validation_data_path": data}
    train("baseline", **learning, **{"trainer.callbacks": ["learning_rates_for_tests"]})
    expected, rate, best = [], 0.03, -1.0
    for accuracy in LearningRates.accuracies:
        rate = rate if accuracy > best else rate / 2
        best = max(best, accuracy)
        expected.append(rate)
    assert len(set(LearningRates.accuracies)) > 2
    assert 1 < len(set(expected)) < len(expected)  # halved, and not always
    assert LearningRates.seen == pytest.approx(expected)


def test_several_training_files(train: TrainConfig, tmp_path: Path, repository: Path) -> None:
    folder = repository / "fixtures" / "snli"
    train("baseline", train_data_path=[str(folder / "train.jsonl"), str(folder / "more.jsonl")])
    words = Vocabulary.from_files(tmp_path / "run" / "vocabulary").get_token_to_index_vocabulary("tokens")
    assert "rex" in words


def test_the_vocabulary_is_the_training_words_and_every_word_of_the_vector_file(
    train: TrainConfig, tmp_path: Path, repository: Path
) -> None:
    rows = (repository / "fixtures" / "snli" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(row) for row in rows]
    parses = [
        pair[f"sentence{n}_binary_parse"].replace("-LRB-", "_(").replace("-RRB-", "_)")
        for pair in pairs
        for n in (1, 2)
        if pair["gold_label"] != "-"
    ]
    tokens = {word.removeprefix("_").lower() for parse in parses for word in parse.split(" ") if word not in "()"}
    vectors = (repository / "fixtures" / "sst5" / "vectors.txt").read_text(encoding="utf-8").splitlines()
    words = {"@@PADDING@@", "@@UNKNOWN@@"} | {line.split(" ")[0] for line in vectors} | tokens
    for arm in ("baseline", "elmo"):
        train(arm, arm)
        vocabulary = Vocabulary.from_files(tmp_path / arm / "vocabulary")
        assert set(vocabulary.get_token_to_index_vocabulary("tokens")) == words
    assert "zyx" not in words  # in the development file
