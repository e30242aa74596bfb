"""SST-5's reader: which nodes become instances, under which class, and what is said of the others."""

import logging
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from allennlp.data import Instance

from elmo_tasks.errors import InputError
from elmo_tasks.tasks.sst5.classes import CLASS_NAMES, class_of_label
from elmo_tasks.tasks.sst5.reader import SST5Reader


@pytest.fixture
def train_file(repository: Path) -> Path:
    return repository / "fixtures" / "sst5" / "train.txt"


def independent_nodes(path: Path) -> list[tuple[int, str, tuple[str, ...], bool]]:
    """(line, label, words, is root) of all nodes, by counting brackets and not by parsing."""
    nodes = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1], start=1):
        for match in re.finditer(r"\((\d) ", line):
            depth, end = 0, match.start()
            while True:
                depth += {"(": 1, ")": -1}.get(line[end], 0)
                end += 1
                if depth == 0:
                    break
            words = tuple(re.findall(r" ([^() ]+)\)", line[match.start() : end]))
            nodes.append((number, match[1], words, match.start() == 0))
    return nodes


def shown(instance: Instance) -> tuple[int, tuple[str, ...]]:
    assert [token.text for token in instance["tokens"]] == instance["metadata"]["tokens"]
    return instance["label"].label, tuple(instance["metadata"]["tokens"])


def read(path: Path, **options) -> list[tuple[int, tuple[str, ...]]]:
    return [shown(instance) for instance in SST5Reader(**options).read(path)]


def test_evaluation_reads_the_roots_alone_however_short(train_file: Path) -> None:
    expected = [(int(label), words) for _, label, words, is_root in independent_nodes(train_file) if is_root]
    assert read(train_file) == expected
    assert min(len(words) for _, words in expected) == 2


@pytest.mark.parametrize("minimum", [1, 3, 4])
def test_training_reads_every_node_with_enough_tokens(train_file: Path, minimum: int) -> None:
    expected = [(int(label), words) for _, label, words, _ in independent_nodes(train_file) if len(words) >= minimum]
    assert read(train_file, phrases=True, min_phrase_tokens=minimum) == expected


def test_four_tokens_are_the_default_and_hold_for_roots_too(train_file: Path) -> None:
    lengths = {len(words) for _, words in read(train_file, phrases=True)}
    assert min(lengths) == 4
    assert ("Superb", "!") not in [words for _, words in read(train_file, phrases=True)]


def test_a_budget_is_all_roots_and_so_many_other_phrases(train_file: Path) -> None:
    everything = read(train_file, phrases=True)
    roots = [item for item in read(train_file) if len(item[1]) >= 4]
    budget = read(train_file, phrases=True, max_phrases=10)
    assert len(budget) == len(roots) + 10
    assert not Counter(budget) - Counter(everything)
    assert not Counter(roots) - Counter(budget)
    assert read(train_file, phrases=True, max_phrases=0) == roots
    assert read(train_file, phrases=True, max_phrases=10_000) == everything


def test_a_budget_depends_on_its_own_seed_alone(train_file: Path) -> None:
    first = read(train_file, phrases=True, max_phrases=10)
    random.seed(99)
    state = random.getstate()
    assert read(train_file, phrases=True, max_phrases=10) == first
    assert random.getstate() == state
    assert read(train_file, phrases=True, max_phrases=10, phrase_seed=1) != first


def test_every_phrase_is_drawn_as_often(train_file: Path) -> None:
    everything = Counter(read(train_file, phrases=True))
    roots = Counter(item for item in read(train_file) if len(item[1]) >= 4)
    candidates = everything - roots
    drawn: Counter = Counter()
    for seed in range(300):
        drawn += Counter(read(train_file, phrases=True, max_phrases=10, phrase_seed=seed)) - roots
    mean = 300 * 10 / candidates.total()
    assert set(drawn) == set(candidates)
    for phrase, times in candidates.items():
        assert abs(drawn[phrase] / times - mean) < 5 * mean**0.5


@pytest.mark.parametrize(
    ("granularity", "classes"),
    [("5-class", (0, 1, 2, 3, 4)), ("3-class", (0, 0, 1, 2, 2)), ("2-class", (0, 0, None, 1, 1))],
)
def test_granularities(train_file: Path, granularity: str, classes: tuple) -> None:
    assert tuple(class_of_label(str(label), granularity) for label in range(5)) == classes
    expected = [
        (classes[int(label)], words)
        for _, label, words, _ in independent_nodes(train_file)
        if len(words) >= 4 and classes[int(label)] is not None
    ]
    assert read(train_file, phrases=True, granularity=granularity) == expected
    assert {label for label, _ in expected} == set(range(len(CLASS_NAMES[granularity])))


def test_what_is_skipped_is_said_once_with_the_first_example(
    train_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = independent_nodes(train_file)
    short = [node for node in nodes if len(node[2]) < 4 and not node[3]]
    short_roots = [node for node in nodes if len(node[2]) < 4 and node[3]]
    neutral = [node for node in nodes if len(node[2]) >= 4 and node[1] == "2" and not node[3]]
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.sst5.reader"):
        read(train_file, phrases=True, granularity="2-class", max_phrases=5)
    (message,) = [record.getMessage() for record in caplog.records if record.name.endswith("sst5.reader")]
    assert "13 trees read" in message
    assert "and 5 other phrases (drawn from" in message
    for kind, skipped in [
        ("phrases of fewer than 4 tokens", short),
        ("roots of fewer than 4 tokens", short_roots),
        ("neutral phrases", neutral),
    ]:
        line, _, words, _ = skipped[0]
        assert f"{len(skipped)} {kind} (first in line {line}: {' '.join(words)!r})" in message


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"granularity": "4-class"}, "granularity is '4-class', expected one of '5-class', '3-class', '2-class'"),
        ({"phrases": True, "min_phrase_tokens": 0}, "min_phrase_tokens is 0, expected 1 or more"),
        ({"phrases": True, "max_phrases": -1}, "max_phrases is -1, expected 0 or more"),
        ({"max_phrases": 5}, "max_phrases is set, but without phrases: true only roots are read"),
    ],
)
def test_options_that_make_no_sense(options: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        SST5Reader(**options)


def test_texts_without_a_file() -> None:
    reader = SST5Reader(granularity="2-class")
    assert "label" not in reader.text_to_instance(["Fine", "."]).fields
    assert shown(reader.text_to_instance(["Fine", "."], "4")) == (1, ("Fine", "."))
    with pytest.raises(InputError, match="without any token"):
        reader.text_to_instance([])
    with pytest.raises(InputError, match="label '2' has no class at granularity '2-class'"):
        reader.text_to_instance(["Fine"], "2")


@pytest.mark.real
def test_real_training_data(shared_folder: Path) -> None:
    path = shared_folder / "data" / "sst5" / "train.txt.xz"
    instances = list(SST5Reader(phrases=True, max_phrases=20_000).read(path))
    assert len(instances) == 8544 - 136 + 20_000
    assert min(len(instance["tokens"]) for instance in instances) == 4
