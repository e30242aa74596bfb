"""The biLM equals a loop in float64 that reads the same file, for every form that an options file can ask for."""

import numpy as np
import pytest
import torch

from elmo_tasks.bilm import BiLM, BiLMOptions, batch_to_ids
from tests.bilm.conftest import MakeBiLM
from tests.bilm.reference import ReferenceBiLM

SENTENCES = [
    ["The", "cat", "sat", "on", "the", "mat", ".", "The", "cat", "slept", "."],
    ["Hello"],
    [],
    ["naïve", "東京", "😀😀", "", "<S>", "</S>", "<UNK>", "\ud800"],
    ["x" * 47, "x" * 48, "x" * 49, "é" * 40, "y" * 300],
    ["a"] * 17,
]

VARIANTS = {
    "as released": {},
    "tanh": {"activation": "tanh"},
    "as many filters as projected": {"filters": ((1, 2), (3, 4)), "projection_dim": 6},
    "as many cells as projected": {"cell_dim": 6},
    "neither projection": {"cell_dim": 6, "filters": ((2, 6),)},
    "no highway": {"num_highway": 0},
    "two highways": {"num_highway": 2},
    "no skip connections": {"use_skip_connections": False},
    "no bounds": {"cell_clip": None, "projection_clip": None},
    "narrow bounds": {"cell_clip": 0.7, "projection_clip": 0.4},
    "bound of the cell alone": {"cell_clip": 0.5, "projection_clip": None},
    "words of 20 characters": {"max_characters_per_token": 20},
    "words of 5 characters": {"max_characters_per_token": 5},
    "one layer": {"num_lstm_layers": 1},
    "three layers": {"num_lstm_layers": 3},
    "a filter as wide as a word": {"filters": ((1, 4), (8, 5)), "max_characters_per_token": 8},
}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def variant(request) -> dict:
    return request.param


def save(bilm: BiLM, folder, dtype: str = "float32") -> ReferenceBiLM:
    bilm.save_weights(folder / "weights.hdf5", dtype)
    return ReferenceBiLM(bilm.options.to_dict(), folder / "weights.hdf5")


def test_all_layers(variant: dict, make_bilm: MakeBiLM, tmp_path) -> None:
    bilm = make_bilm(**variant)
    reference = save(bilm, tmp_path)
    bilm.double()
    output = bilm(batch_to_ids(SENTENCES, bilm.options.max_characters_per_token), keep_sentence_boundaries=True)
    for row, sentence in enumerate(SENTENCES):
        expected, _ = reference.run(sentence)
        actual = output.layers[:, row, : len(sentence) + 2].detach().numpy()
        np.testing.assert_allclose(actual, expected, atol=1e-10)
        assert not output.layers[:, row, len(sentence) + 2 :].any()
    if bilm.options.cell_clip is not None:
        assert reference.largest_cell > bilm.options.cell_clip, "the test does not reach the cell's bound"
    if bilm.options.projection_clip is not None and bilm.options.cell_dim != bilm.options.projection_dim:
        assert reference.largest_output > bilm.options.projection_clip, "the test does not reach the projection's bound"


def test_states_carried_over_batches(variant: dict, make_bilm: MakeBiLM, tmp_path) -> None:
    bilm = make_bilm(state_policy="carry", gain=3.0, dtype=torch.float64, **variant)
    reference = save(bilm.float(), tmp_path)
    bilm.double()
    # A shorter batch leaves the rows it does not have as they were; a longer one begins new rows from zero.
    batches = [SENTENCES[:3], SENTENCES[3:5], [["only", "one"]], SENTENCES, SENTENCES[::-1]]
    states = {}
    for batch in batches:
        layers = bilm(batch_to_ids(batch, bilm.options.max_characters_per_token)).layers.detach().numpy()
        for row, sentence in enumerate(batch):
            expected, states[row] = reference.run(sentence, states.get(row))
            np.testing.assert_allclose(layers[:, row, : len(sentence)], expected[:, 1:-1], atol=1e-10)


def test_single_precision(variant: dict, make_bilm: MakeBiLM, tmp_path) -> None:
    # Larger matrices make a recurrence that doubles any rounding at every step.
    bilm = make_bilm(gain=1.5, **variant)
    reference = save(bilm, tmp_path)
    layers = bilm(batch_to_ids(SENTENCES, bilm.options.max_characters_per_token)).layers.detach().numpy()
    for row, sentence in enumerate(SENTENCES):
        np.testing.assert_allclose(layers[:, row, : len(sentence)], reference.run(sentence)[0][:, 1:-1], atol=2e-6)


@pytest.mark.parametrize("num_characters", [261, 262])
def test_options_file_with_either_number_of_characters(num_characters: int, make_bilm, tmp_path) -> None:
    bilm = make_bilm(gain=1.5)
    reference = save(bilm, tmp_path)
    options = BiLMOptions.from_dict(bilm.options.to_dict(num_characters))
    again = BiLM(options)
    again.load_weights(tmp_path / "weights.hdf5")
    actual = again.embed([SENTENCES[0]])[0]
    np.testing.assert_allclose(actual, reference.run(SENTENCES[0])[0][:, 1:-1], atol=2e-6)
