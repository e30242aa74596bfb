"""The reader: fields and metadata of each document, what it accepts, draws and says."""

import logging
from pathlib import Path

import pytest
from allennlp.data import Instance, Vocabulary

from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import Mention
from elmo_tasks.tasks.coref.reader import CorefReader

SHARED = """#begin document (a/b); part 000
a/b 0 0 It XX * - - - - * (0)|(1)

a/b 0 0 it XX * - - - - * (1)

#end document
"""


@pytest.fixture
def file(repository: Path) -> Path:
    return repository / "fixtures" / "conll2012" / "harbour.gold_conll"


def words_of(instance: Instance) -> list[list[str]]:
    return [[token.text for token in text.tokens] for text in instance["sentences"].field_list]


def test_every_part_becomes_an_instance(file: Path) -> None:
    first, second, empty, last = CorefReader().read(file)
    assert words_of(first)[1:] == [["She", "missed", "it", "."], ["Yes", "!"]]
    metadata = first["metadata"].metadata
    assert metadata["words"] == words_of(first)
    assert metadata["speakers"] == [["Mara_L."] * 13, ["Jon"] * 4, ["Jon"] * 2]
    assert (metadata["document"], metadata["part"]) == ("bc/harbour/00/harbour_0001", 0)
    assert metadata["clusters"] == [
        [Mention(0, 0, 2), Mention(1, 0, 1)],
        [Mention(0, 7, 9), Mention(1, 2, 3)],
        [Mention(0, 8, 11), Mention(1, 2, 3)],  # crosses the one before it
        [Mention(0, 10, 12)],
        [Mention(0, 10, 12)],
    ]
    assert second["metadata"].metadata["part"] == 1
    assert [one["genre"].label for one in (first, second, empty, last)] == ["bc", "bc", "bc", "nw"]
    assert second["metadata"].metadata["speakers"][0][0] == "-"
    assert last["metadata"].metadata["words"][0][1] == "café\u00a0Øst"


def test_a_document_without_sentences_is_one_empty_text(file: Path) -> None:
    empty = list(CorefReader().read(file))[2]
    assert words_of(empty) == [[]]
    assert empty["metadata"].metadata["words"] == []
    assert empty["metadata"].metadata["clusters"] == []


def test_a_span_in_two_clusters_stays_in_both(tmp_path: Path) -> None:
    path = tmp_path / "shared.gold_conll"
    path.write_text(SHARED, encoding="utf-8")
    (instance,) = CorefReader().read(path)
    assert instance["metadata"].metadata["clusters"] == [[Mention(0, 0, 1)], [Mention(0, 0, 1), Mention(1, 0, 1)]]


def test_what_was_read_is_said_once(file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "shared.gold_conll"
    path.write_text(SHARED, encoding="utf-8")
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.coref.reader"):
        list(CorefReader().read(path))
    (message,) = [record.getMessage() for record in caplog.records if record.name.endswith("coref.reader")]
    assert message == (
        f"{path}: 1 documents, 0 of them without sentences, 1 without speakers, 2 sentences, 2 words, 3 mentions, "
        "2 clusters, 1 of them with one mention, 1 spans in several clusters, 0 pairs that cross"
    )
    caplog.clear()
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.coref.reader"):
        list(CorefReader().read(file))
    assert "1 of them without sentences" in caplog.text


def test_mentions_that_cross_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    marks = ["(0|(1", "(2", "0)", "2)|1)", "(3)"]  # 0 and 2 cross; 1 holds both, 3 stands behind them
    rows = [f"a 0 {number} w XX * - - - - * {mark}" for number, mark in enumerate(marks)]
    path = tmp_path / "crossing.gold_conll"
    text = "\n".join(["#begin document (a); part 000", *rows, "", *rows, "", "#end document", ""])
    path.write_text(text, encoding="utf-8")
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.coref.reader"):
        list(CorefReader().read(path))
    assert caplog.messages[-1].endswith(", 2 pairs that cross")


@pytest.mark.parametrize(("part", "expected"), [(0, "bc"), (1, "harbour"), (3, "harbour_0001"), (4, "")])
def test_the_genre_is_a_part_of_the_id(file: Path, part: int, expected: str) -> None:
    assert next(iter(CorefReader(genre_part=part).read(file)))["genre"].label == expected


def test_documents_are_drawn_with_a_seed_of_their_own(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    def names(**options: int) -> list[tuple[str, int]]:
        instances = CorefReader(**options).read(file)  # type: ignore[arg-type]
        return [(one["metadata"].metadata["document"], one["metadata"].metadata["part"]) for one in instances]

    everything = names()
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.coref.reader"):
        drawn = names(max_documents=2)
    assert caplog.messages[-1].endswith("(of 4, drawn with the seed 13)")
    assert len(drawn) == 2
    assert drawn == [name for name in everything if name in drawn]
    assert names(max_documents=2) == drawn
    assert len({tuple(names(max_documents=2, documents_seed=seed)) for seed in range(8)}) > 2
    assert names(max_documents=4) == names(max_documents=9) == everything


def test_broken_off_speech_is_read_as_the_mark_alone() -> None:
    instance = CorefReader().text_to_instance([["So", "/."], ["What", "/?"], ["and/or", "/"]])
    assert words_of(instance) == [["So", "."], ["What", "?"], ["and/or", "/"]]
    assert instance["metadata"].metadata["words"] == [["So", "/."], ["What", "/?"], ["and/or", "/"]]


def test_plain_typography_changes_what_the_model_reads_alone() -> None:
    words = [["\u201cIt\u2019s", "\u2018", "\u2014", "1987\u201388", "\u2026", "na\u00efve", "\u201d"]]

    def read(instance: Instance) -> list[list[str]]:
        return [[token.text for token in text.tokens] for text in instance["sentences"].field_list]

    mapped = CorefReader(plain_typography=True).text_to_instance(words)
    assert read(mapped) == [["\"It's", "'", "--", "1987-88", "...", "na\u00efve", '"']]
    assert mapped["metadata"].metadata["words"] == words
    assert read(CorefReader().text_to_instance(words)) == words


def test_documents_without_a_file() -> None:
    instance = CorefReader().text_to_instance([["She", "left"]])
    metadata = instance["metadata"].metadata
    assert metadata == {"document": "", "part": 0, "words": [["She", "left"]], "speakers": [["-", "-"]]}
    assert words_of(CorefReader().text_to_instance([])) == [[]]
    with pytest.raises(InputError, match="sentence 1 of a document has no word: leave it out"):
        CorefReader().text_to_instance([["She"], []])
    with pytest.raises(InputError, match="one speaker for each word, sentence by sentence"):
        CorefReader().text_to_instance([["She", "left"]], [["Jon"]])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_documents": 0}, r"dataset_reader\.max_documents is 0, expected 1 or more, or null for all"),
        ({"genre_part": -1}, r"dataset_reader\.genre_part is -1, expected 0 or more"),
    ],
)
def test_options_out_of_range(options: dict[str, int], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CorefReader(**options)  # type: ignore[arg-type]


@pytest.mark.real
def test_real_training_data(shared_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = shared_folder / "data" / "coref" / "ontogum" / "ontogum.train.gold_conll.xz"
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.coref.reader"):
        instances = list(CorefReader(genre_part=1).read(path))
    assert caplog.messages[-1].endswith(
        ": 177 documents, 0 of them without sentences, 107 without speakers, 10,224 sentences, 177,410 words, "
        "23,320 mentions, 5,311 clusters, 7 of them with one mention, 6 spans in several clusters, 3 pairs that cross"
    )
    assert len({one["genre"].label for one in instances}) == 15


def test_an_unknown_genre_has_a_number_behind_the_known_ones(file: Path) -> None:
    instances = list(CorefReader().read(file))
    vocabulary = Vocabulary.from_instances(instances)
    assert set(vocabulary.get_token_to_index_vocabulary("genre_labels")) == {"bc", "nw"}
    known = [instances[0]["genre"], instances[3]["genre"], CorefReader().text_to_instance([["A"]], genre="x")["genre"]]
    for field in known:
        field.index(vocabulary)
    assert [int(field.as_tensor({})) for field in known] == [0, 1, 2]
