"""The store of a biLM's layers against the biLM itself, in one process and in several, whole and killed."""

import copy
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from elmo_tasks.bilm import BiLM, batch_to_ids
from elmo_tasks.bilm.store import LayerStore, StoreFullError
from elmo_tasks.errors import InputError
from tests.bilm.conftest import MakeBiLM

SENTENCES = [
    ["The", "cat", "sat", "on", "the", "mat", "."],
    ["Hello"],
    ["Ünïcödé", "𝔘", "x" * 70, "and", "the", "rest"],
    [],
    ["the", "cat", "the", "cat"],
    ["Hello"],
]


def quiet(store: LayerStore, sentences: list[list[str]]):
    return store.fill(sentences, say=lambda sentence: None)


def direct(bilm: BiLM, sentences: list[list[str]]):
    with torch.no_grad():
        return bilm(batch_to_ids(sentences, bilm.options.max_characters_per_token), keep_sentence_boundaries=True)


def many_sentences(number: int) -> list[list[str]]:
    return [[f"word{(row * place) % 997}" for place in range(1, 3 + row % 9)] for row in range(number)]


@pytest.mark.parametrize(("dtype", "relative"), [("float16", 2**-11), ("float32", 2e-6)])
def test_it_gives_the_layers_of_the_bilm(make_bilm: MakeBiLM, tmp_path: Path, dtype: str, relative: float) -> None:
    bilm = make_bilm(gain=1.0)
    store = LayerStore(bilm, tmp_path, dtype)
    estimate = quiet(store, SENTENCES)
    assert (estimate.num_texts, estimate.num_new, estimate.num_positions) == (5, 5, 18 + 2 * 5)
    expected = direct(bilm, SENTENCES)
    bilm.forward = None  # whatever comes now comes from the store
    found = store.layers(batch_to_ids(SENTENCES, bilm.options.max_characters_per_token))
    assert found.layers.dtype == torch.float32
    torch.testing.assert_close(found.mask, expected.mask)
    torch.testing.assert_close(found.layers, expected.layers, rtol=relative, atol=relative)
    assert not found.layers[:, ~found.mask].any()


def test_without_projection_and_with_one_layer(make_bilm: MakeBiLM, tmp_path: Path) -> None:
    bilm = make_bilm(gain=1.0, cell_dim=6, projection_dim=6, num_lstm_layers=1)
    store = LayerStore(bilm, tmp_path, "float32")
    quiet(store, SENTENCES[:3])
    found = store.layers(batch_to_ids(SENTENCES[:3], bilm.options.max_characters_per_token))
    torch.testing.assert_close(found.layers, direct(bilm, SENTENCES[:3]).layers, rtol=2e-6, atol=2e-6)


def test_what_it_does_not_have_is_run_in_place_and_rounded_alike(make_bilm: MakeBiLM, tmp_path: Path) -> None:
    bilm = make_bilm(gain=1.0)
    store = LayerStore(bilm, tmp_path)
    ids = batch_to_ids(SENTENCES, bilm.options.max_characters_per_token)
    before = store.layers(ids).layers  # no store at all yet
    quiet(store, SENTENCES[:2])
    torch.testing.assert_close(store.layers(ids).layers, before, rtol=2**-10, atol=1e-6)
    assert len(store) == 3, "two texts, and the empty one"
    assert torch.equal(before, before.half().float())


def test_a_text_is_run_once(make_bilm: MakeBiLM, tmp_path: Path, monkeypatch) -> None:
    bilm = make_bilm(gain=1.0)
    quiet(LayerStore(bilm, tmp_path), SENTENCES[:3])
    ran = []
    forward = bilm.forward
    monkeypatch.setattr(bilm, "forward", lambda ids, **options: ran.append(len(ids)) or forward(ids, **options))
    again = LayerStore(bilm, tmp_path)
    assert quiet(again, SENTENCES[:3]).num_new == 0
    assert ran == []
    assert quiet(again, SENTENCES).num_new == 1
    assert ran == [1]


def test_texts_are_batched_by_length_and_shown(make_bilm: MakeBiLM, tmp_path: Path) -> None:
    sizes = []
    bilm = make_bilm(gain=1.0)
    forward = bilm.forward
    bilm.forward = lambda ids, **options: sizes.append(ids.shape[:2]) or forward(ids, **options)
    seen = []
    store = LayerStore(bilm, tmp_path)
    store.fill(many_sentences(2500), lambda batches: (seen.append(batch) or batch for batch in batches), print)
    assert len(sizes) == len(seen) > 1
    assert sum(len(batch) for batch in seen) == len(store)
    longest = [tokens for _, tokens in sizes]
    assert longest == sorted(longest, reverse=True)
    assert all(rows * tokens <= 4096 for rows, tokens in sizes)


class TestWhoseVectors:
    def test_another_bilm_has_another_store(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        one, other = make_bilm(gain=1.0, seed=1), make_bilm(gain=1.0, seed=2)
        quiet(LayerStore(one, tmp_path), SENTENCES)
        store = LayerStore(other, tmp_path)
        assert store.estimate(SENTENCES).num_new == 5
        ids = batch_to_ids(SENTENCES, other.options.max_characters_per_token)
        torch.testing.assert_close(store.layers(ids).layers, direct(other, SENTENCES).layers, rtol=1e-3, atol=1e-3)

    def test_one_number_changed_is_another_bilm(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        bilm = make_bilm(gain=1.0)
        before = LayerStore(bilm, tmp_path).folder
        with torch.no_grad():
            bilm.lstm.layers[1].bias[0, 0] += 1e-6
        assert LayerStore(bilm, tmp_path).folder != before

    def test_the_same_numbers_with_other_bounds_are_another_bilm(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        folders = {LayerStore(make_bilm(cell_clip=clip), tmp_path).folder for clip in (3.0, 2.0)}
        assert len(folders) == 2

    def test_each_number_type_has_its_own(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        assert (
            LayerStore(make_bilm(gain=1.0), tmp_path).folder
            != LayerStore(make_bilm(gain=1.0), tmp_path, "float32").folder
        )

    def test_a_file_of_the_same_weights_has_the_same(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        bilm = make_bilm(gain=1.0)
        bilm.save_weights(tmp_path / "weights.hdf5")
        loaded = make_bilm(gain=1.0, seed=9)
        loaded.load_weights(tmp_path / "weights.hdf5")
        assert LayerStore(loaded, tmp_path).folder == LayerStore(bilm, tmp_path).folder

    def test_texts_that_differ_in_one_letter(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        bilm = make_bilm(gain=1.0)
        store = LayerStore(bilm, tmp_path, "float32")
        quiet(store, [["a", "cat"]])
        for text in (["a", "cab"], ["ac", "at"], ["a"], ["cat", "a"]):
            assert store.estimate([text]).num_new == 1, text


class TestRoom:
    def test_the_cap_is_for_all_stores_together(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        texts = many_sentences(400)
        small = LayerStore(make_bilm(gain=1.0), tmp_path, max_bytes=1000)
        with pytest.raises(StoreFullError, match=r"MB are needed, 0.00 MB are taken in .*, and at most 0.00 MB may be"):
            quiet(small, texts)
        assert len(small) == 0
        quiet(LayerStore(make_bilm(gain=1.0), tmp_path), texts)
        taken = sum(file.stat().st_size for file in tmp_path.glob("*/data.mdb"))
        with pytest.raises(StoreFullError):
            quiet(LayerStore(make_bilm(gain=1.0, seed=2), tmp_path, max_bytes=taken + 1000), texts)

    def test_the_cap_holds_while_two_are_filled_at_once(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        texts = many_sentences(3000)
        bilms = [make_bilm(projection_dim=128, seed=seed) for seed in (1, 2)]
        cap = 1.3 * LayerStore(bilms[0], tmp_path).estimate(texts).num_bytes
        first, second = (LayerStore(bilm, tmp_path, max_bytes=cap) for bilm in bilms)

        def interrupted(batches: list[list[int]]) -> Iterator[list[int]]:
            for number, batch in enumerate(batches):
                if number == 1:  # there is room for each of them, and this one has begun
                    quiet(second, texts)
                yield batch

        with pytest.raises(StoreFullError, match=r"MB are needed, .* are taken in .*, and at most .* may be"):
            first.fill(texts, interrupted, lambda sentence: None)
        assert 0 < len(first) < len(second) == second.estimate(texts).num_texts
        taken = sum(file.stat().st_size for file in tmp_path.glob("*/data.mdb"))
        assert taken == pytest.approx(cap, rel=0.05)  # what a batch takes is an estimate
        check(first, bilms[0], texts)

    def test_a_store_that_has_reached_its_own_bound(self, make_bilm: MakeBiLM, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr("elmo_tasks.bilm.store._MAP_BYTES", 2**18)
        store = LayerStore(make_bilm(gain=1.0), tmp_path)
        with pytest.raises(StoreFullError, match=r"holds 0.26 MB, the most that one store can$"):
            quiet(store, many_sentences(3000))
        check(store, store.bilm, many_sentences(10))

    def test_the_estimate_holds(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        # Of a usual width: a page of LMDB holds four kilobytes, and half of the last one of a text is empty.
        bilm = make_bilm(projection_dim=128)
        store = LayerStore(bilm, tmp_path)
        texts = many_sentences(1500)
        estimate = store.estimate(texts)
        quiet(store, texts)
        assert (store.folder / "data.mdb").stat().st_size == pytest.approx(estimate.num_bytes, rel=0.3)

    def test_a_full_disk_is_seen_before(self, make_bilm: MakeBiLM, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr("shutil.disk_usage", lambda folder: _Usage(free=100))
        store = LayerStore(make_bilm(gain=1.0), tmp_path)
        with pytest.raises(StoreFullError, match="are needed, 0.00 MB are free at"):
            quiet(store, SENTENCES)
        assert len(store) == 0

    def test_a_disk_that_fills_while_it_is_written(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        make_bilm(gain=1.0).save_weights(tmp_path / "weights.hdf5")
        done = start(tmp_path, LIMITED, wait=True)
        assert "StoreFullError: the disk is full, or its quota used up" in done, done
        bilm = make_bilm(gain=1.0)
        store = LayerStore(bilm, tmp_path / "stores")
        texts = many_sentences(3000)
        assert 0 < len(store) < store.estimate(texts).num_texts
        quiet(store, texts)
        check(store, bilm, texts)


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


class TestWhatCannotBe:
    def test_carried_states(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="state_policy is 'carry'; only with 'reset' can vectors be stored"):
            LayerStore(make_bilm(state_policy="carry"), tmp_path)

    def test_another_type(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="dtype is 'int8', expected 'float16' or 'float32'"):
            LayerStore(make_bilm(gain=1.0), tmp_path, "int8")

    def test_a_file_in_the_folder_s_place(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        (tmp_path / "stores").write_text("")
        with pytest.raises(InputError, match="stores.*: the store of ELMo's layers cannot be written"):
            quiet(LayerStore(make_bilm(gain=1.0), tmp_path / "stores"), SENTENCES)

    def test_something_else_in_the_database_s_place(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        store = LayerStore(make_bilm(gain=1.0), tmp_path)
        store.folder.mkdir()
        (store.folder / "data.mdb").write_bytes(b"no database" * 1000)
        with pytest.raises(InputError, match="the store of ELMo's layers cannot be opened"):
            quiet(store, SENTENCES)

    def test_numbers_beyond_float16(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        bilm = make_bilm(gain=1.0)
        with torch.no_grad():
            bilm.encoder.projection.weight.mul_(1e7)
        with pytest.raises(InputError, match="numbers too large for float16; store float32"):
            quiet(LayerStore(bilm, tmp_path), SENTENCES)


class _Rows(torch.utils.data.Dataset):
    """Layers read in a worker process."""

    def __init__(self, store: LayerStore, sentences: list[list[str]]) -> None:
        self.store, self.sentences = store, sentences

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, number: int) -> torch.Tensor:
        ids = batch_to_ids([self.sentences[number]], self.store.bilm.options.max_characters_per_token)
        return self.store.layers(ids).layers


class TestManyProcesses:
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_workers_of_a_data_loader(self, make_bilm: MakeBiLM, tmp_path: Path, method: str) -> None:
        bilm = make_bilm(gain=1.0)
        store = LayerStore(bilm, tmp_path)
        quiet(store, SENTENCES)  # the database is open here when the workers come
        sentences = SENTENCES * 5
        loader = DataLoader(_Rows(store, sentences), batch_size=None, num_workers=2, multiprocessing_context=method)
        for sentence, layers in zip(sentences, loader, strict=True):
            torch.testing.assert_close(layers, direct(bilm, [sentence]).layers, rtol=1e-3, atol=1e-3)
        check(store, bilm, SENTENCES)

    def test_two_fill_one_empty_store(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        bilm = make_bilm(gain=1.0)
        bilm.save_weights(tmp_path / "weights.hdf5")
        first = start(tmp_path, HELD)
        said_first = until(first, "batch 1")
        second = start(tmp_path, FILL)
        said_second = until(second, "another process fills")
        said = [said_first + first.communicate("go on\n", timeout=120)[0]]
        said.append(said_second + second.communicate(timeout=120)[0])
        assert [first.returncode, second.returncode] == [0, 0], said
        computed = [int(line.split()[1]) for text in said for line in text.splitlines() if line.startswith("ran")]
        texts = many_sentences(3000)
        store = LayerStore(bilm, tmp_path / "stores")
        assert sum(computed) == len(store) == store.estimate(texts).num_texts, said
        check(store, bilm, texts)

    def test_killed_while_it_is_filled(self, make_bilm: MakeBiLM, tmp_path: Path) -> None:
        bilm = make_bilm(gain=1.0)
        bilm.save_weights(tmp_path / "weights.hdf5")
        texts = many_sentences(3000)
        store = LayerStore(bilm, tmp_path / "stores")
        found = []
        for batches in (1, 2, 1):
            process = start(tmp_path, FILL)
            until(process, f"batch {batches}")
            process.send_signal(signal.SIGKILL)
            process.wait()
            found.append(len(store))
        assert 0 < found[0] < found[1] < found[2] < store.estimate(texts).num_texts, found
        check(store, bilm, texts)
        quiet(store, texts)
        assert len(store) == store.estimate(texts).num_texts
        check(store, bilm, texts)


def check(store: LayerStore, bilm: BiLM, texts: list[list[str]]) -> None:
    """All that is stored is right; what is not is run anew."""
    found = store.layers(batch_to_ids(texts, bilm.options.max_characters_per_token)).layers
    torch.testing.assert_close(found, direct(bilm, texts).layers, rtol=1e-3, atol=1e-3)


FILL = """
def shown(batches):
    for number, batch in enumerate(batches):
        print("batch", number, flush=True)
        yield batch
print("ran", store.fill(texts, shown).num_new)
"""

# The same; after its first batch it waits for a word.
HELD = FILL.replace("yield batch", "if number == 1: sys.stdin.readline()\n        yield batch")

# A file may grow to half of what is needed: what a quota does.
LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
half = store.estimate(texts).num_bytes // 2
resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))
store.fill(texts)
"""

_PROGRAM = """
import sys
from dataclasses import replace
import torch
from elmo_tasks.bilm import BiLM
from elmo_tasks.bilm.store import LayerStore
from tests.bilm.conftest import TINY
from tests.bilm.test_store import many_sentences
bilm = BiLM(TINY)
bilm.load_weights(sys.argv[1] + "/weights.hdf5")
store = LayerStore(bilm.eval(), sys.argv[1] + "/stores")
texts = many_sentences(3000)
"""


def start(folder: Path, program: str, wait: bool = False):
    """A process that fills the store of the biLM in the folder; with `wait`, all that it said."""
    root = Path(__file__).parent.parent.parent
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM + program, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=root,
        env={**os.environ, "ELMO_TASKS_NO_HOOK": "1"},
    )
    return process.communicate(timeout=120)[0] if wait else process


def until(process: "subprocess.Popen[str]", beginning: str) -> str:
    """What the process says up to a line that begins so."""
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith(beginning):
            return said
    pytest.fail(f"never said {beginning!r}: {said}")


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda store: pickle.loads(pickle.dumps(store))], ids=["deep", "pickled"]
)
def test_a_copy_reads_the_same(make_bilm: MakeBiLM, tmp_path: Path, copied: Callable[[LayerStore], LayerStore]) -> None:
    store = LayerStore(make_bilm(gain=1.0), tmp_path)
    quiet(store, SENTENCES)
    ids = batch_to_ids(SENTENCES, store.bilm.options.max_characters_per_token)
    np.testing.assert_array_equal(copied(store).layers(ids).layers, store.layers(ids).layers)
