"""Tokens without a model; tags only with one."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import spacy
from allennlp.common import util
from allennlp.data.tokenizers import SpacyTokenizer
from allennlp.data.tokenizers.sentence_splitter import SpacySentenceSplitter

from elmo_tasks.errors import InputError

ABSENT = "en_no_such_model"


@pytest.fixture(autouse=True)
def _no_models_and_no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def no_network(model: str) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(util, "spacy_download", no_network)
    before = dict(util.LOADED_SPACY_MODELS)
    util.LOADED_SPACY_MODELS.clear()
    yield
    util.LOADED_SPACY_MODELS.clear()
    util.LOADED_SPACY_MODELS.update(before)


def test_words_alone_need_no_model(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tokenizer = SpacyTokenizer(ABSENT, pos_tags=False)
    assert [token.text for token in tokenizer.tokenize("They don't pay $5.50, do they?")] == [
        "They", "do", "n't", "pay", "$", "5.50", ",", "do", "they", "?",
    ]  # fmt: skip
    assert caplog.text.count(ABSENT) == 1
    SpacyTokenizer(ABSENT, pos_tags=False)
    assert caplog.text.count(ABSENT) == 1, "said once"


def test_sentences_by_rule_need_no_model() -> None:
    splitter = SpacySentenceSplitter(ABSENT, rule_based=True)
    assert splitter.split_sentences("It rains. They stay!") == ["It rains.", "They stay!"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: SpacyTokenizer(ABSENT),
        lambda: SpacyTokenizer(ABSENT, pos_tags=False, ner=True),
        lambda: SpacySentenceSplitter(ABSENT),
    ],
    ids=["tags", "names", "parsed sentences"],
)
def test_what_needs_a_model_says_which(make) -> None:
    with pytest.raises(InputError, match=f"python -m spacy download {ABSENT}"):
        make()


def test_an_unknown_language_is_a_sentence_too() -> None:
    with pytest.raises(InputError, match="qq_model"):
        SpacyTokenizer("qq_model", pos_tags=False)


def test_an_installed_model_is_used(tmp_path: Path) -> None:
    model = spacy.blank("en")
    model.add_pipe("sentencizer")
    model.to_disk(tmp_path / "model")
    assert util.get_spacy_model(str(tmp_path / "model"), pos_tags=False).pipe_names == ["sentencizer"]


def test_a_download_that_works_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(tmp_path)

    def download(model: str) -> None:
        (tmp_path / f"{model}.py").write_text("def load(disable):\n    return ('loaded', disable)\n", encoding="utf-8")

    monkeypatch.setattr(util, "spacy_download", download)
    assert util.get_spacy_model("en_downloaded_for_this_test", pos_tags=True)[0] == "loaded"
