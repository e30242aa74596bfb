"""Training of the configs through AllenNLP: what is saved is what was trained."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from allennlp.data import Vocabulary
from allennlp.predictors import Predictor

from elmo_tasks.bilm import BiLM
from elmo_tasks.errors import InputError
from elmo_tasks.tasks.sst5.predictor import SST5Predictor, treebank_tokens
from tests.tasks.archives import assert_predicts_alike
from tests.tasks.conftest import TrainConfig

SENTENCE = 'The "plot" is flat (and dull), from start/finish.'
TREEBANK = [
    "The",
    "``",
    "plot",
    "''",
    "is",
    "flat",
    "-LRB-",
    "and",
    "dull",
    "-RRB-",
    ",",
    "from",
    "start\\/finish",
    ".",
]


@pytest.fixture
def train(train_config: TrainConfig) -> TrainConfig:
    return partial(train_config, "sst5")


@pytest.mark.parametrize("arm", ["baseline", "elmo", "elmo_only"])
def test_an_archive_predicts_as_the_model_that_was_trained(
    train: TrainConfig, tmp_path: Path, arm: str, monkeypatch
) -> None:
    monkeypatch.setenv("ELMO_TASKS_STORE", "off")  # its vectors are rounded
    assert_predicts_alike(train(arm), tmp_path, ("A dull film .", "Fine"), ("logits",))


def test_the_layers_are_computed_once_for_all_trainings(train: TrainConfig, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ELMO_TASKS_STORE", str(tmp_path / "layers"))
    ran: list[int] = []
    forward = BiLM.forward
    monkeypatch.setattr(BiLM, "forward", lambda self, ids, **kwargs: ran.append(1) or forward(self, ids, **kwargs))
    train("elmo", "first")
    once = len(ran)
    assert 0 < once <= 3, "batches of all texts together, not of every epoch's"
    train("elmo_only", "second", random_seed=2, numpy_seed=2, pytorch_seed=2)
    assert len(ran) == once
    train("elmo", "third", **{"model.text_field_embedder.token_embedders.elmo.store": False})
    assert len(ran) > once + 3
    metrics = [
        json.loads((tmp_path / name / "metrics.json").read_text())["training_loss"] for name in ("first", "third")
    ]
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-3)


def test_the_vocabulary_is_the_training_words_and_every_word_of_the_vector_file(
    train: TrainConfig, tmp_path: Path, repository: Path
) -> None:
    data = repository / "fixtures" / "sst5"
    train("baseline")
    train("elmo", "elmo")
    words = set(Vocabulary.from_files(tmp_path / "run" / "vocabulary").get_token_to_index_vocabulary("tokens"))
    assert words == set(Vocabulary.from_files(tmp_path / "elmo" / "vocabulary").get_token_to_index_vocabulary("tokens"))
    of_vectors = {line.split(" ")[0] for line in (data / "vectors.txt").read_text(encoding="utf-8").splitlines()}
    # of the training words of 4-token phrases, these have no vector; "(", ")" and '"' have theirs
    assert words == of_vectors | {"8\u00a01/2", "café", "@@PADDING@@", "@@UNKNOWN@@"}
    assert {"excellent", "boring"} <= words  # in the vector file alone


def test_words_of_development_data_without_vector_stay_unknown(train: TrainConfig, tmp_path: Path) -> None:
    dev = tmp_path / "dev.txt"
    dev.write_text("(3 (2 Zyx) (3 warm))\n", encoding="utf-8")
    train("baseline", validation_data_path=str(dev), test_data_path=str(dev))
    vocabulary = Vocabulary.from_files(tmp_path / "run" / "vocabulary")
    assert "zyx" not in vocabulary.get_token_to_index_vocabulary("tokens")


@pytest.fixture
def predictor(train: TrainConfig, tmp_path: Path) -> Predictor:
    train("elmo")
    return Predictor.from_path(tmp_path / "run" / "model.tar.gz")


def test_the_predictor_takes_texts_and_tokens(predictor: Predictor) -> None:
    assert isinstance(predictor, SST5Predictor)
    from_text = predictor.predict_json({"sentence": SENTENCE})
    assert from_text["tokens"] == TREEBANK
    assert from_text == predictor.predict_json({"tokens": TREEBANK})
    assert sum(from_text["probabilities"]) == pytest.approx(1)
    best = int(np.argmax(from_text["probabilities"]))
    assert from_text["label"] == str(best)
    assert from_text["name"] == ["very negative", "negative", "neutral", "positive", "very positive"][best]
    batch = predictor.predict_batch_json([{"sentence": "Fine ."}, {"tokens": TREEBANK}])
    np.testing.assert_allclose(batch[1]["logits"], from_text["logits"], rtol=0, atol=1e-6)

    with pytest.raises(InputError, match='"sentence" is empty: give a text of at least one word'):
        predictor.predict_json({"sentence": " \n"})
    with pytest.raises(InputError, match='"tokens" is empty: give at least one word'):
        predictor.predict_json({"tokens": []})
    with pytest.raises(InputError, match='"tokens" must be a list of words, each a non-empty string'):
        predictor.predict_json({"tokens": ["a", ""]})
    with pytest.raises(InputError, match='"sentence" must be a text, found int'):
        predictor.predict_json({"sentence": 3})
    with pytest.raises(InputError, match=r'expected \{"sentence": .*found "text"'):
        predictor.predict_json({"text": "Fine"})


def test_the_best_class_is_the_label_for_interpreters(predictor: Predictor) -> None:
    (labeled,) = predictor.json_to_labeled_instances({"sentence": SENTENCE})
    assert str(labeled["label"].label) == predictor.predict_json({"sentence": SENTENCE})["label"]


@pytest.mark.parametrize("word", ["1\\/2", "\\*\\*\\*", "J.R.R.", "café"])
def test_text_becomes_tokens_as_the_treebank_writes_them(word: str) -> None:
    text = f"It has {word} in it ."
    assert treebank_tokens(text.replace("\\", "")) == text.split(" ")
