"""
The biLM equals AllenNLP's own on random weights: same file, any batch, any order, any padding.

The LSTMs' matrices are scaled up until something happens: layer outputs with a standard deviation of at least 0.3, and
both bounds reached.
"""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import elmo_tasks.bridge  # noqa: F401
from elmo_tasks.bilm import BiLM, BiLMOptions, batch_to_ids
from tests.bilm.conftest import excite

pytestmark = pytest.mark.skipif(find_spec("allennlp") is None, reason="needs AllenNLP, whose own biLM is compared with")

FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
SIZES = {
    "quarter": BiLMOptions(FILTERS, character_dim=16, num_highway=2, cell_dim=256, projection_dim=64),
    "small": BiLMOptions(FILTERS, character_dim=16, num_highway=1, cell_dim=1024, projection_dim=128),
    "original": BiLMOptions(FILTERS, character_dim=16, num_highway=2, cell_dim=4096, projection_dim=512),
}

Run = Callable[[list[list[str]]], torch.Tensor]


def random_sentences(lengths: list[int], seed: int = 0) -> list[list[str]]:
    """Sentences of words of all kinds, some of them repeated."""
    choose = random.Random(seed)
    words = ["".join(choose.choices("abcdefghijklmnopé", k=choose.randint(1, 12))) for _ in range(150)]
    words += ["", "x" * 48, "x" * 49, "y" * 300, "😀🎉", "東京都庁", "🏳️‍🌈" * 6, "<S>", "</S>", "<UNK>", "''", "-LRB-"]
    return [choose.choices(words, k=length) for length in lengths]


LENGTHS = [1, 2, 5, 60, 17, 1, 33, 8]


def stock(folder: Path) -> torch.nn.Module:
    """AllenNLP's biLM of a folder's files, without its mixes."""
    from allennlp.modules.elmo import Elmo

    elmo = Elmo(str(folder / "options.json"), str(folder / "weights.hdf5"), num_output_representations=1, dropout=0.0)
    return elmo.eval()


def stock_layers(elmo: torch.nn.Module, sentences: list[list[str]]) -> torch.Tensor:
    """Its three layers `(3, batch_size, num_tokens, dim)`, sentence markers removed, going on from its own states."""
    from allennlp.modules.elmo import batch_to_ids as stock_ids
    from allennlp.nn.util import remove_sentence_boundaries

    ids = stock_ids(sentences)
    assert torch.equal(ids, batch_to_ids(sentences))
    with torch.no_grad():
        output = elmo._elmo_lstm(ids)
    return torch.stack([remove_sentence_boundaries(layer, output["mask"])[0] for layer in output["activations"]])


def forget(elmo: torch.nn.Module) -> None:
    elmo._elmo_lstm._elmo_lstm.reset_states()


def layers(bilm: BiLM, sentences: list[list[str]]) -> torch.Tensor:
    with torch.no_grad():
        return bilm(batch_to_ids(sentences)).layers


def write(bilm: BiLM, folder: Path, dtype: str = "float32") -> None:
    (folder / "options.json").write_text(json.dumps(bilm.options.to_dict()))
    bilm.save_weights(folder / "weights.hdf5", dtype)


def excite_exactly(bilm: BiLM, gain: float) -> None:
    """
    As `excite`; the biases such that 1 more is exact in float32, where AllenNLP adds the forget bias, but not in
    float16.
    """
    excite(bilm, gain, gain_of_filters=3.0)
    with torch.no_grad():
        for layer in bilm.lstm.layers:
            layer.bias.copy_((layer.bias * 2**20).round() / 2**20)


def busy_bilm(options: BiLMOptions, sentences: list[list[str]]) -> BiLM:
    """
    Random weights, the matrices larger by a tenth again and again until the states reach both bounds.

    Eight outputs begin far larger than the others: they reach the bound first, where the recurrence as a whole does not
    yet double every rounding error from step to step.
    """
    torch.manual_seed(0)
    bilm = BiLM(options, "carry").eval()
    excite_exactly(bilm, gain=1.5)
    with torch.no_grad():
        for layer in bilm.lstm.layers:
            layer.projection[..., :8] *= 4.0
    for _ in range(10):
        bilm.reset_states()
        computed = layers(bilm, sentences)
        spread = min(float(layer[computed[0].any(dim=-1)].std()) for layer in computed[1:])
        states = bilm._carried
        bound = [float(part.abs().max()) == 3.0 for part in (states.cell, states.hidden)]
        if spread >= 0.3 and all(bound):
            bilm.state_policy = "reset"
            bilm.reset_states()
            return bilm
        with torch.no_grad():
            for name, parameter in bilm.lstm.named_parameters():
                if "bias" not in name:
                    parameter.mul_(1.1)
    pytest.fail(f"the weights give layers of standard deviation {spread:.2f}, bounds reached: {bound}")


def assert_as_exact(options: BiLMOptions, folder: Path, lengths: list[int]) -> None:
    """Layers within 1e-5 of AllenNLP's in float32; where that is further off its float64 value, ours at most twice."""
    sentences = random_sentences(lengths)
    bilm = busy_bilm(options, sentences)
    write(bilm, folder)
    elmo = stock(folder)
    ours, theirs = layers(bilm, sentences), stock_layers(elmo, sentences)
    bilm, elmo = bilm.double(), elmo.double()
    forget(elmo)
    exact, check = stock_layers(elmo, sentences), layers(bilm, sentences)
    torch.testing.assert_close(check, exact, atol=1e-9, rtol=0)
    for layer in range(3):
        distance = float((ours[layer] - theirs[layer]).abs().max())
        our_error, their_error = (float((x[layer].double() - exact[layer]).abs().max()) for x in (ours, theirs))
        assert distance <= 1e-5 or our_error <= 2 * their_error, (
            f"layer {layer}: up to {distance:.1e} from AllenNLP's; ours is up to {our_error:.1e} off the float64 "
            f"values, AllenNLP's {their_error:.1e}"
        )


def test_small_size(tmp_path: Path) -> None:
    assert_as_exact(SIZES["small"], tmp_path, [1, 12, 60, 5, 1])


@pytest.mark.real
@pytest.mark.parametrize("size", ["small", "original"])
def test_full_sizes(size: str, tmp_path: Path) -> None:
    assert_as_exact(SIZES[size], tmp_path, LENGTHS)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> SimpleNamespace:
    """One file, loaded by both, in double precision."""
    folder = tmp_path_factory.mktemp("quarter")
    bilm = busy_bilm(SIZES["quarter"], random_sentences([*LENGTHS, 30, 40, 50]))
    write(bilm, folder)
    return SimpleNamespace(ours=BiLM.from_files(folder / "options.json", folder / "weights.hdf5").double(),
                           theirs=stock(folder).double())  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_any_batch_order_and_padding(seed: int, pair: SimpleNamespace) -> None:
    choose = random.Random(seed)
    sentences = random_sentences([choose.randint(1, 30) for _ in range(choose.randint(1, 9))], seed)
    forget(pair.theirs)
    torch.testing.assert_close(layers(pair.ours, sentences), stock_layers(pair.theirs, sentences), atol=1e-9, rtol=0)


def test_each_sentence_alone_equals_the_batch_of_stock(pair: SimpleNamespace) -> None:
    sentences = random_sentences([3, 14, 1, 7], seed=7)
    forget(pair.theirs)
    together = stock_layers(pair.theirs, sentences)
    for row, sentence in enumerate(sentences):
        alone = layers(pair.ours, [sentence])[:, 0]
        torch.testing.assert_close(alone, together[:, row, : len(sentence)], atol=1e-9, rtol=0)


def test_carried_states(pair: SimpleNamespace) -> None:
    """Batches that grow and shrink, with an order of lengths that is never sorted."""
    pair.ours.state_policy = "carry"
    pair.ours.reset_states()
    forget(pair.theirs)
    try:
        for turn, lengths in enumerate([[3, 9, 1], [2, 12], [1, 1, 5, 8], [6], [4, 4, 2, 11, 7], [2, 3, 4]]):
            sentences = random_sentences(lengths, seed=turn)
            ours, theirs = layers(pair.ours, sentences), stock_layers(pair.theirs, sentences)
            torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0, msg=lambda text, t=turn: f"batch {t}: {text}")
    finally:
        pair.ours.state_policy = "reset"


@pytest.mark.parametrize("changes", [{}, {"num_highway": 1, "cell_clip": 1.0, "projection_clip": 0.5}], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_files_saved_by_us_load_there(dtype: str, changes: dict, tmp_path: Path) -> None:
    torch.manual_seed(3)
    options = replace(SIZES["quarter"], filters=((1, 8), (3, 20)), cell_dim=32, projection_dim=16, **changes)
    bilm = BiLM(options)
    excite_exactly(bilm, gain=2.0)
    write(bilm, tmp_path, dtype)
    sentences = random_sentences([4, 9, 1])
    again = BiLM.from_files(tmp_path / "options.json", tmp_path / "weights.hdf5")
    elmo = stock(tmp_path)
    torch.testing.assert_close(layers(again, sentences), stock_layers(elmo, sentences), atol=1e-5, rtol=0)
    forget(elmo)
    # Equal numbers were loaded, not just numbers that are close: the rounding of float16 would show here.
    exact = stock_layers(elmo.double(), sentences)
    torch.testing.assert_close(layers(again.double(), sentences), exact, atol=1e-9, rtol=0)
