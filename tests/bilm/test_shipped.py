"""The biLM of `models/open` as a clone has it: stock AllenNLP reads the same, and it predicts as its card says."""

import lzma
from importlib.util import find_spec
from pathlib import Path

import h5py
import pytest
import torch

import elmo_tasks.bridge  # noqa: F401
from elmo_tasks.bilm import BiLM
from elmo_tasks.bilm.training.export import read_export
from elmo_tasks.bilm.training.perplexity import perplexity
from tests.bilm.test_against_stock import layers, stock, stock_layers

SENTENCES = [
    ["The", "unheard-of", "Ünïcödé", "was", "a", "success", "."],
    ["No", "."],
    [
        "She",
        "said",
        "she",
        "would",
        "buy",
        "the",
        "flowers",
        "herself",
        ",",
        "for",
        '"',
        "Lucy",
        '"',
        "had",
        "work",
        ".",
    ],
]


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "models" / "open"


@pytest.mark.skipif(find_spec("allennlp") is None, reason="needs AllenNLP, whose own biLM is compared with")
def test_stock_allennlp_gives_the_same_layers(folder: Path) -> None:
    ours = layers(BiLM.from_files(folder / "options.json", folder / "weights.hdf5"), SENTENCES)
    theirs = stock_layers(stock(folder), SENTENCES)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    # It has learned something: the layers are no copies of each other, and no constants.
    assert float((ours[2] - ours[1])[ours[1] != 0].std()) > 0.1
    assert float(ours[2, 0].std(dim=0).mean()) > 0.1


def test_sizes(folder: Path) -> None:
    with lzma.open(folder / "vocabulary.txt.xz", "rt", encoding="utf-8") as file:
        words = file.read().splitlines()
    with h5py.File(folder / "softmax.hdf5") as file:
        assert (file["W"].shape, file["b"].shape) == ((50_000, 128), (50_000,))
    assert (len(words), words[:3]) == (50_000, ["<S>", "</S>", "<UNK>"])
    assert (folder / "weights.hdf5").stat().st_size <= 30e6
    assert (folder / "softmax.hdf5").stat().st_size <= 13e6


def test_it_predicts(folder: Path, tmp_path: Path) -> None:
    """Weights and softmax of different models would be at thousands."""
    text = (
        "He was elected to the House of Representatives in 1996 .\n"
        "She had never seen anything like it before .\n"
        "The police said that at least two people were killed .\n"
    )
    (tmp_path / "plain.txt").write_text(text)
    assert perplexity(*read_export(folder), tmp_path / "plain.txt").mean < 60


@pytest.mark.real
def test_its_perplexity_is_the_recorded_one(folder: Path, shared_folder: Path) -> None:
    heldout = shared_folder / "bilm_corpus" / "heldout" / "heldout.txt.xz"
    measured = perplexity(*read_export(folder), heldout, "reset", max_sentences=200)
    assert (measured.num_targets, measured.vocabulary_size) == (4843, 50_000)
    assert measured.mean == pytest.approx(98.16, rel=0.005)
