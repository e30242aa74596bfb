"""SNLI's reader: words, labels, what is taken once, what is left out, and what it says of it."""

import json
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from allennlp.data import Instance
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.snli import LABELS
from elmo_tasks.tasks.snli.reader import SNLIReader

WritePairs = Callable[..., Path]


@pytest.fixture
def folder(repository: Path) -> Path:
    return repository / "fixtures" / "snli"


@pytest.fixture
def write_pairs(tmp_path: Path) -> WritePairs:
    """A file of pairs, each given by what makes it differ from a good one."""

    def write(name: str, *pairs: dict[str, Any]) -> Path:
        good = {"gold_label": "neutral", "sentence1": "A dog runs.", "sentence2": "It is old."}
        path = tmp_path / name
        lines = (json.dumps({"pairID": f"{number}", **good, **pair}) for number, pair in enumerate(pairs))
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def words_of(instance: Instance, text: str) -> list[str]:
    return [token.text for token in instance[text]]


def message(caplog: pytest.LogCaptureFixture) -> str:
    (only,) = [record.getMessage() for record in caplog.records if record.name.endswith("snli.reader")]
    return only


def test_every_labelled_pair_becomes_an_instance(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.snli.reader"):
        instances = list(SNLIReader(words_from="parse").read(path))
    labelled = [row for row in rows if row["gold_label"] != "-"]
    assert (len(rows), len(labelled)) == (18, 17)
    for instance, row in zip(instances, labelled, strict=True):
        for text, number in (("premise", 1), ("hypothesis", 2)):
            words = [part for part in row[f"sentence{number}_binary_parse"].split(" ") if part not in "()"]
            assert words_of(instance, text) == words == instance["metadata"][text]
        assert LABELS[instance["label"].label] == row["gold_label"]
        assert instance["metadata"]["pair_id"] == row["pairID"]
    assert message(caplog) == (
        f"{path}: 18 pairs read, 17 instances; skipped: 1 without a label (first {path}:10: 'train-10'), "
        "0 that another file has too."
    )


def test_words_of_the_text_are_those_of_the_parse_in_its_own_spelling(folder: Path) -> None:
    spelling = {"-LRB-": "(", "-RRB-": ")"}
    for name in ("train", "dev"):
        readers = (SNLIReader().read(folder / f"{name}.jsonl"), SNLIReader("parse").read(folder / f"{name}.jsonl"))
        for plain, parsed in zip(*readers, strict=True):
            for text in ("premise", "hypothesis"):
                assert words_of(plain, text) == [spelling.get(word, word) for word in words_of(parsed, text)]


def test_texts_are_split_as_the_files_are() -> None:
    text = 'A "big" dog (brown) isn\'t here.'
    plain = ["A", '"', "big", '"', "dog", "(", "brown", ")", "is", "n't", "here", "."]
    assert SNLIReader().words_of_text(text) == plain
    escaped = {"(": "-LRB-", ")": "-RRB-"}
    quotes = iter(("``", "''"))
    assert SNLIReader("parse").words_of_text(text) == [
        next(quotes) if word == '"' else escaped.get(word, word) for word in plain
    ]


def test_a_pair_of_several_files_is_taken_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = [folder / f"{name}.jsonl" for name in ("train", "more")]
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.snli.reader"):
        instances = list(SNLIReader().read([str(path) for path in paths]))
    ids = [instance["metadata"]["pair_id"] for instance in instances]
    assert ids == [f"train-{number}" for number in range(1, 19) if number != 10] + ["more-1", "more-2"]
    assert message(caplog) == (
        f"{paths[0]}, {paths[1]}: 21 pairs read, 19 instances; skipped: 1 without a label (first {paths[0]}:10: "
        f"'train-10'), 1 that another file has too (first {paths[1]}:1: 'train-4')."
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sentence1": "A cat runs."}, "sentence1"),
        ({"sentence2": "It is new."}, "sentence2"),
        ({"gold_label": "-"}, "gold_label"),
        ({"gold_label": "entailment"}, "gold_label"),
    ],
)
def test_a_pair_that_another_file_has_otherwise(write_pairs: WritePairs, change: dict[str, str], field: str) -> None:
    one, other = write_pairs("one.jsonl", {}, {}), write_pairs("other.jsonl", {"pairID": "new"}, change)
    with pytest.raises(InputError) as raised:
        list(SNLIReader().read([one, other]))
    assert str(raised.value) == (
        f"{other}:2: the pairID '1' is that of {one}:2, but {field} is another; one of the two files is not SNLI's."
    )


def test_files_without_a_labelled_pair(write_pairs: WritePairs) -> None:
    path = write_pairs("none.jsonl", {"gold_label": "-"}, {"gold_label": "-"})
    with pytest.raises(InputError, match=r"none\.jsonl: no pair has a label, expected at least one with entailment, "):
        list(SNLIReader().read(path))


def test_pairs_whose_labels_are_not_read(write_pairs: WritePairs, caplog: pytest.LogCaptureFixture) -> None:
    path = write_pairs("test.jsonl", {"gold_label": "-"}, {"gold_label": "hidden"}, {"gold_label": None}, {})
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.snli.reader"):
        instances = list(SNLIReader(read_labels=False).read(path))
    assert [instance["metadata"]["pair_id"] for instance in instances] == ["0", "1", "2", "3"]
    assert all(set(instance.fields) == {"premise", "hypothesis", "metadata"} for instance in instances)
    assert message(caplog).startswith(f"{path}: 4 pairs read, 4 instances; skipped: 0 without a label, 0 that")


@pytest.mark.parametrize(
    ("parse", "found"), [({}, "is missing"), ({"sentence1_binary_parse": "( ( ) )"}, "has no word")]
)
def test_parses_that_are_not_there(write_pairs: WritePairs, parse: dict[str, str], found: str) -> None:
    path = write_pairs("pairs.jsonl", parse)
    with pytest.raises(InputError) as raised:
        list(SNLIReader(words_from="parse").read(path))
    assert str(raised.value) == (
        f"{path}:1: sentence1_binary_parse {found}, but dataset_reader.words_from is 'parse'; set it to 'text'."
    )


def test_a_source_of_words_that_there_is_not() -> None:
    with pytest.raises(InputError, match=r"dataset_reader\.words_from is 'tree', expected one of text, parse\."):
        SNLIReader(words_from="tree")


def test_pairs_without_a_file() -> None:
    reader = SNLIReader()
    unlabelled = reader.text_to_instance(["Dogs", "run"], ["Animals"])
    assert set(unlabelled.fields) == {"premise", "hypothesis", "metadata"}
    assert unlabelled["metadata"].metadata == {"premise": ["Dogs", "run"], "hypothesis": ["Animals"]}
    labelled = reader.text_to_instance(["Dogs"], ["Cats"], "contradiction", "x#1")
    assert (labelled["label"].label, labelled["metadata"]["pair_id"]) == (2, "x#1")
    with pytest.raises(InputError, match="a hypothesis without any token cannot be judged: give at least one word"):
        reader.text_to_instance(["Dogs"], [])
    with pytest.raises(InputError, match="label is '-', expected one of entailment, neutral, contradiction"):
        reader.text_to_instance(["Dogs"], ["Cats"], "-")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6), inserted=st.sampled_from(["", '"', "{", "}", ":", ",", "\n", "\\", "\x00", "-", "é"])
)
def test_a_damaged_file_gives_a_sentence_or_pairs(folder: Path, tmp_path: Path, seed: int, inserted: str) -> None:
    text = (folder / "train.jsonl").read_text(encoding="utf-8")
    dice = random.Random(seed)
    start = dice.randrange(len(text))
    damaged = text[:start] + inserted + text[start + dice.randrange(40) :]
    path = tmp_path / "damaged.jsonl"
    path.write_text(damaged, encoding="utf-8")
    for words_from in ("text", "parse"):
        sentence = ""
        try:
            instances = list(SNLIReader(words_from=words_from).read(path))
        except InputError as error:
            sentence = str(error)
        if sentence:
            assert sentence.startswith(str(path))
            assert "\n" not in sentence
        else:
            assert 1 <= len(instances) <= 18
            assert all(len(instance[name]) for instance in instances for name in ("premise", "hypothesis"))


@pytest.mark.real
def test_real_training_data(shared_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    pieces = ("sample5502", "first1000", "next1002.reduced")
    paths = [shared_folder / "data" / "snli" / f"snli_1.0_train.{piece}.jsonl.xz" for piece in pieces]
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.snli.reader"):
        instances = list(SNLIReader().read(paths))
    assert "7,504 pairs read" in message(caplog)
    assert "17 that another file has too" in message(caplog)
    assert len(instances) + int(message(caplog).split("skipped: ")[1].split(" ")[0]) == 7487
