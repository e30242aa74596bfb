"""Result files: what is written is read, and a file is never half of one."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.results import (
    Mix,
    Result,
    TestItems,
    pack_bits,
    pack_numbers,
    read_result,
    unpack_bits,
    unpack_numbers,
    write_result,
    write_text,
)

RESULT = Result(
    suite="sample",
    task="sst5",
    arm="elmo",
    seed=2,
    profile="sample",
    status="done",
    key="0123456789abcdef",
    config_file="experiments/sst5/elmo.jsonnet",
    overrides={"trainer.num_epochs": 6},
    budget="few epochs",
    profile_changes={"sizes": {"encoder": {"hidden_size": 48}}},
    command=["allennlp train", "allennlp evaluate"],
    code="fedcba9876543210",
    versions={"torch": "2.13.0"},
    machine={"cores": 2},
    files={"data/test.txt": {"bytes": 4, "sha256": "00"}},
    date="2026-01-02T03:04:05+00:00",
    seconds=61.5,
    attempts=1,
    metric="accuracy",
    dev={"accuracy": 0.625, "loss": 1.0},
    test={"accuracy": 0.75, "loss": 1.0},
    epochs=5,
    epoch_limit=6,
    best_epoch=3,
    mixes={"elmo_at_output": Mix((0.25, 0.5, 0.25), 1.25)},
    items=TestItems(
        4, pack_bits([True, False, True, True]), groups={"ambiguous": pack_bits([False, False, True, False])}
    ),
)


def same(one: Result | None, other: Result) -> bool:
    """Whether two results are equal, lists counting as tuples: JSON has lists alone."""
    return one is not None and json.dumps(dataclasses.asdict(one)) == json.dumps(dataclasses.asdict(other))


def test_what_is_written_is_read(tmp_path: Path):
    path = tmp_path / "folder" / "result.json"
    write_result(path, RESULT)
    assert same(read_result(path), RESULT)
    assert read_result(tmp_path / "none.json") is None


def test_scores_are_percent():
    assert (RESULT.test_score, RESULT.dev_score) == (75.0, 62.5)


def test_the_best_epoch_tells_whether_training_was_over():
    assert not RESULT.still_improving
    assert dataclasses.replace(RESULT, best_epoch=5).still_improving


@given(st.lists(st.booleans()))
def test_bits_come_back(bits: list[bool]):
    digits = pack_bits(bits)
    assert len(digits) == 2 * ((len(bits) + 7) // 8)
    assert unpack_bits(digits, len(bits)).tolist() == bits


def test_bits_are_written_highest_first():
    assert pack_bits(np.array([1, 0, 0, 0, 0, 0, 0, 1, 1])) == "8180"


@pytest.mark.parametrize(("digits", "count"), [("8180", 8), ("81", 9), ("8", 4), ("xy", 8)])
def test_bits_that_do_not_fit_are_refused(digits: str, count: int):
    with pytest.raises(ValueError, match=r"bytes hold no|non-hexadecimal"):
        unpack_bits(digits, count)


@given(st.lists(st.integers(0, 65_535)))
def test_counts_come_back(counts: list[int]):
    assert unpack_numbers(pack_numbers(counts), len(counts)).tolist() == counts


@given(st.lists(st.floats(allow_nan=False)))
def test_other_numbers_come_back_to_the_last_bit(numbers: list[float]):
    assert unpack_numbers(pack_numbers(numbers), len(numbers)).tolist() == numbers


@pytest.mark.parametrize(
    ("digits", "message"), [("00ff", "no compressed numbers"), (pack_numbers([1, 2]), "4 bytes hold no 3 numbers")]
)
def test_counts_that_do_not_fit_are_refused(digits: str, message: str):
    with pytest.raises(ValueError, match=message):
        unpack_numbers(digits, 3)


@pytest.mark.parametrize(
    "scores",
    [[[1, 0, 1], [1, 1, 1]], [[2, 0, 4], [3, 0, 4]], [[0, 0, 0], [0, 2, 1]], [[0.1 + 0.2, 1, 0], [1, 1, 1]]],
    ids=["accuracy", "f1", "nothing right", "mean of scores"],
)
def test_items_give_back_what_each_gained(scores: list[list[int]]):
    group = np.array([True, False, True])
    items = TestItems.of(np.array(scores), {"ambiguous": group})
    assert items.scores().tolist() == scores
    assert items.members("ambiguous").tolist() == group.tolist()
    assert bool(items.correct) == (scores == [[1, 0, 1], [1, 1, 1]])


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("format", 99, "expected a result file of format 1, found 99"),
        ("status", "perhaps", "status is 'perhaps', expected 'done' or 'failed'"),
        ("colour", "red", "unknown entry 'colour'"),
        ("metric", "f1", "the metric 'f1' is not among its test metrics"),
        ("items", {"count": 99, "correct": "00"}, "1 bytes hold no 99 bits"),
        ("items", {"count": 2, "gained": pack_numbers([1]), "possible": ""}, "2 bytes hold no 2 numbers"),
        ("mixes", {"input": {"gamma": 1}}, "'weights'"),
    ],
)
def test_a_file_that_is_no_result_is_told(tmp_path: Path, entry: str, value: object, message: str):
    path = tmp_path / "result.json"
    write_result(path, RESULT)
    path.write_text(json.dumps({**json.loads(path.read_text()), entry: value}))
    with pytest.raises(InputError, match=f"result {re.escape(str(path))}: {re.escape(message)}; remove it"):
        read_result(path)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '{"format": 1}', "\x00"])
def test_a_damaged_file_is_told(tmp_path: Path, content: str):
    path = tmp_path / "result.json"
    path.write_text(content)
    with pytest.raises(InputError, match=f"result {re.escape(str(path))}.*remove it to have its run done again"):
        read_result(path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def fail(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]
