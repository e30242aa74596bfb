"""Whole training runs on a toy language: what is learned, what is exported, what a continued run gives."""

import gzip
import json
import math
import mmap
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from elmo_tasks.bilm import BiLM, BiLMOptions
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.progress import resident_memory
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.errors import InputError

MakeConfig = Callable[..., TrainingConfig]
EXPORTED = ["options.json", "softmax.hdf5", "vocabulary.txt", "weights.hdf5"]
FILES = sorted([*EXPORTED, "checkpoint.pt", "log.jsonl", "training.lock"])


def quiet(config: TrainingConfig) -> Trainer:
    return Trainer(config, say=lambda line: None)


def cut_short(config: TrainingConfig, saved: int, done: int) -> None:
    """A run that ends after `done` batches as if killed; its checkpoint is of `saved` ones, for 0 there is none."""
    trainer = quiet(replace(config, checkpoint_minutes=0))
    save, step = trainer.save, trainer.step

    def step_or_end() -> torch.Tensor:
        if trainer.batches_done == done:
            raise KeyboardInterrupt
        return step()

    trainer.save = lambda: save() if trainer.batches_done == saved else None  # type: ignore[method-assign]
    trainer.step = step_or_end  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.run()


def everything(trainer: Trainer) -> dict[str, torch.Tensor]:
    """All tensors that decide how a run goes on."""
    found = {f"model.{name}": value for name, value in trainer.model.state_dict().items()}
    for number, kept in trainer.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{number}.{name}": value for name, value in kept.items()}
    return {**found, "hidden": trainer.state.hidden, "cell": trainer.state.cell, "random": torch.get_rng_state()}


def unigram_perplexity(folder: Path) -> float:
    """Of words and sentence ends by their counts in the training text, the best that knows no context."""
    words = [word for shard in ("train-0.txt", "train-1.txt") for line in (folder / shard).read_text().splitlines()
             for word in [*line.split(), "</S>"]]  # fmt: skip
    counts = Counter(words)
    heldout = [word for line in (folder / "heldout.txt").read_text().splitlines() for word in [*line.split(), "</S>"]]
    return math.exp(-sum(math.log(counts[word] / len(words)) for word in heldout) / len(heldout))


@pytest.mark.parametrize("negative_samples", [6, 0], ids=["sampled", "full"])
def test_it_learns_what_the_next_word_hangs_on(negative_samples: int, make_config: MakeConfig, corpus: Path) -> None:
    config = make_config(
        epochs=8, negative_samples=negative_samples, heldout={"toy": "heldout.txt"}, state_reset_probability=0.2
    )
    measured = quiet(config).run()
    assert set(measured) == {"toy/reset", "toy/carry"}
    unigram = unigram_perplexity(corpus)
    for result in measured.values():
        assert max(result.forward, result.backward) < 0.4 * unigram, f"no better than {unigram:.2f} without context"


class TestContinuing:
    def config(self, make_config: MakeConfig, output: str, epochs: float) -> TrainingConfig:
        # Everything random is in use: dropout, sampling, rows begun anew, shuffling over several passes.
        return make_config(output=output, epochs=epochs, state_reset_probability=0.1)

    @pytest.mark.parametrize("share", [0.1, 1.0, 1.7])
    def test_a_continued_run_is_bit_for_bit_the_same(self, share: float, make_config: MakeConfig) -> None:
        whole = quiet(self.config(make_config, "whole", 2.5))
        whole.run()
        first = quiet(self.config(make_config, "parts", share))
        first.run()
        assert 0 < first.batches_done < whole.batches_done
        second = quiet(self.config(make_config, "parts", 2.5))
        torch.rand(17)  # what else the process does with the random numbers
        second.run()
        expected, found = everything(whole), everything(second)
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            assert torch.equal(found[name], value), name
        for name in EXPORTED:
            assert (second.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
        assert next(second.batcher).targets.tolist() == next(whole.batcher).targets.tolist()

    def test_a_checkpoint_that_is_older_than_a_key_had_its_default(self, make_config: MakeConfig) -> None:
        young = ("gradient_accumulation", "cooldown_epochs", "precision", "tensorboard", "shuffle_words")
        whole = quiet(self.config(make_config, "whole", 1.0))
        whole.run()
        quiet(self.config(make_config, "parts", 0.5)).run()
        checkpoint = whole.folder.parent / "parts" / "checkpoint.pt"
        content = torch.load(checkpoint, weights_only=True)
        for key in young:
            del content["config"][key]
        torch.save(content, checkpoint)
        second = quiet(self.config(make_config, "parts", 1.0))
        second.run()
        assert torch.equal(second.model.softmax.weight.weight, whole.model.softmax.weight.weight)
        torch.save(content, checkpoint)
        for key, value in [("gradient_accumulation", 2), ("shuffle_words", True)]:
            with pytest.raises(InputError, match=rf"a run with another configuration \({key}\)"):
                quiet(replace(second.config, **{key: value}))

    def test_in_parts_and_with_shuffled_words_too(self, make_config: MakeConfig) -> None:
        keys = {"gradient_accumulation": 2, "shuffle_words": True}
        whole = quiet(replace(self.config(make_config, "whole", 2.5), **keys))
        whole.run()
        quiet(replace(self.config(make_config, "parts", 0.7), **keys)).run()
        second = quiet(replace(self.config(make_config, "parts", 2.5), **keys))
        second.run()
        expected, found = everything(whole), everything(second)
        assert all(torch.equal(found[name], value) for name, value in expected.items())
        plain = quiet(self.config(make_config, "plain", 2.5))
        plain.run()
        assert not torch.equal(plain.model.softmax.weight.weight, whole.model.softmax.weight.weight)

    def test_it_is_not_the_same_from_another_seed(self, make_config: MakeConfig) -> None:
        one = quiet(make_config(output="one", epochs=0.2))
        two = quiet(make_config(output="two", epochs=0.2, seed=2))
        one.run()
        two.run()
        assert not torch.equal(one.model.softmax.weight.weight, two.model.softmax.weight.weight)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_after_the_batch_and_the_run_can_go_on(self, number: int, make_config: MakeConfig) -> None:
        lines: list[str] = []
        config = self.config(make_config, "parts", 1.0)
        trainer = Trainer(replace(config, log_every=1), say=lines.append)
        step = trainer.step

        def signalled() -> torch.Tensor:
            if trainer.batches_done == 4:
                os.kill(os.getpid(), number)
            return step()

        trainer.step = signalled  # type: ignore[method-assign]
        before = signal.getsignal(number)
        assert trainer.run() == {}
        assert signal.getsignal(number) == before
        assert trainer.stopped
        assert trainer.batches_done == 5
        assert lines[-1] == "stopped after 5 batches; the same command goes on from here"
        whole, again = quiet(self.config(make_config, "whole", 1.0)), quiet(config)
        whole.run()
        again.run()
        assert torch.equal(whole.model.softmax.weight.weight, again.model.softmax.weight.weight)

    def test_a_finished_run_is_exported_again_and_not_trained_further(self, make_config: MakeConfig) -> None:
        first = quiet(make_config())
        first.run()
        (first.folder / "weights.hdf5").unlink()
        again = quiet(make_config())
        again.run()
        assert again.batches_done == first.batches_done
        assert (first.folder / "weights.hdf5").exists()

    def test_measuring_on_the_way_changes_nothing(self, make_config: MakeConfig) -> None:
        plain = quiet(make_config(output="plain"))
        measured = quiet(make_config(output="measured", heldout={"a": "heldout.txt"}, evaluate_every=3, log_every=2))
        plain.run()
        measured.run()
        expected, found = everything(plain), everything(measured)
        assert all(torch.equal(found[name], value) for name, value in expected.items())
        log = [json.loads(line) for line in (measured.folder / "log.jsonl").read_text().splitlines()]
        assert [entry["batch"] for entry in log if "loss" in entry] == list(range(2, 17, 2))
        # On the way with carried states, at the end with both.
        policies = [(entry["batch"], entry["state_policy"]) for entry in log if "forward" in entry]
        assert policies == [(batch, "carry") for batch in range(3, 16, 3)] + [(16, "reset"), (16, "carry")]


class TestExport:
    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    def test_the_files_are_the_model(self, dtype: str, make_config: MakeConfig) -> None:
        trainer = quiet(make_config(weights_dtype=dtype))
        trainer.run()
        folder = trainer.folder
        content = json.loads((folder / "options.json").read_text())
        assert content["char_cnn"]["n_characters"] == 262
        assert BiLMOptions.from_dict(content) == trainer.config.options
        loaded = BiLM.from_files(folder / "options.json", folder / "weights.hdf5")
        sentences = [["a", "dog", "eats"], ["unheard-of"]]
        tolerance = {"float32": 0.0, "float16": 2e-3}[dtype]
        for ours, theirs in zip(loaded.embed(sentences), trainer.model.bilm.embed(sentences), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0)
        with h5py.File(folder / "softmax.hdf5") as file:
            weight, bias = trainer.model.softmax.weight.weight, trainer.model.softmax.bias.weight
            assert file["W"].dtype == file["b"].dtype == np.dtype(dtype)
            np.testing.assert_array_equal(file["W"][...], weight.detach().numpy().astype(dtype))
            np.testing.assert_array_equal(file["b"][...], bias.detach().squeeze(1).numpy().astype(dtype))
        assert (folder / "vocabulary.txt").read_text().split() == trainer.vocabulary.words
        assert sorted(os.listdir(folder)) == FILES

    def test_a_given_vocabulary_and_its_first_words(self, make_config: MakeConfig, corpus: Path) -> None:
        (corpus / "v.txt").write_text("<S>\n</S>\n<UNK>\n.\na\nfish\ndogs\n")
        trainer = quiet(make_config(vocabulary="v.txt", vocabulary_size=6, negative_samples=2))
        trainer.run()
        assert (trainer.folder / "vocabulary.txt").read_text() == "<S>\n</S>\n<UNK>\n.\na\nfish\n"
        with h5py.File(trainer.folder / "softmax.hdf5") as file:
            assert file["W"].shape == (6, 8)


class TestReadingTheCorpus:
    @pytest.mark.parametrize("vocabulary", [None, "v.txt"], ids=["counted", "given"])
    def test_it_is_read_once(
        self, vocabulary: str | None, make_config: MakeConfig, corpus: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (corpus / "v.txt").write_text("<S>\n</S>\n<UNK>\n.\na\nfish\ndogs\n")
        read: list[str] = []
        monkeypatch.setattr(
            "elmo_tasks.bilm.training.corpus.read_sentences",
            lambda shard: read.append(shard.name) or (line.split() for line in shard.read_text().splitlines()),
        )
        lines: list[str] = []
        trainer = Trainer(make_config(vocabulary=vocabulary, negative_samples=2), say=lines.append)
        assert read == ["train-0.txt", "train-1.txt"]
        assert lines == ["counting 2 shards" + (" and their words" if vocabulary is None else "")]
        text = (corpus / "train-0.txt").read_text() + (corpus / "train-1.txt").read_text()
        assert (trainer.num_sentences, trainer.num_tokens) == (120, len(text.split()))

    def test_a_large_shard_is_named(
        self, make_config: MakeConfig, corpus: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (corpus / "train-1.txt").open("a") as file:
            file.write("a cat eats fish .\n" * 40)
        size = (corpus / "train-1.txt").stat().st_size
        monkeypatch.setattr("elmo_tasks.bilm.training.corpus._LARGE", size - 1)
        packed = gzip.compress((corpus / "train-0.txt").read_bytes())
        (corpus / "train-2.txt.gz").write_bytes(packed)
        monkeypatch.setattr("elmo_tasks.bilm.training.corpus._LARGE_PACKED", len(packed) - 1)
        lines: list[str] = []
        Trainer(make_config(corpus=["train-*.txt", "train-2.txt.gz"]), say=lines.append)
        named = [line.partition(": each direction holds a shard in memory; cut this one, ")[0] for line in lines[:-1]]
        assert named == [str(corpus / "train-1.txt"), str(corpus / "train-2.txt.gz")]


class TestMistakes:
    def test_a_checkpoint_of_another_run(self, make_config: MakeConfig, corpus: Path) -> None:
        quiet(make_config()).run()
        with pytest.raises(InputError, match=r"out: holds the checkpoint of a run with another configuration \(seed\)"):
            quiet(make_config(seed=5))
        (corpus / "train-2.txt").write_text("one more\n")
        with pytest.raises(InputError, match="checkpoint of a run with another corpus, 2 shards, now 3; name another"):
            quiet(make_config())

    def test_a_checkpoint_without_its_vocabulary(self, make_config: MakeConfig) -> None:
        quiet(make_config()).run()
        Path(make_config().output, "vocabulary.txt").unlink()
        with pytest.raises(InputError, match=r"has a checkpoint but not its vocabulary.txt; put it back, or name"):
            quiet(make_config())

    def test_a_damaged_checkpoint(self, make_config: MakeConfig) -> None:
        quiet(make_config()).run()
        checkpoint = Path(make_config().output, "checkpoint.pt")
        checkpoint.write_bytes(checkpoint.read_bytes()[:2000])
        with pytest.raises(InputError, match=r"checkpoint.pt: the checkpoint is damaged"):
            quiet(make_config())

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("train-1.txt", b"\n\n", r"train-1.txt: no sentence in this shard"),
            ("train-1.txt", b"fine\ncaf\xe9\n", r"train-1.txt:2: the line is not UTF-8"),
            ("heldout.txt", b"", r"heldout.txt: no sentence in this shard"),
            ("v.txt", b"the\ncat\n", r"v.txt:1: found 'the', expected <S>"),
        ],
    )
    def test_texts_are_looked_at_before_the_training(
        self, name: str, content: bytes, message: str, make_config: MakeConfig, corpus: Path
    ) -> None:
        (corpus / "v.txt").write_text("<S>\n</S>\n<UNK>\nfish\n")
        (corpus / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            quiet(make_config(vocabulary="v.txt", heldout={"a": "heldout.txt"}))

    def test_files_that_are_not_there(self, make_config: MakeConfig) -> None:
        with pytest.raises(InputError, match=r"nothing-\*: no such file; expected the shards of the corpus"):
            quiet(make_config(corpus="nothing-*"))
        with pytest.raises(InputError, match=r"v.txt: no such file"):
            quiet(make_config(vocabulary="v.txt"))
        with pytest.raises(InputError, match=r"later.txt: no such file"):
            quiet(make_config(heldout={"a": "later.txt"}))

    def test_an_output_that_cannot_be_written(self, make_config: MakeConfig, corpus: Path) -> None:
        with pytest.raises(InputError, match=r"heldout.txt: the output folder cannot be made \(File exists\)"):
            quiet(make_config(output="heldout.txt"))
        with pytest.raises(InputError, match=r"heldout.txt/out: the output folder cannot be made \(Not a directory\)"):
            quiet(make_config(output="heldout.txt/out"))
        (corpus / "taken" / "vocabulary.txt").mkdir(parents=True)
        with pytest.raises(InputError, match=r"vocabulary.txt: the file cannot be written \(Is a directory\)"):
            quiet(make_config(output="taken"))

    def test_a_folder_that_takes_no_files(self, make_config: MakeConfig) -> None:
        if not Path("/proc/self").exists():
            pytest.skip("there is no folder here that even an administrator cannot write to")
        with pytest.raises(InputError, match=r"/proc: nothing can be written in this folder \(.*\); name another one"):
            quiet(make_config(output="/proc"))

    def test_a_log_that_cannot_be_written(self, make_config: MakeConfig, corpus: Path) -> None:
        (corpus / "out" / "log.jsonl").mkdir(parents=True)
        with pytest.raises(InputError, match=r"log.jsonl: the file cannot be read \(Is a directory\)"):
            quiet(make_config()).run()

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
    def test_a_gpu_that_is_not_there(self, make_config: MakeConfig) -> None:
        with pytest.raises(InputError, match="device is 'cuda', but torch finds no GPU here; take 'cpu' or leave it"):
            quiet(make_config(device="cuda"))

    def test_a_device_that_is_none(self, make_config: MakeConfig) -> None:
        with pytest.raises(InputError, match="device is 'gpu', expected 'cpu', 'cuda' or 'cuda:NUMBER'"):
            quiet(replace(make_config(), device="gpu"))

    def test_a_loss_that_is_no_number(self, make_config: MakeConfig) -> None:
        trainer = quiet(make_config(epochs=2, log_every=4))
        quiet(make_config(epochs=0.2)).run()
        kept = (trainer.folder / "checkpoint.pt").read_bytes()
        with torch.no_grad():
            trainer.model.softmax.bias.weight[3] = math.nan
        with pytest.raises(InputError, match="the loss is no longer a finite number at batch 4; lower learning_rate"):
            trainer.run()
        assert (trainer.folder / "checkpoint.pt").read_bytes() == kept


def test_windows_line_ends_make_the_same_model(make_config: MakeConfig, corpus: Path) -> None:
    plain = quiet(make_config(output="plain"))
    plain.run()
    for shard in corpus.glob("train-*.txt"):
        shard.write_bytes(shard.read_bytes().replace(b"\n", b"\r\n"))
    windows = quiet(make_config(output="windows"))
    windows.run()
    for name in EXPORTED:
        assert (windows.folder / name).read_bytes() == (plain.folder / name).read_bytes(), name


def test_lines_and_log_say_the_memory(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    trainer = Trainer(make_config(log_every=8), say=lines.append)
    monkeypatch.setattr("elmo_tasks.bilm.training.trainer.resident_memory", iter([0.64, None]).__next__)
    trainer.run()
    progress = [line for line in lines if line.startswith("batch ")]
    assert progress[0].endswith(" min left, 0.6 GB")
    assert progress[1].endswith(" min left")
    entries = [json.loads(line) for line in (trainer.folder / "log.jsonl").read_text().splitlines()]
    assert [entry.get("memory_gb") for entry in entries] == [0.64, None]
    assert [entry["learning_rate"] for entry in entries] == [0.2, 0.2]


def test_the_memory_is_that_of_this_process() -> None:
    before = resident_memory()
    if before is None:
        pytest.skip("this system does not say")
    size = 50_000_000
    with mmap.mmap(-1, size) as pages:  # of the system: an allocator may have that much to give without asking for more
        for page in range(0, size, mmap.PAGESIZE):
            pages[page] = 1
        assert 0.04 < resident_memory() - before < 0.2


def test_no_warning_is_left_to_the_user(make_config: MakeConfig, recwarn: pytest.WarningsRecorder) -> None:
    quiet(make_config()).run()
    assert [str(warning.message) for warning in recwarn] == []
