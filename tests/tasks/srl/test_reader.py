"""SRL's reader: an instance for each predicate, budgets, and what it says of the files."""

import logging
import lzma
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from allennlp.data import Instance, Vocabulary

from elmo_tasks.errors import InputError
from elmo_tasks.formats.tags import Span
from elmo_tasks.tasks.srl.reader import SRLReader


@pytest.fixture
def train_file(repository: Path) -> Path:
    return repository / "fixtures" / "srl" / "train.gold_conll"


@pytest.fixture
def harbour(repository: Path) -> Path:
    return repository / "fixtures" / "conll2012" / "harbour.gold_conll"


def independent(path: Path) -> list[tuple[list[str], int, str, list[str]]]:
    """(words, predicate's row, lemma, tags) of each predicate, or of a sentence without any, from the lines alone."""
    found = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        rows = [line.split(" ") for line in block.split("\n") if line and not line.startswith("#")]
        if not rows:
            continue
        words = [row[3] for row in rows]
        predicates = [number for number, row in enumerate(rows) if row[7] != "-"]
        if not predicates:
            found.append((words, -1, "-", ["O"] * len(words)))
        for column, predicate in enumerate(predicates, start=11):
            tags, label = [], ""
            for row in rows:
                cell = row[column]
                if cell.startswith("("):
                    label = cell.strip("(*)")
                    tags.append(f"B-{label}")
                else:
                    tags.append(f"I-{label}" if label else "O")
                if cell.endswith(")"):
                    label = ""
            found.append((words, predicate, rows[predicate][6], tags))
    return found


def parts_of(instance: Instance) -> tuple[list[str], int, str, list[str]]:
    metadata = instance["metadata"]
    return metadata["words"], metadata["predicate"], metadata["lemma"], list(instance["tags"].labels)


@pytest.mark.parametrize("part", ["train", "dev"])
def test_an_instance_for_each_predicate_and_for_each_sentence_without(repository: Path, part: str) -> None:
    path = repository / "fixtures" / "srl" / f"{part}.gold_conll"
    instances = list(SRLReader().read(path))
    expected = independent(path)
    assert [parts_of(instance) for instance in instances] == expected
    assert len(expected) == {"train": 14, "dev": 8}[part]
    for instance in instances:
        metadata, tags = instance["metadata"], instance["tags"].labels
        assert [token.text for token in instance["tokens"]] == metadata["words"]
        # the paper: the indicator is where the tag is B-V or I-V
        assert instance["verb_indicator"].labels == [int(tag in ("B-V", "I-V")) for tag in tags]
        assert metadata["gold_tags"] == tags
        first = tags.index("B-V") if "B-V" in tags else None
        assert metadata["verb_index"] == first
        assert metadata["verb"] == (None if first is None else metadata["words"][first])
        assert metadata["arguments"] == [] or len(metadata["arguments"]) == sum(tag[0] == "B" for tag in tags)


def test_sentences_and_their_predicates_are_numbered(train_file: Path) -> None:
    found = [
        tuple(one["metadata"][key] for key in ("sentence", "proposition", "num_propositions"))
        for one in SRLReader().read(train_file)
    ]
    assert found[:5] == [(0, 0, 1), (1, 0, 2), (1, 1, 2), (2, 0, 0), (3, 0, 1)]
    assert found[-1] == (9, 0, 1)


def test_verbs_that_begin_before_their_row_or_lie_elsewhere(train_file: Path) -> None:
    by_lemma = {one["metadata"]["lemma"]: one for one in SRLReader().read(train_file)}
    assert by_lemma["hang"]["verb_indicator"].labels == [0, 1, 1, 0]
    assert by_lemma["hang"]["metadata"]["predicate"] == 2
    assert by_lemma["x-ray"]["verb_indicator"].labels == [0, 0, 1, 0, 0, 0, 0]
    assert by_lemma["x-ray"]["metadata"]["predicate"] == 4
    assert by_lemma["x-ray"]["metadata"]["verb_index"] == 2
    assert [span.label for span in by_lemma["x-ray"]["metadata"]["arguments"]] == ["ARG0", "V", "C-V", "ARG1"]


def test_predicates_that_share_a_verb_are_two_instances(repository: Path) -> None:
    dev = list(SRLReader().read(repository / "fixtures" / "srl" / "dev.gold_conll"))
    jump, start = dev[-2:]
    assert jump["verb_indicator"].labels == start["verb_indicator"].labels == [0, 1, 0, 0, 0, 0]
    assert [one["metadata"]["lemma"] for one in (jump, start)] == ["jump", "start"]


def test_folders_and_compressed_files(train_file: Path, harbour: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "t.gold_conll.xz").write_bytes(lzma.compress(train_file.read_bytes()))
    shutil.copy(harbour, tmp_path)
    instances = [parts_of(one) for one in SRLReader().read(tmp_path)]
    assert instances[:14] == independent(train_file)
    sentences = [one["metadata"]["sentence"] for one in SRLReader().read(tmp_path)]
    assert sentences == sorted(sentences)
    assert len(set(sentences)) == 10 + 7


def test_what_was_read_and_skipped_is_said_once(train_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.srl.reader"):
        kept = list(SRLReader().read(train_file))
        left = list(SRLReader(keep_without_predicate=False).read(train_file))
    assert [one["metadata"]["predicate"] for one in kept].count(-1) == 2
    assert [parts_of(one) for one in left] == [parts_of(one) for one in kept if one["metadata"]["lemma"] != "-"]
    first, uncovered, second, again = caplog.messages
    assert first == (
        f"{train_file}: 2 documents, 10 sentences, 63 tokens; instances: 12 predicates and 2 sentences without any; "
        "skipped: nothing."
    )
    assert second == (
        f"{train_file}: 2 documents, 10 sentences, 63 tokens; instances: 12 predicates and 0 sentences without any; "
        f"skipped: 2 sentences without a predicate (first {train_file}:19: 'Fine , thanks .')."
    )
    assert uncovered == again
    assert uncovered == (
        f"{train_file}: 1 spans V do not cover the row of their predicate; the indicator is at V (first "
        f"{train_file}:29: 'x-ray' of word 4)."
    )


def test_predicates_without_a_verb_are_skipped_and_counted_where_that_is_asked_for(
    train_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Official OntoNotes has some (github.com/utahnlp/structured_tuning_srl/issues/1)."""
    lines = train_file.read_text(encoding="utf-8").split("\n")
    first, *_, last = [number for number, line in enumerate(lines) if "(V*)" in line]
    for number in (first, last):
        lines[number] = lines[number].replace("(V*)", "*", 1)
    path = tmp_path / "t.gold_conll"
    path.write_text("\n".join(lines), encoding="utf-8")
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.srl.reader"):
        found = list(SRLReader(skip_without_verb=True).read(path))
    everything = list(SRLReader().read(train_file))
    assert [parts_of(one) for one in found[1:-1]] == [parts_of(one) for one in everything[1:-1]]
    for one, whole in ((found[0], everything[0]), (found[-1], everything[-1])):  # sentences of this predicate alone
        assert parts_of(one) == (whole["metadata"]["words"], -1, "-", ["O"] * len(whole["metadata"]["words"]))
    assert "instances: 10 predicates and 4 sentences without any" in caplog.text
    assert (
        f"{path}: skipped 2 predicates whose column has no span V, as skip_without_verb says (first {path}:2: "
        "'sell' of word 1)."
    ) in caplog.messages


def test_a_budget_is_the_same_draw_for_every_arm(train_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    everything = [parts_of(one) for one in SRLReader().read(train_file)]

    def drawn(**options: Any) -> list[Any]:
        return [parts_of(one) for one in SRLReader(**options).read(train_file)]

    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.srl.reader"):
        one = drawn(max_predicates=6)
    assert "instances: 6 predicates (drawn from 12 with predicate_seed 0) and 1 sentences without" in caplog.text
    assert one == drawn(max_predicates=6, predicate_seed=0)
    places = [everything.index(each) for each in one]
    assert places == sorted(places)  # in the file's order
    assert sum(predicate != -1 for _, predicate, _, _ in one) == 6
    assert len(one) == 7  # the same share of the sentences without a predicate
    others = [drawn(max_predicates=6, predicate_seed=seed) for seed in range(1, 5)]
    assert all(other != one for other in others)
    assert drawn(max_predicates=12) == drawn(max_predicates=99) == everything
    assert [each[1] for each in drawn(max_predicates=6, keep_without_predicate=False)].count(-1) == 0


def test_budgets_must_be_positive() -> None:
    with pytest.raises(InputError, match=r"dataset_reader\.max_predicates is 0, expected 1 or more, or null for all"):
        SRLReader(max_predicates=0)


@pytest.mark.parametrize(("keep", "wanted"), [(True, "sentence"), (False, "predicate")])
def test_a_file_of_which_nothing_is_an_instance(tmp_path: Path, keep: bool, wanted: str) -> None:
    path = tmp_path / "empty.gold_conll"
    path.write_text("#begin document (a); part 000\n#end document\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"empty\.gold_conll: there is nothing to read, expected one {wanted}"):
        list(SRLReader(keep_without_predicate=keep).read(path))


def test_sentences_without_a_file() -> None:
    reader = SRLReader()
    words = ["Anna", "hung", "up", "."]
    asked = reader.text_to_instance(words, 1)
    assert asked["verb_indicator"].labels == [0, 1, 0, 0]
    assert "tags" not in asked.fields
    assert asked["metadata"].metadata == {"predicate": 1, "words": words, "verb": "hung", "verb_index": 1}
    told = reader.text_to_instance(words, 2, [Span("ARG0", 0, 1), Span("V", 1, 3)])
    assert told["verb_indicator"].labels == [0, 1, 1, 0]
    assert told["tags"].labels == ["B-ARG0", "B-V", "I-V", "O"]
    assert reader.text_to_instance(words)["verb_indicator"].labels == [0, 0, 0, 0]
    with pytest.raises(InputError, match="a sentence without any token has no predicate"):
        reader.text_to_instance([])
    with pytest.raises(InputError, match=r"the predicate is word 4, expected 0 to 3\."):
        reader.text_to_instance(words, 4)


def test_a_tag_that_training_lacks_is_taken_for_outside(repository: Path, train_file: Path) -> None:
    vocabulary = Vocabulary.from_instances(SRLReader().read(train_file))
    dev = list(SRLReader().read(repository / "fixtures" / "srl" / "dev.gold_conll"))
    (strange,) = [one for one in dev if "B-R-ARGM-ADJ" in one["tags"].labels]
    strange.index_fields(vocabulary)
    names = vocabulary.get_index_to_token_vocabulary("labels")
    tensor = strange["tags"].as_tensor({"num_tokens": 7}).tolist()
    assert [names[index] for index in tensor] == ["B-ARG1", "O", "O", "O", "B-ARG0", "B-V", "O"]


@pytest.mark.parametrize(
    ("line", "old", "new", "sentence"),
    [
        (2, "(ARG0*) -", "(ARG0* -", r":3: column 12 \(predicate 'sell' of word 1\): '\(V\*\)' stands inside"),
        (9, " * * -", " * (V*) -", r":9: column 12 .*: found 2 spans of 'V', expected exactly one"),
        (
            3,
            "(V*) -",
            "* -",
            r":3: the column of the predicate 'sell' of word 1 has no span 'V', expected exactly one; if the corpus "
            r"means it, skip_without_verb: true in dataset_reader and validation_dataset_reader skips such",
        ),
        (4, "(ARG1* -", "-", r":4: found 12 columns, expected 13 as in the sentence's first line 2"),
        (3, "- - * (V*)", "- - (ORG (V*)", r":3: column 11 \(named entity\): found '\(ORG'"),
        (6, "- - - - *", "go 01 - - *", r":2: this sentence has 1 columns of arguments for 2 predicates"),
        (10, "", None, r":10: the words are numbered from 0 again, expected 8; is a blank line missing here"),
    ],
)
def test_bad_files_end_with_file_and_line(
    train_file: Path, tmp_path: Path, line: int, old: str, new: str | None, sentence: str
) -> None:
    """The reader hands on what the format's parser says; tests/formats has the others of its sentences."""
    path = tmp_path / "bad.gold_conll"
    lines = train_file.read_text(encoding="utf-8").split("\n")
    assert old in lines[line - 1]
    lines[line - 1 : line] = [] if new is None else [lines[line - 1].replace(old, new)]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=rf"bad\.gold_conll{sentence}"):
        list(SRLReader().read(path))


@pytest.mark.real
def test_real_data(shared_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = shared_folder / "data" / "srl" / "ewt"
    predicates = {"train": 40486, "dev": 4977, "test": 4799}
    without = {"train": 1988, "dev": 438, "test": 524}
    for part in ("train", "dev", "test"):
        with caplog.at_level(logging.INFO, "elmo_tasks.tasks.srl.reader"):
            instances = list(SRLReader().read(folder / f"ewt.{part}.gold_conll.xz"))
        lemmas = Counter(one["metadata"]["lemma"] == "-" for one in instances)
        assert lemmas == {False: predicates[part], True: without[part]}
        assert sum("B-V" in one["tags"].labels for one in instances) == predicates[part]
    uncovered = [message for message in caplog.messages if "do not cover" in message]
    assert [int(message.split(": ")[1].split(" ")[0]) for message in uncovered] == [6, 1]
