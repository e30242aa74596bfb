"""A stock AllenNLP model with the embedder: training, its archive in another place, the biLM's files gone."""

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data import Token
from allennlp.models import Archive, load_archive

from elmo_tasks.embedding.embedder import BiLMEmbedder
from elmo_tasks.embedding.indexer import BiLMCharacterIndexer
from elmo_tasks.errors import InputError

from .conftest import OPTIONS, BiLMFiles, write_bilm

TAGGED = "The###D cat###N sat###V\nHello###N\na###D much###A longer###A one###N\n"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Training in this process leaves its log files open and everybody's log level changed."""
    level, handlers = logging.root.level, list(logging.root.handlers)
    yield
    for handler in set(logging.root.handlers) - set(handlers):
        handler.close()
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers


def config(folder: Path, **bilm: Any) -> Params:
    (folder / "train.txt").write_text(TAGGED)
    return Params(
        {
            "dataset_reader": {"type": "sequence_tagging", "token_indexers": {"elmo": {"type": "bilm_characters"}}},
            "train_data_path": str(folder / "train.txt"),
            "model": {
                "type": "simple_tagger",
                "text_field_embedder": {"token_embedders": {"elmo": {"type": "bilm", **bilm}}},
                "encoder": {"type": "lstm", "input_size": 16, "hidden_size": 4},
                "regularizer": {"regexes": [[".*mix.*weights", {"type": "l2", "alpha": 0.1}]]},
            },
            "data_loader": {"batch_size": 2},
            "trainer": {"num_epochs": 2, "optimizer": {"type": "adam", "lr": 0.05}, "cuda_device": -1},
        }
    )


def train(folder: Path, **bilm: Any) -> Path:
    """Train in a folder of its own and move the archive out of it."""
    train_model(config(folder, **bilm), str(folder / "out"), return_model=False)
    return Path(shutil.move(folder / "out" / "model.tar.gz", folder / "moved.tar.gz"))


def predictions(archive: Archive) -> list[np.ndarray]:
    sentences = [[Token(word) for word in text.split()] for text in ("The cat", "an unseen word", "Hello")]
    instances = [archive.dataset_reader.text_to_instance(tokens) for tokens in sentences]
    for instance in instances:
        archive.dataset_reader.apply_token_indexers(instance)
    return [output["logits"] for output in archive.model.eval().forward_on_instances(instances)]


def test_archive_carries_the_bilm(tmp_path: Path) -> None:
    files = write_bilm(tmp_path / "bilm")
    moved = train(tmp_path, options=OPTIONS, weights_file=files.weights_file)
    expected = predictions(load_archive(moved))
    assert not np.array_equal(expected[0], expected[1])
    shutil.rmtree(tmp_path / "bilm")
    shutil.rmtree(tmp_path / "out")
    archive = load_archive(moved)
    assert all(np.array_equal(a, b) for a, b in zip(predictions(archive), expected, strict=True))
    # Another biLM at the old place changes nothing, of whatever shape.
    smaller = {**OPTIONS, "lstm": {**OPTIONS["lstm"], "dim": 12}}
    for options in (OPTIONS, smaller):
        write_bilm(tmp_path / "bilm", seed=99, options=options)
        assert all(np.array_equal(a, b) for a, b in zip(predictions(load_archive(moved)), expected, strict=True))
    assert isinstance(archive.dataset_reader._token_indexers["elmo"], BiLMCharacterIndexer)
    embedder = archive.model.text_field_embedder.token_embedder_elmo
    assert isinstance(embedder, BiLMEmbedder)
    # The regularizer has reached the mix: its weights have moved, and are in the archive.
    assert embedder.mix.weights.abs().sum() > 0


def test_archive_with_an_options_file_says_how_it_is_found_again(tmp_path: Path) -> None:
    files = write_bilm(tmp_path / "bilm")
    moved = train(tmp_path, options_file=files.options_file, weights_file=files.weights_file)
    expected = predictions(load_archive(moved))
    (tmp_path / "bilm").rename(tmp_path / "elsewhere")
    with pytest.raises(
        InputError, match=r"options\.json: the biLM's options file does not exist.*--overrides '{\"model"
    ):
        load_archive(moved)
    key = "model.text_field_embedder.token_embedders.elmo.options_file"
    archive = load_archive(moved, overrides=json.dumps({key: str(tmp_path / "elsewhere" / "options.json")}))
    assert all(np.array_equal(a, b) for a, b in zip(predictions(archive), expected, strict=True))


def test_training_fails_before_the_first_batch_if_the_weights_are_missing(tmp_path: Path) -> None:
    params = config(tmp_path, options=OPTIONS, weights_file=str(tmp_path / "gone.hdf5"))
    with pytest.raises(InputError, match=r"gone\.hdf5: the biLM's weight file cannot be read"):
        train_model(params, str(tmp_path / "out"))
    assert not list((tmp_path / "out").glob("*.th"))


def test_loss_holds_the_penalty_in_training(tmp_path: Path, bilm_files: BiLMFiles) -> None:
    moved = train(tmp_path, options=OPTIONS, weights_file=bilm_files.weights_file)
    model = load_archive(moved).model
    weights = model.text_field_embedder.token_embedder_elmo.mix.weights
    with torch.no_grad():
        weights.copy_(torch.tensor([1.0, 2.0, 3.0]))
    assert model.get_regularization_penalty().item() == pytest.approx(1.4)
