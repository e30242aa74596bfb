"""A training that begins with an exported biLM: what it begins with, what it learns, how it is continued, mistakes."""

import lzma
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from elmo_tasks.bilm import BiLM
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.export import read_export
from elmo_tasks.bilm.training.perplexity import perplexity
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.errors import InputError
from tests.bilm.training.conftest import MODEL, toy_sentence
from tests.bilm.training.test_trainer import everything, quiet

MakeConfig = Callable[..., TrainingConfig]

# The toy language turned round: who ate fish drinks it.
OTHER_HABITS = {
    "eat": "drink",
    "eats": "drinks",
    "drink": "chase",
    "drinks": "chases",
    "chase": "eat",
    "chases": "eats",
}


@pytest.fixture
def general(make_config: MakeConfig) -> Path:
    """The export of a biLM of the toy language."""
    trainer = quiet(make_config(output="general", epochs=8, negative_samples=0, state_reset_probability=0.2))
    trainer.run()
    return trainer.folder


@pytest.fixture
def fine_tuning(corpus: Path, general: Path, make_config: MakeConfig) -> Callable[..., TrainingConfig]:
    """A configuration that goes on from it with a text in which verbs have other objects."""
    choose = random.Random(5)
    for name, count in (("domain.txt", 60), ("domain-heldout.txt", 30)):
        lines = [" ".join(OTHER_HABITS.get(word, word) for word in toy_sentence(choose).split()) for _ in range(count)]
        (corpus / name).write_text("".join(f"{line}\n" for line in lines))

    def make(**changes: Any) -> TrainingConfig:
        keys = {"start_from": "general", "model": ..., "corpus": "domain.txt", "output": "tuned", "negative_samples": 0}
        return make_config(**{**keys, **changes})

    return make


def test_it_begins_with_the_exported_numbers(fine_tuning, general: Path) -> None:
    trainer = quiet(fine_tuning(epochs=0))
    trainer.run()
    for name in ("options.json", "weights.hdf5", "softmax.hdf5", "vocabulary.txt"):
        assert (trainer.folder / name).read_bytes() == (general / name).read_bytes(), name


def test_training_on_other_text_brings_its_perplexity_down(fine_tuning, corpus: Path, general: Path) -> None:
    before = perplexity(*read_export(general), corpus / "domain-heldout.txt", "reset").mean
    trainer = quiet(fine_tuning(epochs=4, heldout={"domain": "domain-heldout.txt"}, state_reset_probability=0.2))
    after = trainer.run()["domain/reset"].mean
    # as long a training on this text alone
    alone = quiet(fine_tuning(start_from=None, model=MODEL, output="alone", epochs=4, heldout=trainer.config.heldout))
    assert after < 0.95 * before
    learned_alone = alone.run()["domain/reset"].mean
    assert after < 0.9 * learned_alone


def test_a_continued_run_is_the_same_and_needs_the_options_alone(fine_tuning, general: Path) -> None:
    whole = quiet(fine_tuning(epochs=2, output="whole"))
    whole.run()
    quiet(fine_tuning(epochs=0.5, output="parts")).run()
    for name in ("weights.hdf5", "softmax.hdf5", "vocabulary.txt"):
        (general / name).unlink()
    parts = quiet(fine_tuning(epochs=2, output="parts"))
    assert parts.continues
    parts.run()
    expected, found = everything(whole), everything(parts)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_checkpoint_of_another_start_is_refused(fine_tuning, general: Path) -> None:
    quiet(fine_tuning(epochs=0.5)).run()
    shutil.copytree(general, general.with_name("another"))
    with pytest.raises(InputError, match=r"another configuration \(start_from\)"):
        quiet(fine_tuning(epochs=0.5, start_from="another"))


def test_float16_and_a_packed_vocabulary(fine_tuning, general: Path) -> None:
    options, weights = general / "options.json", general / "weights.hdf5"
    BiLM.from_files(options, weights).save_weights(weights, "float16")
    expected = BiLM.from_files(options, weights).state_dict()
    text = (general / "vocabulary.txt").read_bytes()
    (general / "vocabulary.txt").unlink()
    (general / "vocabulary.txt.xz").write_bytes(lzma.compress(text))
    trainer = quiet(fine_tuning(epochs=0))
    trainer.run()
    assert (trainer.folder / "vocabulary.txt").read_bytes() == text
    assert all(torch.equal(trainer.model.bilm.state_dict()[name], value) for name, value in expected.items())


def test_without_its_softmax_the_words_may_be_others(fine_tuning, general: Path) -> None:
    expected = BiLM.from_files(general / "options.json", general / "weights.hdf5").state_dict()
    (general / "softmax.hdf5").unlink()
    (general / "vocabulary.txt").unlink()
    lines: list[str] = []
    trainer = Trainer(fine_tuning(epochs=0, vocabulary_size=8), say=lines.append)
    trainer.run()
    assert len(trainer.vocabulary) == 8
    assert any(line.endswith("general, the softmax at random") for line in lines)
    assert all(torch.equal(trainer.model.bilm.state_dict()[name], value) for name, value in expected.items())


class TestFromACheckpoint:
    @pytest.fixture
    def checkpoint(self, general: Path) -> dict[str, Any]:
        """What is in it; of the exported files only the vocabulary is left."""
        for name in ("options.json", "weights.hdf5", "softmax.hdf5"):
            (general / name).unlink()
        return torch.load(general / "checkpoint.pt", weights_only=True)

    def test_it_begins_with_weights_and_adagrad_s_sums(self, checkpoint: dict[str, Any], fine_tuning) -> None:
        lines: list[str] = []
        trainer = Trainer(fine_tuning(start_from="general/checkpoint.pt"), say=lines.append)
        assert lines[0].startswith("begins with the biLM and the softmax and Adagrad's sums in ")
        sums = trainer.optimizer.state_dict()["state"]
        assert all(torch.equal(value, checkpoint["model"][name]) for name, value in trainer.model.state_dict().items())
        assert sums.keys() == checkpoint["optimizer"]["state"].keys()
        for number, kept in checkpoint["optimizer"]["state"].items():
            assert float(kept["sum"].max()) > 1.0, "nothing was added to it"
            assert torch.equal(sums[number]["sum"], kept["sum"])
        assert trainer.batches_done == 0
        assert not trainer.state.hidden.any()

    def test_the_learning_rate_is_that_of_the_configuration(self, checkpoint: dict[str, Any], fine_tuning) -> None:
        trainer = quiet(fine_tuning(start_from="general/checkpoint.pt", learning_rate=0.0))
        trainer.run()
        assert trainer.batches_done > 0
        assert all(torch.equal(value, checkpoint["model"][name]) for name, value in trainer.model.state_dict().items())

    def test_continued(self, checkpoint: dict[str, Any], fine_tuning, general: Path) -> None:
        whole = quiet(fine_tuning(start_from="general/checkpoint.pt", epochs=1, output="whole"))
        whole.run()
        quiet(fine_tuning(start_from="general/checkpoint.pt", epochs=0.5)).run()
        again = quiet(fine_tuning(start_from="general/checkpoint.pt", epochs=1))
        again.run()
        assert all(torch.equal(everything(again)[name], value) for name, value in everything(whole).items())
        shutil.copytree(general, general.with_name("another"))
        with pytest.raises(InputError, match=r"another configuration \(start_from\)"):
            quiet(fine_tuning(start_from="another/checkpoint.pt", epochs=1))

    def test_it_does_not_write_over_it(self, checkpoint: dict[str, Any], fine_tuning) -> None:
        with pytest.raises(InputError, match="general: holds the checkpoint of a run with another configuration"):
            quiet(fine_tuning(start_from="general/checkpoint.pt", output="general"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": MODEL}, r"config.json: model is that of the biLM in start_from \(.*general\); leave it out"),
        ({"vocabulary": "general/vocabulary.txt"}, "vocabulary is that of the biLM in start_from"),
        ({"vocabulary_size": 8}, "vocabulary_size is that of the biLM in start_from"),
        ({"start_from": 3}, "start_from is 3, expected the folder of an exported biLM"),
        (
            {"start_from": "nowhere"},
            r"nowhere, expected the folder of an exported biLM \(.*; the folder has no options",
        ),
        ({"start_from": "nowhere/checkpoint.pt"}, r"nowhere/checkpoint.pt, and there is no such file"),
        ({"start_from": "general/checkpoint.pt", "vocabulary_size": 8}, "vocabulary_size is that of the biLM in start"),
        ({"start_from": None}, "the key 'model' is missing"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str, fine_tuning) -> None:
    with pytest.raises(InputError, match=message):
        fine_tuning(**changes)


def test_weights_that_are_missing_are_named_before_the_corpus_is_read(fine_tuning, general: Path) -> None:
    (general / "weights.hdf5").unlink()
    lines: list[str] = []
    with pytest.raises(InputError, match=r"general/weights.hdf5"):
        Trainer(fine_tuning(), say=lines.append)
    assert lines == []
    assert not (general.parent / "tuned" / "vocabulary.txt").exists()


def test_it_does_not_write_over_what_it_starts_from(fine_tuning, general: Path) -> None:
    (general / "checkpoint.pt").unlink()
    before = (general / "weights.hdf5").read_bytes()
    with pytest.raises(InputError, match="general: output is the folder of start_from"):
        quiet(fine_tuning(output="general"))
    assert (general / "weights.hdf5").read_bytes() == before
