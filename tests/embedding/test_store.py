"""When the embedder reads its layers from a store, and that they are the same."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.data import Instance, Token, Vocabulary
from allennlp.data.data_loaders import SimpleDataLoader
from allennlp.data.fields import ListField, TextField

from elmo_tasks.bilm import batch_to_ids
from elmo_tasks.bilm.store import LayerStore
from elmo_tasks.embedding.embedder import BiLMEmbedder
from elmo_tasks.embedding.indexer import BiLMCharacterIndexer
from elmo_tasks.embedding.precompute import fill_stores
from elmo_tasks.embedding.store_settings import StoreSettings
from elmo_tasks.errors import InputError

from .conftest import OPTIONS, SENTENCES, BiLMFiles


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ELMO_TASKS_STORE", str(tmp_path / "stores"))
    return tmp_path / "stores"


def embedder(files: BiLMFiles, **options: Any) -> BiLMEmbedder:
    return BiLMEmbedder(OPTIONS, weights_file=files.weights_file, **{"dropout": 0.0, **options})


def count_runs(found: BiLMEmbedder) -> list[int]:
    """Grows by the number of texts each time the biLM runs."""
    ran: list[int] = []
    found.bilm.register_forward_hook(lambda module, inputs, output: ran.append(inputs[0].size(0)))
    return ran


def filled(files: BiLMFiles, **options: Any) -> BiLMEmbedder:
    found = embedder(files, **options)
    found.fill_store(lambda: SENTENCES)
    return found


class TestTheDefault:
    def test_a_frozen_bilm_runs_once_for_each_text(self, bilm_files: BiLMFiles, stores: Path) -> None:
        ids = batch_to_ids(SENTENCES)
        expected = embedder(bilm_files)(ids)
        stored = filled(bilm_files)
        ran = count_runs(stored)
        torch.testing.assert_close(stored(ids), expected, rtol=2**-10, atol=2**-10)
        recalled, direct = stored.recall(ids), embedder(bilm_files).recall(ids)
        torch.testing.assert_close(recalled.layers, direct.layers, rtol=2**-10, atol=2**-10)
        assert torch.equal(recalled.mask, direct.mask)
        assert ran == []
        again = filled(bilm_files)
        assert count_runs(again) == []
        assert torch.equal(again(ids), stored(ids))
        assert [path.name for path in stores.iterdir() if path.is_dir()] == [stored._store.folder.name]

    def test_a_batch_does_not_count_the_store(self, bilm_files: BiLMFiles, stores: Path, monkeypatch) -> None:
        stored = filled(bilm_files)
        monkeypatch.setattr(LayerStore, "__len__", lambda self: pytest.fail("the store was counted"))
        stored(batch_to_ids(SENTENCES))

    @pytest.mark.parametrize("axes", [(4,), (2, 2)], ids=["texts", "lists of texts"])
    def test_more_axes_and_layer_norm(self, bilm_files: BiLMFiles, stores: Path, axes: tuple[int, ...]) -> None:
        ids = batch_to_ids(SENTENCES).unflatten(0, axes)
        expected = embedder(bilm_files, do_layer_norm=True)(ids)
        torch.testing.assert_close(filled(bilm_files, do_layer_norm=True)(ids), expected, rtol=0, atol=5e-3)

    def test_the_mix_learns(self, bilm_files: BiLMFiles, stores: Path) -> None:
        stored = filled(bilm_files)
        stored(batch_to_ids(SENTENCES)).square().sum().backward()
        assert stored.mix.weights.grad.abs().sum() > 0

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"requires_grad": True}, "the biLM learns with the task (requires_grad), so its layers change."),
            ({"state_policy": "carry"}, "state_policy is 'carry'; only with 'reset' can vectors be stored"),
        ],
    )
    def test_what_cannot_be_stored_is_computed(
        self, bilm_files: BiLMFiles, stores: Path, options: dict[str, Any], reason: str, caplog
    ) -> None:
        with caplog.at_level(logging.INFO):
            found = filled(bilm_files, **options)
        assert f"ELMo's layers are computed anew for every batch: {reason}" in caplog.text
        ran = count_runs(found)
        found(batch_to_ids(SENTENCES))
        assert ran == [4]
        assert not stores.exists()

    def test_what_does_not_fit_is_computed(self, bilm_files: BiLMFiles, stores: Path, caplog) -> None:
        found = embedder(bilm_files)
        found._store_settings = StoreSettings(None, stores, max_bytes=100)
        with caplog.at_level(logging.INFO):
            found.fill_store(lambda: SENTENCES)
        assert "ELMo's layers are computed anew for every batch: 0.00 MB are needed" in caplog.text
        ran = count_runs(found)
        found(batch_to_ids(SENTENCES))
        assert ran == [4]

    def test_a_folder_that_cannot_be_written(self, bilm_files: BiLMFiles, tmp_path: Path, monkeypatch, caplog) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("ELMO_TASKS_STORE", str(tmp_path / "file"))
        with caplog.at_level(logging.INFO):
            found = filled(bilm_files)
        assert "the store of ELMo's layers cannot be written" in caplog.text
        found(batch_to_ids(SENTENCES))

    def test_switched_off_for_everything(self, bilm_files: BiLMFiles, monkeypatch) -> None:
        monkeypatch.setenv("ELMO_TASKS_STORE", "off")
        found = embedder(bilm_files)
        found.fill_store(lambda: pytest.fail("the texts were asked for"))
        assert found._store is None

    def test_without_lmdb(self, bilm_files: BiLMFiles, stores: Path, monkeypatch, caplog) -> None:
        monkeypatch.setattr("elmo_tasks.extras.find_spec", lambda package: None)
        with caplog.at_level(logging.INFO):
            filled(bilm_files)
        assert "lmdb is not installed" in caplog.text
        with pytest.raises(InputError, match=r"can be none: lmdb is not installed.*pip install 'elmo-tasks\[store\]'"):
            filled(bilm_files, store=True)


class TestNeverStale:
    @pytest.mark.parametrize("change", ["in place", "another file", "from now on it learns"])
    def test_a_bilm_that_changes(self, bilm_files: BiLMFiles, stores: Path, change: str) -> None:
        found = filled(bilm_files)
        ids = batch_to_ids(SENTENCES)
        before = found(ids)
        if change == "in place":
            with torch.no_grad():
                found.bilm.lstm.layers[0].bias.add_(0.5)
        elif change == "another file":
            other = embedder(bilm_files)
            with torch.no_grad():
                other.bilm.lstm.layers[1].bias.add_(0.5)
            found.load_state_dict(other.state_dict())
        else:
            found.bilm.requires_grad_(True)
        ran = count_runs(found)
        after = found(ids.clone())
        assert ran == [4]
        assert torch.equal(before, after) is False

    def test_the_same_numbers_loaded_again_are_the_same_bilm(self, bilm_files: BiLMFiles, stores: Path) -> None:
        found = filled(bilm_files)
        found.load_state_dict(embedder(bilm_files).state_dict())
        ran = count_runs(found)
        found(batch_to_ids(SENTENCES))
        assert ran == []

    def test_the_text_mapping_is_part_of_the_text(self, bilm_files: BiLMFiles, stores: Path) -> None:
        found = embedder(bilm_files)
        quotes = [Token("``"), Token("yes"), Token("''")]
        for mapped in (False, True):
            indexer = BiLMCharacterIndexer(map_treebank_tokens=mapped)
            found.fill_store(lambda indexer=indexer: [indexer.words(quotes)])
        assert len(found._store) == 3, "both, and the empty text"


def test_every_text_of_the_loaders_is_stored(bilm_files: BiLMFiles, stores: Path) -> None:
    indexers = {"elmo": BiLMCharacterIndexer(), "elmo mapped": BiLMCharacterIndexer(map_treebank_tokens=True)}

    def text(words: list[str]) -> TextField:
        return TextField([Token(word) for word in words], indexers)

    train = [
        Instance({"text": text(words), "parts": ListField([text(["one", "("]), text(["-LRB-"])])})
        for words in SENTENCES
    ]
    loaders = [
        SimpleDataLoader(train, 2, vocab=Vocabulary()),
        None,
        SimpleDataLoader([Instance({"text": text(["dev"])})], 2),
    ]
    model = torch.nn.ModuleDict({"first": embedder(bilm_files), "second": torch.nn.Sequential(embedder(bilm_files))})
    fill_stores(model, loaders)
    stored = {*map(tuple, SENTENCES), ("one", "("), ("-LRB-",), ("(",), ("dev",), ()}
    first = model["first"]._store
    assert len(first) == len(stored)
    assert first.estimate([list(words) for words in stored]).num_new == 0
    assert isinstance(model["second"][0]._store, LayerStore)


class TestSettings:
    def test_where_it_is(self, monkeypatch, tmp_path: Path) -> None:
        monkeypatch.delenv("ELMO_TASKS_STORE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert StoreSettings.from_config(None) == StoreSettings(None, tmp_path / "elmo_tasks" / "layers")
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert StoreSettings.from_config(True).root == tmp_path / ".cache" / "elmo_tasks" / "layers"
        monkeypatch.setenv("ELMO_TASKS_STORE", "off")
        assert StoreSettings.from_config(True) == StoreSettings(True, tmp_path / ".cache" / "elmo_tasks" / "layers")

    def test_an_object(self) -> None:
        settings = StoreSettings.from_config({"folder": "here", "dtype": "float32", "max_gigabytes": 0.5})
        assert settings == StoreSettings(True, Path("here"), "float32", 5e8)

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            ({"foldr": "x"}, "unknown key store.foldr; did you mean 'folder'?"),
            ({"size": 1}, "unknown key store.size; expected folder, dtype, max_gigabytes."),
            ({"dtype": "int8"}, "store.dtype is 'int8', expected 'float16' or 'float32'."),
            ({"max_gigabytes": "3"}, "store.max_gigabytes is '3', expected a number of at least 0."),
            ({"max_gigabytes": True}, "store.max_gigabytes is True, expected a number"),
            ({"folder": 3}, "store.folder is 3, expected the name of a folder."),
        ],
    )
    def test_mistakes(self, value: dict[str, Any], sentence: str) -> None:
        with pytest.raises(InputError) as error:
            StoreSettings.from_config(value)
        assert sentence in str(error.value)
