"""NER's reader: fields and metadata of each sentence, every coding out, and what it says of the file."""

import logging
from pathlib import Path

import pytest
from allennlp.data import Instance, Vocabulary

from elmo_tasks.errors import InputError
from elmo_tasks.formats.tags import SCHEMES, Span
from elmo_tasks.scoring.conlleval import phrases
from elmo_tasks.tasks.ner.reader import NERReader

FIRST = ["Anna", "visits", "her", "home", "town", "Lyon", "."]
# The second sentence of train.txt, from "of" on, by every coding.
NEIGHBOURS = {
    "IOB1": "O I-PER I-PER B-PER I-PER O O I-LOC O I-LOC I-LOC I-LOC O",
    "IOB2": "O B-PER I-PER B-PER I-PER O O B-LOC O B-LOC I-LOC I-LOC O",
    "BIOES": "O B-PER E-PER B-PER E-PER O O S-LOC O B-LOC I-LOC E-LOC O",
    "BIOUL": "O B-PER L-PER B-PER L-PER O O U-LOC O B-LOC I-LOC L-LOC O",
}


@pytest.fixture
def train_file(repository: Path) -> Path:
    return repository / "fixtures" / "ner" / "train.txt"


def words_of(instance: Instance) -> list[str]:
    return [token.text for token in instance["tokens"]]


def independent_sentences(path: Path) -> list[tuple[int, list[str], list[str]]]:
    """(document, words, tags) of each sentence, line by line."""
    sentences: list[tuple[int, list[str], list[str]]] = []
    document, words, tags = -1, [], []
    for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
        if line.startswith("-DOCSTART- "):
            document += 1
        elif line:
            words.append(line.split(" ")[0])
            tags.append(line.split(" ")[3])
        elif words:
            sentences.append((document, words, tags))
            words, tags = [], []
    return sentences


def test_every_sentence_becomes_an_instance(train_file: Path) -> None:
    instances = list(NERReader(tag_scheme="IOB1").read(train_file))
    expected = independent_sentences(train_file)
    assert len(instances) == len(expected) == 12
    for instance, (document, words, tags) in zip(instances, expected, strict=True):
        assert words_of(instance) == words
        assert instance["tags"].labels == tags
        assert instance["metadata"].metadata == {
            "words": words,
            "document": document,
            "tag_scheme": "IOB1",
            "entities": [Span(*phrase) for phrase in phrases(tags)],
        }


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_coding_out_of_the_same_file(train_file: Path, scheme: str) -> None:
    instances = list(NERReader(tag_scheme=scheme).read(train_file))
    assert " ".join(instances[1]["tags"].labels[2:]) == NEIGHBOURS[scheme]
    assert instances[0]["metadata"]["tag_scheme"] == scheme
    assert [instance["metadata"]["entities"] for instance in instances] == [
        instance["metadata"]["entities"] for instance in NERReader().read(train_file)
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_coding_in(train_file: Path, tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "coded.txt"
    expected = list(NERReader(tag_scheme=scheme).read(train_file))
    path.write_text(
        "\n".join(
            "".join(f"{word} X O {tag}\n" for word, tag in zip(words_of(one), one["tags"].labels, strict=True))
            for one in expected
        ),
        encoding="utf-8",
    )
    read = list(NERReader(file_scheme=scheme, tag_scheme=scheme).read(path))
    assert [one["metadata"]["entities"] for one in read] == [one["metadata"]["entities"] for one in expected]
    assert [one["tags"].labels for one in read] == [one["tags"].labels for one in expected]


def test_a_file_declared_iob2_must_be_it(train_file: Path) -> None:
    with pytest.raises(
        InputError, match=r"train\.txt:3: the tag 'I-PER' stands outside of any span; in IOB2 a span .*"
    ):
        list(NERReader(file_scheme="IOB2").read(train_file))


def test_what_was_read_is_said_once(train_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    sentences = independent_sentences(train_file)
    num_tokens = sum(len(words) for _, words, _ in sentences)
    num_entities = sum(len(phrases(tags)) for _, _, tags in sentences)
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.ner.reader"):
        list(NERReader().read(train_file))
    (message,) = [record.getMessage() for record in caplog.records if record.name.endswith("ner.reader")]
    assert message == f"{train_file}: 12 sentences of 3 documents, {num_tokens} tokens, {num_entities} entities."


@pytest.mark.parametrize("option", ["file_scheme", "tag_scheme"])
def test_a_coding_that_there_is_not(option: str) -> None:
    sentence = rf"dataset_reader\.{option} is 'BIO', expected one of IOB1, IOB2, BIOES, BIOUL\."
    with pytest.raises(InputError, match=sentence):
        NERReader(**{option: "BIO"})


def test_sentences_without_a_file() -> None:
    reader = NERReader(tag_scheme="BIOES")
    unlabeled = reader.text_to_instance(FIRST)
    assert words_of(unlabeled) == FIRST
    assert "tags" not in unlabeled.fields
    assert unlabeled["metadata"].metadata == {"words": FIRST, "document": -1, "tag_scheme": "BIOES"}
    labeled = reader.text_to_instance(FIRST, [Span("LOC", 3, 6)])
    assert labeled["tags"].labels == ["O", "O", "O", "B-LOC", "I-LOC", "E-LOC", "O"]
    assert set(reader.text_to_instance(FIRST, [])["tags"].labels) == {"O"}
    with pytest.raises(InputError, match="a sentence without any token has no entities: give at least one word"):
        reader.text_to_instance([])


@pytest.mark.real
def test_real_training_data(shared_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = shared_folder / "data" / "ner" / "eng.train.xz"
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.ner.reader"):
        instances = list(NERReader().read(path))
    assert caplog.messages[-1].endswith("14,041 sentences of 946 documents, 203,621 tokens, 23,499 entities.")
    labels = {tag for instance in instances for tag in instance["tags"].labels}
    assert labels == {"O"} | {f"{letter}-{label}" for letter in "BIUL" for label in ("LOC", "MISC", "ORG", "PER")}


def test_a_tag_that_training_lacks_is_named_with_its_sentence(train_file: Path, tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_instances(NERReader().read(train_file))
    path = tmp_path / "dev.txt"
    path.write_text("A NN O O\nFrench JJ O I-MISC\ntown NN O O\n", encoding="utf-8")
    (instance,) = NERReader().read(path)
    with pytest.raises(InputError, match=r"the tag 'U-MISC' of the sentence 'A French town' does not occur in the"):
        instance.index_fields(vocabulary)
    (instance,) = NERReader().read(path)
    vocabulary.add_token_to_namespace("U-MISC", "ner_tags")
    instance.index_fields(vocabulary)
    assert instance["tags"].as_tensor({"num_tokens": 3}).tolist() == [
        vocabulary.get_token_index(tag, "ner_tags") for tag in ("O", "U-MISC", "O")
    ]
