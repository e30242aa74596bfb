"""The biLM equals what the authors' programs recorded for two small models (../shared/data/elmo, see its README)."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from elmo_tasks.bilm import BiLM, batch_to_ids
from tests.bilm.reference import ReferenceBiLM

MODELS = {"allennlp": "sentences.json", "bilm_tf": "lm_embeddings_sentences.json"}


@pytest.fixture(scope="module")
def elmo_folder(shared_folder: Path) -> Path:
    folder = shared_folder / "data" / "elmo"
    if not folder.is_dir():
        pytest.skip("needs the recorded outputs of ../shared/data/elmo, which are not here")
    return folder


def load(folder: Path, name: str, state_policy: str = "reset") -> BiLM:
    return BiLM.from_files(folder / name / "options.json", folder / name / "lm_weights.hdf5", state_policy)


def batches(folder: Path, name: str) -> list[list[list[str]]]:
    """Ten batches of three tokenised sentences, in the recorded order."""
    lists = json.loads((folder / name / MODELS[name]).read_text(encoding="utf-8"))
    return [[sentences[i].split() for sentences in lists] for i in range(10)]


def recorded(folder: Path, name: str, row: int) -> list[np.ndarray]:
    """The top layer's vectors of a row's ten sentences, forward and backward joined: `(num_words, 32)`."""
    with h5py.File(folder / name / f"lm_embeddings_{row}.hdf5") as file:
        return [np.concatenate(list(file[str(i)][...]), axis=-1) for i in range(10)]


@pytest.mark.parametrize("name", MODELS)
def test_ten_batches_with_carried_states(name: str, elmo_folder: Path) -> None:
    bilm = load(elmo_folder, name, "carry")
    expected = [recorded(elmo_folder, name, row) for row in range(3)]
    with torch.no_grad():
        for i, batch in enumerate(batches(elmo_folder, name)):
            top = bilm(batch_to_ids(batch)).layers[-1].numpy()
            for row, sentence in enumerate(batch):
                np.testing.assert_allclose(top[row, : len(sentence)], expected[row][i], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_reference_too(name: str, elmo_folder: Path) -> None:
    folder = elmo_folder / name
    reference = ReferenceBiLM(json.loads((folder / "options.json").read_text()), folder / "lm_weights.hdf5")
    expected = recorded(elmo_folder, name, 0)
    states = None
    for i, batch in enumerate(batches(elmo_folder, name)[:3]):
        layers, states = reference.run(batch[0], states)
        np.testing.assert_allclose(layers[-1, 1:-1], expected[i], atol=1e-6, rtol=1e-5)


def test_rows_without_a_sentence_keep_their_state(elmo_folder: Path) -> None:
    bilm = load(elmo_folder, "bilm_tf", "carry")
    first, second = batches(elmo_folder, "bilm_tf")[:2]
    expected = recorded(elmo_folder, "bilm_tf", 2)
    with torch.no_grad():
        bilm(batch_to_ids(first))
        # Two rows: the third, whose second sentence was recorded, does not notice.
        bilm(batch_to_ids([["something", "else"], ["entirely"]]))
        top = bilm(batch_to_ids([["again"], ["other"], second[2]])).layers[-1].numpy()
    np.testing.assert_allclose(top[2, : len(second[2])], expected[1], atol=1e-6, rtol=1e-5)


def test_a_row_not_used_before_begins_from_zero(elmo_folder: Path) -> None:
    bilm = load(elmo_folder, "bilm_tf", "carry")
    first = batches(elmo_folder, "bilm_tf")[0]
    expected = recorded(elmo_folder, "bilm_tf", 2)
    with torch.no_grad():
        bilm(batch_to_ids(first))
        top = bilm(batch_to_ids([["one"], ["two"], ["three"], first[2]])).layers[-1].numpy()
    np.testing.assert_allclose(top[3, : len(first[2])], expected[0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("policy", ["reset", "carry"])
def test_all_layers_with_sentence_boundaries(policy: str, elmo_folder: Path) -> None:
    bilm = load(elmo_folder, "allennlp", policy)
    kept = {"reset": "bilm_layers_fresh.npz", "carry": "bilm_layers_carried.npz"}[policy]
    with np.load(elmo_folder / "golden" / kept) as expected, torch.no_grad():
        for i, batch in enumerate(batches(elmo_folder, "allennlp")):
            output = bilm(batch_to_ids(batch), keep_sentence_boundaries=True)
            for row, sentence in enumerate(batch):
                actual = output.layers[:, row, : len(sentence) + 2].numpy()
                np.testing.assert_allclose(actual, expected[f"{row}_{i}"], atol=1e-5)
                assert output.mask[row].sum() == len(sentence) + 2


def test_embed_gives_the_same_in_its_own_order(elmo_folder: Path) -> None:
    bilm = load(elmo_folder, "allennlp")
    named = {f"{row}_{i}": words for i, b in enumerate(batches(elmo_folder, "allennlp")) for row, words in enumerate(b)}
    with np.load(elmo_folder / "golden" / "bilm_layers_fresh.npz") as expected:
        for name, vectors in zip(named, bilm.embed(list(named.values())), strict=True):
            np.testing.assert_allclose(vectors, expected[name][:, 1:-1], atol=1e-5)


def test_word_vectors(elmo_folder: Path) -> None:
    bilm = load(elmo_folder, "allennlp")
    # The last line has no line feed; <S> and </S> are the sentence markers, <UNK> is spelled.
    words = (elmo_folder / "allennlp" / "vocab_test.txt").read_text(encoding="utf-8").split("\n")
    assert len(words) == 458
    assert {"<S>", "</S>", "<UNK>"} <= set(words)
    with h5py.File(elmo_folder / "allennlp" / "elmo_token_embeddings.hdf5") as file:
        expected = file["embedding"][...]
    with torch.no_grad():
        actual = bilm(batch_to_ids([[word] for word in words])).layers[0, :, 0].numpy()
    np.testing.assert_allclose(actual[:, :16], expected, atol=1e-6, rtol=1e-5)
    np.testing.assert_array_equal(actual[:, :16], actual[:, 16:])


@pytest.mark.parametrize("name", MODELS)
def test_saved_again_it_is_the_same_file(name: str, elmo_folder: Path, tmp_path: Path) -> None:
    load(elmo_folder, name).save_weights(tmp_path / "weights.hdf5")
    with h5py.File(tmp_path / "weights.hdf5") as ours, h5py.File(elmo_folder / name / "lm_weights.hdf5") as theirs:
        assert data_sets(ours).keys() == data_sets(theirs).keys()
        for key, values in data_sets(theirs).items():
            np.testing.assert_array_equal(data_sets(ours)[key], values)


def data_sets(file: h5py.File) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    file.visititems(lambda name, item: found.update({name: item[...]}) if isinstance(item, h5py.Dataset) else None)
    return found
