"""Training of the configs through AllenNLP: what is saved is what was trained."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from allennlp.models import load_archive

from tests.tasks.conftest import TrainConfig


@pytest.fixture
def train(train_config: TrainConfig) -> TrainConfig:
    return partial(train_config, "coref")


@pytest.mark.parametrize("arm", ["baseline", "elmo", "elmo_only"])
def test_an_archive_predicts_as_the_model_that_was_trained(train: TrainConfig, tmp_path: Path, arm: str, monkeypatch):
    monkeypatch.setenv("ELMO_TASKS_STORE", "off")  # its vectors are rounded
    model = train(arm)
    shutil.move(tmp_path / "run" / "model.tar.gz", tmp_path / "model.tar.gz")
    shutil.rmtree(tmp_path / "run")
    archive = load_archive(tmp_path / "model.tar.gz")
    for name, parameter in model.state_dict().items():
        np.testing.assert_array_equal(archive.model.state_dict()[name], parameter, err_msg=name)
    reader = archive.validation_dataset_reader
    instances = [reader.text_to_instance([["She", "left", "Oslo"], ["It", "was", "her", "town", "."]], genre="bc")]
    instances += [reader.text_to_instance([])]
    for instance in instances:
        reader.apply_token_indexers(instance)
    outputs = [one.eval().forward_on_instances(instances) for one in (model, archive.model)]
    assert [one["clusters"] for one in outputs[0]] == [one["clusters"] for one in outputs[1]]
    assert [one["spans"] for one in outputs[0]] == [one["spans"] for one in outputs[1]]
    assert len(outputs[0][0]["spans"]) == 3


def test_training_learns_the_training_documents(train: TrainConfig, tmp_path: Path, repository: Path) -> None:
    data = str(repository / "fixtures" / "sample" / "coref" / "dev.gold_conll")
    paths = {f"{part}_data_path": data for part in ("train", "validation", "test")}
    sizes = {"model.encoder.hidden_size": 16, "model.hidden_dims": [16, 16], "model.max_span_width": 3}
    rates = {"model.lexical_dropout": 0.0, "model.dropout": 0.0, "trainer.patience": None}
    # nothing is lost to the pruning of so few words, which a training begins at random
    rates["model.spans_per_word"] = 1.0
    six = {f"{kind}dataset_reader.max_documents": 6 for kind in ("", "validation_")}
    train("baseline", **paths, **sizes, **rates, **six, **{"trainer.num_epochs": 40})
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test_f1"] == 1.0
    assert metrics["training_loss"] < 1.0


def test_a_run_that_was_cut_short_goes_on_to_the_same_weights(train: TrainConfig, tmp_path: Path) -> None:
    """Windows are drawn, dropout too, and the learning rate falls by steps."""
    settings = {"model.max_sentences": 2, "trainer.learning_rate_scheduler.every": 3}
    whole = train("baseline", "whole", **settings, **{"trainer.num_epochs": 4}).state_dict()
    train("baseline", "cut", **settings, **{"trainer.num_epochs": 2})
    for left in ("metrics.json", "model.tar.gz"):
        (tmp_path / "cut" / left).unlink(missing_ok=True)
    config = json.loads((tmp_path / "cut" / "config.json").read_text(encoding="utf-8"))
    config["trainer"]["num_epochs"] = 4
    (tmp_path / "cut" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    went_on = train("baseline", "cut", recover=True, **settings, **{"trainer.num_epochs": 4}).state_dict()
    assert all(torch.equal(whole[name], went_on[name]) for name in whole)


def test_vectors_have_unit_length_and_unknown_words_none(train: TrainConfig) -> None:
    model = train("baseline")
    weight = model.text_field_embedder.token_embedder_tokens.weight
    lengths = weight.norm(dim=1)
    assert lengths[:2].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(lengths[2:], 1.0, atol=1e-6)
    words = set(model.vocab.get_token_to_index_vocabulary("tokens"))
    assert "ferry" not in words
    assert {"it", "she"} & words
