"""Weight files: what is written comes back, and every file that does not fit is refused with its name and data set."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from elmo_tasks.bilm import BiLM
from elmo_tasks.bilm.weights import scatter_weights
from elmo_tasks.errors import InputError
from tests.bilm.conftest import MakeBiLM

CELL = "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell"


@pytest.fixture
def saved(make_bilm: MakeBiLM, tmp_path: Path) -> tuple[BiLM, Path]:
    bilm = make_bilm()
    bilm.save_weights(tmp_path / "weights.hdf5")
    return bilm, tmp_path / "weights.hdf5"


def test_the_layout(saved: tuple[BiLM, Path]) -> None:
    """Names and shapes as the original program writes them, float32, rows input then state, gates i, j, f, o."""
    bilm, path = saved
    with h5py.File(path) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        assert {name: item.shape for name, item in found.items()} == {
            "char_embed": (261, 4),
            "CNN/W_cnn_0": (1, 1, 4, 3),
            "CNN/b_cnn_0": (3,),
            "CNN/W_cnn_1": (1, 2, 4, 5),
            "CNN/b_cnn_1": (5,),
            "CNN/W_cnn_2": (1, 4, 4, 6),
            "CNN/b_cnn_2": (6,),
            "CNN_high_0/W_carry": (14, 14),
            "CNN_high_0/b_carry": (14,),
            "CNN_high_0/W_transform": (14, 14),
            "CNN_high_0/b_transform": (14,),
            "CNN_proj/W_proj": (14, 6),
            "CNN_proj/b_proj": (6,),
            **{
                f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell/{name}": shape
                for direction in (0, 1)
                for layer in (0, 1)
                for name, shape in {"W_0": (12, 44), "B": (44,), "W_P_0": (11, 6)}.items()
            },
        }
        assert {item.dtype for item in found.values()} == {np.dtype("float32")}
        layer = bilm.lstm.layers[1]
        np.testing.assert_array_equal(found[f"{CELL}/W_0"][6:, 11:22], layer.state_weight[1, :, 33:].detach())
        np.testing.assert_array_equal(found[f"{CELL}/B"][22:33], layer.bias[1, 11:22].detach())


def test_what_is_not_needed_is_not_there(make_bilm: MakeBiLM, tmp_path: Path) -> None:
    bilm = make_bilm(cell_dim=6, filters=((2, 6),), num_highway=0)
    bilm.save_weights(tmp_path / "weights.hdf5")
    with h5py.File(tmp_path / "weights.hdf5") as file:
        assert set(file) == {"char_embed", "CNN", "RNN_0", "RNN_1"}
        assert set(file["RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell"]) == {"W_0", "B"}
    BiLM(bilm.options).load_weights(tmp_path / "weights.hdf5")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_written_comes_back(dtype: str, make_bilm: MakeBiLM, tmp_path: Path) -> None:
    bilm = make_bilm()
    bilm.save_weights(tmp_path / "weights.hdf5", dtype)
    again = BiLM(bilm.options)
    again.load_weights(tmp_path / "weights.hdf5")
    for (name, ours), theirs in zip(again.named_parameters(), bilm.parameters(), strict=True):
        expected = (
            theirs if dtype == "float32" or (name.endswith(".bias") and "lstm" in name) else theirs.half().float()
        )
        assert torch.equal(ours, expected), name
        assert ours.dtype == torch.float32


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_same_weights_make_the_same_file(dtype: str, make_bilm: MakeBiLM, tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_bilm().save_weights(tmp_path / name, dtype)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_float16_file_takes_less_than_half(make_bilm: MakeBiLM, tmp_path: Path) -> None:
    bilm = make_bilm(cell_dim=128, projection_dim=64)
    for dtype in ("float32", "float16"):
        bilm.save_weights(tmp_path / dtype, dtype)
    assert (tmp_path / "float16").stat().st_size < 0.5 * (tmp_path / "float32").stat().st_size


def test_weights_are_copied_not_shared(saved: tuple[BiLM, Path]) -> None:
    """Loading into a double-precision model, or one that trains, keeps its tensors."""
    bilm, path = saved
    other = BiLM(bilm.options).double()
    parameters = list(other.parameters())
    other.load_weights(path)
    for ours, kept, theirs in zip(other.parameters(), parameters, bilm.parameters(), strict=True):
        assert ours is kept
        assert ours.requires_grad
        assert torch.equal(ours, theirs.double())


def spoil(path: Path, name: str, values: np.ndarray | None) -> None:
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        if values is not None:
            file[name] = values


MISTAKES = {
    "missing": ("CNN/b_cnn_1", None, "the data set CNN/b_cnn_1 is missing; options and weights are of different"),
    "missing group": ("RNN_1", None, "the data set RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/W_0 is missing"),
    "a data set in place of a group": ("CNN_proj", np.zeros(3, np.float32), "the data set CNN_proj"),
    "shape": (
        f"{CELL}/W_P_0",
        np.zeros((11, 7), np.float32),
        f"{CELL}/W_P_0 has the shape (11, 7), expected (11, 6) by the options",
    ),
    "no shape": ("char_embed", np.float32(1.0), "char_embed has the shape (), expected (261, 4)"),
    "262 rows": ("char_embed", np.zeros((262, 4), np.float32), "char_embed has the shape (262, 4), expected (261, 4)"),
    "whole numbers": ("CNN_proj/b_proj", np.zeros(6, np.int32), "CNN_proj/b_proj holds int32, expected floating-point"),
    "text": ("CNN_proj/b_proj", np.array([b"x"] * 6), "CNN_proj/b_proj holds |S1, expected floating-point"),
    "NaN": ("CNN_proj/b_proj", np.full(6, np.nan, np.float32), "CNN_proj/b_proj holds numbers that are not finite"),
    "too large": ("CNN_proj/b_proj", np.full(6, 1e300), "CNN_proj/b_proj holds numbers that are not finite"),
    "one highway more": (
        "CNN_high_1/b_carry",
        np.zeros(14, np.float32),
        "the data set CNN_high_1/b_carry has no place",
    ),
    "one layer more": (
        CELL.replace("Cell1", "Cell2") + "/B",
        np.zeros(44, np.float32),
        "Cell2/LSTMCell/B has no place in a model of these options",
    ),
}


@pytest.mark.parametrize(("name", "values", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_data_sets_that_do_not_fit(name: str, values: np.ndarray | None, message: str, saved) -> None:
    bilm, path = saved
    spoil(path, name, values)
    before = [parameter.clone() for parameter in bilm.parameters()]
    with pytest.raises(InputError) as caught:
        bilm.load_weights(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    # Nothing half-loaded.
    assert all(torch.equal(ours, kept) for ours, kept in zip(bilm.parameters(), before, strict=True))


def test_data_sets_of_others_are_passed_over(saved: tuple[BiLM, Path]) -> None:
    bilm, path = saved
    spoil(path, "licence", np.array(b"CC0"))
    spoil(path, "softmax/W", np.zeros((3, 6), np.float32))
    bilm.load_weights(path)


def test_weights_of_another_size(saved, make_bilm: MakeBiLM) -> None:
    _, path = saved
    with pytest.raises(InputError, match=r"W_0 has the shape \(12, 44\), expected \(12, 48\).*different models"):
        make_bilm(cell_dim=12).load_weights(path)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_file_cut_short(share: float, saved: tuple[BiLM, Path]) -> None:
    bilm, path = saved
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match="not an HDF5 file|damaged or cut short") as caught:
        bilm.load_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_damaged_file_gives_a_sentence_or_numbers(dtype: str, make_bilm: MakeBiLM, tmp_path: Path) -> None:
    """A byte is overwritten here and there, in what describes the data sets too: never another exception."""
    bilm = make_bilm()
    path = tmp_path / "weights.hdf5"
    bilm.save_weights(path, dtype)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for place in [*random.integers(0, 4000, 40), *random.integers(0, len(whole), 20)]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            bilm.load_weights(path)
        except InputError:
            refused += 1
    assert refused > 4


def test_files_that_are_no_weights(make_bilm: MakeBiLM, tmp_path: Path) -> None:
    bilm = make_bilm()
    with pytest.raises(InputError, match=r"nothing.hdf5: the biLM's weight file cannot be read \(No such file"):
        bilm.load_weights(tmp_path / "nothing.hdf5")
    with pytest.raises(InputError, match="cannot be read"):
        bilm.load_weights(tmp_path)
    (tmp_path / "page.html").write_text("<html>404 not found</html>")
    with pytest.raises(InputError, match=r"page.html: not an HDF5 file"):
        bilm.load_weights(tmp_path / "page.html")


class TestSaving:
    def test_numbers_too_large_for_float16(self, saved: tuple[BiLM, Path]) -> None:
        bilm, path = saved
        before = path.read_bytes()
        with torch.no_grad():
            bilm.encoder.projection.weight[0, 0] = 1e6
        with pytest.raises(InputError, match="CNN_proj/W_proj would hold numbers that are not finite as float16"):
            bilm.save_weights(path, "float16")
        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]

    def test_a_type_that_is_none(self, saved: tuple[BiLM, Path]) -> None:
        with pytest.raises(InputError, match="dtype is 'bfloat16', expected 'float32' or 'float16'"):
            saved[0].save_weights(saved[1], "bfloat16")

    def test_a_folder_that_is_not_there(self, saved: tuple[BiLM, Path]) -> None:
        with pytest.raises(InputError, match=r"nowhere/weights.hdf5: the file cannot be written .*No such file"):
            saved[0].save_weights(saved[1].parent / "nowhere" / "weights.hdf5")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_scattered_weights_are_the_same_numbers_elsewhere(make_bilm: MakeBiLM, tmp_path: Path, dtype: str) -> None:
    bilm = make_bilm()
    bilm.save_weights(tmp_path / "weights.hdf5", dtype)
    files = {seed: tmp_path / f"{seed}.hdf5" for seed in (1, 2)}
    for seed, file in files.items():
        scatter_weights(tmp_path / "weights.hdf5", file, seed)
    again = tmp_path / "again.hdf5"
    scatter_weights(tmp_path / "weights.hdf5", again)
    assert again.read_bytes() == files[1].read_bytes() != files[2].read_bytes()
    with h5py.File(tmp_path / "weights.hdf5") as trained, h5py.File(again) as scattered:
        names: list[str] = []
        trained.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            before, after = trained[name][...], scattered[name][...]
            assert after.dtype == before.dtype
            np.testing.assert_array_equal(np.sort(after, axis=None), np.sort(before, axis=None), err_msg=name)
            assert not np.array_equal(after, before), name
    BiLM(bilm.options).load_weights(again)


def test_only_a_weight_file_can_be_scattered(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(InputError, match="text: the weights cannot be read"):
        scatter_weights(tmp_path / "text", tmp_path / "out.hdf5")
    assert not (tmp_path / "out.hdf5").exists()
