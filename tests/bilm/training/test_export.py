"""Exported files read back, and exports from a checkpoint: the same model, and every mistake with its file."""

import json
import lzma
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import elmo_tasks.bridge  # noqa: F401
from elmo_tasks.bilm import BiLM
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.export import export_checkpoint, read_export
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.errors import InputError
from tests.bilm.test_against_stock import layers, stock, stock_layers
from tests.bilm.training.conftest import MODEL
from tests.bilm.training.test_trainer import EXPORTED, quiet

MakeConfig = Callable[..., TrainingConfig]


@pytest.fixture
def trainer(make_config: MakeConfig) -> Trainer:
    trainer = quiet(make_config())
    trainer.run()
    return trainer


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {name: ((folder / name).read_bytes(), (folder / name).stat().st_mtime_ns) for name in os.listdir(folder)}


@pytest.mark.skipif(find_spec("allennlp") is None, reason="needs AllenNLP, whose own biLM is compared with")
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_was_trained_loads_in_stock_allennlp(dtype: str, make_config: MakeConfig) -> None:
    # AllenNLP knows words of 50 characters alone.
    model = {**MODEL, "char_cnn": {**MODEL["char_cnn"], "max_characters_per_token": 50}}
    trainer = quiet(make_config(model=model, epochs=2, weights_dtype=dtype))
    trainer.run()
    sentences = [["a", "dog", "eats", "fish", "."], ["unheard-of"]]
    ours = layers(BiLM.from_files(trainer.folder / "options.json", trainer.folder / "weights.hdf5"), sentences)
    torch.testing.assert_close(ours, stock_layers(stock(trainer.folder), sentences), atol=1e-5, rtol=0)
    tolerance = {"float32": 1e-6, "float16": 5e-3}[dtype]
    torch.testing.assert_close(ours, layers(trainer.model.bilm.eval(), sentences), atol=tolerance, rtol=0)


class TestReadExport:
    def test_it_is_the_model_again(self, trainer: Trainer) -> None:
        model, vocabulary = read_export(trainer.folder)
        assert vocabulary.words == trainer.vocabulary.words
        expected, found = trainer.model.state_dict(), model.state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())
        assert not model.training

    def test_a_packed_vocabulary(self, trainer: Trainer) -> None:
        path = trainer.folder / "vocabulary.txt"
        (trainer.folder / "vocabulary.txt.xz").write_bytes(lzma.compress(path.read_bytes()))
        path.unlink()
        assert read_export(trainer.folder)[1].words == trainer.vocabulary.words

    @pytest.mark.parametrize("name", EXPORTED)
    def test_a_file_that_is_missing(self, name: str, trainer: Trainer) -> None:
        (trainer.folder / name).unlink()
        with pytest.raises(InputError, match=rf"/out/{name}: .*([Nn]o such file)") as caught:
            read_export(trainer.folder)
        assert "\n" not in str(caught.value)

    def test_a_vocabulary_without_its_markers(self, trainer: Trainer) -> None:
        path = trainer.folder / "vocabulary.txt"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
        with pytest.raises(InputError, match=r"vocabulary.txt:1: found '</S>', expected <S>"):
            read_export(trainer.folder)

    def test_a_softmax_of_another_size_than_the_vocabulary(self, trainer: Trainer) -> None:
        with (trainer.folder / "vocabulary.txt").open("a") as file:
            file.write("more\n")
        with pytest.raises(InputError, match=r"softmax.hdf5: the softmax is over 18 words, but vocabulary.txt has 19"):
            read_export(trainer.folder)

    @pytest.mark.parametrize(
        ("replacement", "message"),
        [
            (None, r"not a softmax of this trainer, or damaged \(.*\); export it again"),
            ({}, r"not a softmax of this trainer, or damaged \(.*\); export it again"),
            (3.0, r"W and b have the shapes \(\) and \(18,\), expected \(words, 8\) and \(words,\)"),
            (np.zeros((18, 9)), r"W and b have the shapes \(18, 9\) and \(18,\), expected \(words, 8\) and \(words,\)"),
            (np.zeros((17, 8)), r"W and b have the shapes \(17, 8\) and \(18,\), expected"),
            (np.full((18, 8), np.nan), r"holds numbers that are not finite"),
        ],
        ids=["missing", "a group", "a number", "another size", "fewer words", "not finite"],
    )
    def test_a_softmax_that_is_another(self, replacement: object, message: str, trainer: Trainer) -> None:
        with h5py.File(trainer.folder / "softmax.hdf5", "a") as file:
            del file["W"]
            if isinstance(replacement, dict):
                file.create_group("W")
            elif replacement is not None:
                file.create_dataset("W", data=replacement)
        with pytest.raises(InputError, match=rf"softmax.hdf5: {message}"):
            read_export(trainer.folder)

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
    def test_a_softmax_that_is_cut_short(self, share: float, trainer: Trainer) -> None:
        path = trainer.folder / "softmax.hdf5"
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(InputError, match=r"softmax.hdf5: not a softmax of this trainer, or damaged \("):
            read_export(trainer.folder)


class TestExportCheckpoint:
    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    def test_it_is_what_the_trainer_exports(
        self, dtype: str, make_config: MakeConfig, corpus: Path, tmp_path: Path
    ) -> None:
        trainer = quiet(make_config(weights_dtype=dtype))
        trainer.run()
        for shard in corpus.glob("*.txt"):
            shard.unlink()
        before, there = contents(trainer.folder), tmp_path / "deep" / "there"
        assert export_checkpoint(trainer.folder, there, dtype) == trainer.batches_done
        assert sorted(os.listdir(there)) == EXPORTED
        for name in EXPORTED:
            assert (there / name).read_bytes() == before[name][0], name
        assert contents(trainer.folder) == before
        assert json.loads((there / "options.json").read_text())["char_cnn"]["n_characters"] == 262

    def test_while_the_training_runs(self, make_config: MakeConfig, tmp_path: Path) -> None:
        """Between two batches the last checkpoint is exported; the training draws the same numbers afterwards."""
        plain = quiet(make_config(output="plain"))
        plain.run()
        trainer = quiet(make_config(checkpoint_minutes=0))
        step = trainer.step
        weights = []

        def exporting() -> torch.Tensor:
            if trainer.batches_done == 7:
                state = torch.get_rng_state()
                assert export_checkpoint(trainer.folder, tmp_path / "there") == 7
                torch.set_rng_state(state)  # in the user's hands it is another process
                weights.append(trainer.model.softmax.weight.weight.detach().clone())
            return step()

        trainer.step = exporting  # type: ignore[method-assign]
        trainer.run()
        assert torch.equal(read_export(tmp_path / "there")[0].softmax.weight.weight, weights[0])
        assert torch.equal(trainer.model.softmax.weight.weight, plain.model.softmax.weight.weight)

    def test_a_folder_without_a_checkpoint(self, tmp_path: Path) -> None:
        for folder in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(
                InputError, match=r"checkpoint.pt: no such file; expected the output folder of a biLM's"
            ):
                export_checkpoint(folder, tmp_path / "there")
        assert not (tmp_path / "there").exists()

    def test_a_checkpoint_and_another_vocabulary(self, trainer: Trainer, tmp_path: Path) -> None:
        vocabulary = trainer.folder / "vocabulary.txt"
        vocabulary.write_text(vocabulary.read_text() + "more\n")
        with pytest.raises(InputError, match=r"checkpoint.pt: the softmax is over 18 words, but vocabulary.txt has 19"):
            export_checkpoint(trainer.folder, tmp_path / "there")
        vocabulary.unlink()
        with pytest.raises(InputError, match=r"vocabulary.txt: no such file"):
            export_checkpoint(trainer.folder, tmp_path / "there")

    def test_an_output_that_cannot_be_written(self, trainer: Trainer, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        for output, reason in [("file", "File exists"), ("file/there", "Not a directory")]:
            with pytest.raises(
                InputError, match=rf"{output}: the output folder cannot be made \({reason}\); name anot"
            ):
                export_checkpoint(trainer.folder, tmp_path / output)
        with pytest.raises(InputError, match=r"out: is the training's own folder; name another one to export to"):
            export_checkpoint(trainer.folder, trainer.folder)
