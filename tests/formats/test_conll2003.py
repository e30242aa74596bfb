"""CoNLL-2003's files: documents, sentences, entities, and a mistake named with its line."""

import lzma
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2003 import Sentence, read_sentences, read_words
from elmo_tasks.formats.tags import Span
from elmo_tasks.scoring.conlleval import phrases

DOCUMENT = "-DOCSTART- -X- O O"
GOOD = f"""{DOCUMENT}

Anna NNP I-NP I-PER
Vale NNP I-NP I-PER
Ben NNP I-NP B-PER
visits VBZ I-VP O
Lyon NNP I-NP I-LOC
Films NNPS I-NP I-ORG

1997 CD I-NP O

{DOCUMENT}

Café NNP I-NP I-ORG
. . O O
"""
SENTENCES = [
    Sentence(
        ["Anna", "Vale", "Ben", "visits", "Lyon", "Films"],
        [Span("PER", 0, 2), Span("PER", 2, 3), Span("LOC", 4, 5), Span("ORG", 5, 6)],
        document=0,
        line=3,
    ),
    Sentence(["1997"], [], document=0, line=10),
    Sentence(["Café", "."], [Span("ORG", 0, 1)], document=1, line=14),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eng.txt"


def read(path: Path, content: str, scheme: str = "IOB1") -> list[Sentence]:
    path.write_text(content, encoding="utf-8")
    return list(read_sentences(path, scheme))


def independent_reading(content: str) -> list[tuple[int, list[str], list[tuple[str, int, int]]]]:
    """(document, words, entities) of each sentence by regular expressions, entities as conlleval has them."""
    sentences, document = [], -1
    for block in re.split(r"\n(?:[ \t\r]*\n)+", content):
        for part in re.split(r"(?m)^[ \t]*(?=-DOCSTART-[ \t])", block):
            rows = [row for row in (re.findall("[^ \t]+", line.strip(" \t\r")) for line in part.split("\n")) if row]
            if rows and rows[0][0] == "-DOCSTART-":
                document += 1
                rows = rows[1:]
            if rows:
                entities = [tuple(phrase) for phrase in phrases(row[3] for row in rows)]
                sentences.append((document, [row[0] for row in rows], entities))
    return sentences


def shown(sentences: list[Sentence]) -> list[tuple[int, list[str], list[tuple[str, int, int]]]]:
    return [(one.document, one.words, [tuple(entity) for entity in one.entities]) for one in sentences]


def test_a_file_is_read(path: Path) -> None:
    assert read(path, GOOD) == SENTENCES
    assert shown(SENTENCES) == independent_reading(GOOD)


@pytest.mark.parametrize(
    ("variant", "content"),
    [
        ("no final newline", GOOD.removesuffix("\n")),
        ("Windows line ends", GOOD.replace("\n", "\r\n")),
        ("tabs", GOOD.replace(" ", "\t")),
        ("many blank lines", "\n\n" + GOOD.replace("\n\n", "\n \n\t\n\n") + "\n\n"),
        ("documents glued to their first sentence", GOOD.replace("-\n\n", "-\n").replace("O O\n\n", "O O\n")),
        (
            "documents glued to the sentence before, too",
            GOOD.replace("O\n\n-DOC", "O\n-DOC").replace("O O\n\n", "O O\n"),
        ),
        ("testb's way to write them", GOOD.replace(DOCUMENT, "-DOCSTART- -X- -X- O")),
    ],
)
def test_variants_say_the_same(path: Path, variant: str, content: str) -> None:
    assert content != GOOD
    assert shown(read(path, content)) == shown(SENTENCES)


def test_sentences_before_the_first_document_and_documents_without_any(path: Path) -> None:
    content = f"a N O O\n\n{DOCUMENT}\n{DOCUMENT}\n\nb N O O\n{DOCUMENT}\n"
    assert shown(read(path, content)) == [(-1, ["a"], []), (1, ["b"], [])]


def test_the_mark_of_a_document_is_a_word_of_the_first_column_alone(path: Path) -> None:
    assert read(path, "a -DOCSTART- O O\n")[0].words == ["a"]
    assert read(path, "-DOCSTART-s N O O\n")[0].words == ["-DOCSTART-s"]


@pytest.mark.parametrize("scheme", ["IOB2", "BIOES", "BIOUL"])
def test_other_codings(path: Path, scheme: str) -> None:
    tags = {
        "IOB2": "B-PER I-PER B-PER O B-LOC B-ORG",
        "BIOES": "B-PER E-PER S-PER O S-LOC S-ORG",
        "BIOUL": "B-PER L-PER U-PER O U-LOC U-ORG",
    }[scheme]
    rows = [f"{word} N O {tag}\n" for word, tag in zip(SENTENCES[0].words, tags.split(), strict=True)]
    assert read(path, "".join(rows), scheme) == [Sentence(SENTENCES[0].words, SENTENCES[0].entities, -1, 1)]


@pytest.mark.parametrize(
    ("scheme", "content", "sentence"),
    [
        ("IOB1", "a N O O\n\nb N O\n", r"eng\.txt:3: found 3 columns \('b N O'\), expected 4"),
        ("IOB1", f"{DOCUMENT} O\n", r"eng\.txt:1: found 5 columns"),
        ("IOB1", "-DOCSTART-\n\na N O O\n", r"eng\.txt:1: found 1 columns"),
        ("IOB1", "a N O O\nb N O B-\n", r"eng\.txt:2: 'B-' is no tag of IOB1: .* \(the file is read as IOB1\)\."),
        (
            "IOB2",
            f"{DOCUMENT}\n\na N O B-PER\nb N O I-LOC\n",
            r"eng\.txt:4: the tag 'I-LOC' stands inside a span of 'PER'; in IOB2 a span begins with 'B-LOC' "
            r"\(the file is read as IOB2\)\.",
        ),
        ("IOB2", GOOD, r"eng\.txt:3: the tag 'I-PER' stands outside of any span; in IOB2 .*'B-PER'"),
        # a span that runs to the sentence's end has no token to blame but the last
        (
            "BIOES",
            "a N O B-X\nb N O I-X\n\nc N O O\n",
            r"eng\.txt:2: the span of 'X' is not closed by 'E-X' before the",
        ),
        ("IOB2", f"a N O B-X\n{DOCUMENT}\nb N O I-X\n", r"eng\.txt:3: the tag 'I-X' stands outside of any span"),
        ("IOB1", "", r"eng\.txt: no sentence in this file; expected rows of word, part of speech, chunk and entity"),
        ("IOB2", "1 a O O\n2 b B-X O\n\n1 c O O\n2 d O O\n3 e O O\n", r"eng\.txt: the first column counts the words"),
        ("IOB1", " \n\n", r"eng\.txt: no sentence in this file"),
        ("IOB1", f"{DOCUMENT}\n\n{DOCUMENT}\n", r"eng\.txt: no sentence in this file"),
    ],
)
def test_what_is_refused_with_its_line(path: Path, scheme: str, content: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read(path, content, scheme)


def test_latin1_is_refused_with_its_line(path: Path) -> None:
    path.write_bytes(GOOD.encode("latin-1"))
    with pytest.raises(InputError, match=r"eng\.txt:14: byte 4 of the line \(0xe9\) is not UTF-8"):
        list(read_sentences(path))


pieces = st.sampled_from(
    [" ", "\t", "\r", "\n", "-", "O", "I-", "B-PER", "I-LOC", "-DOCSTART-", DOCUMENT, "é", "\u00a0", "\x00", "\ufeff"]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    line=st.integers(0, GOOD.count("\n") - 1),
    begin=st.integers(0, 25),
    length=st.integers(0, 25),
    inserted=st.lists(pieces, max_size=3).map("".join),
)
@example(line=13, begin=0, length=0, inserted=" ")
@example(line=0, begin=0, length=99, inserted="")
@example(line=0, begin=0, length=0, inserted="\ufeff")
def test_a_mutated_line_is_read_right_or_refused_with_file_and_line(
    path: Path, line: int, begin: int, length: int, inserted: str
) -> None:
    lines = GOOD.split("\n")
    lines[line] = lines[line][:begin] + inserted + lines[line][begin + length :]
    content = "\n".join(lines)
    sentences, refusal = None, ""
    try:
        sentences = read(path, content)
    except InputError as error:
        refusal = str(error)
    if sentences is not None:
        assert shown(sentences) == independent_reading(content)
        return
    named = re.match(r".*eng\.txt:(\d+): ", refusal)
    assert named, refusal
    # where the mutation is; a line more for each that it adds
    assert line + 1 <= int(named[1]) <= line + 1 + inserted.count("\n"), refusal


@pytest.mark.real
@pytest.mark.parametrize(
    ("part", "num_sentences", "num_tokens", "num_documents", "longest", "entities", "begins"),
    [
        # train has 37 B-MISC, but two of them follow an O
        ("train", 14_041, 203_621, 946, 113, (7140, 3438, 6321, 6600), (11, 35, 24)),
        ("testa", 3_250, 51_362, 216, 109, (1837, 922, 1341, 1842), (0, 4, 0)),
        ("testb", 3_453, 46_435, 231, 124, (1668, 702, 1661, 1617), (6, 9, 5)),
    ],
)
def test_real_files_have_their_published_counts(
    shared_folder: Path,
    part: str,
    num_sentences: int,
    num_tokens: int,
    num_documents: int,
    longest: int,
    entities: tuple[int, ...],
    begins: tuple[int, ...],
) -> None:
    path = shared_folder / "data" / "ner" / f"eng.{part}.xz"
    sentences = list(read_sentences(path))
    assert len(sentences) == num_sentences
    assert sum(len(one.words) for one in sentences) == num_tokens
    assert {one.document for one in sentences} == set(range(num_documents))
    assert max(len(one.words) for one in sentences) == longest
    labels = Counter(entity.label for one in sentences for entity in one.entities)
    assert tuple(labels[label] for label in ("LOC", "MISC", "ORG", "PER")) == entities
    assert labels.total() == sum(entities)
    after_one_of_its_label = Counter(
        following.label
        for one in sentences
        for before, following in zip(one.entities, one.entities[1:], strict=False)
        if before.label == following.label and before.end == following.start
    )
    assert tuple(after_one_of_its_label[label] for label in ("LOC", "MISC", "ORG")) == begins
    text = lzma.decompress(path.read_bytes()).decode("ascii")
    assert shown(sentences) == independent_reading(text)


def test_numbers_that_are_words(tmp_path: Path) -> None:
    path = tmp_path / "scores.txt"
    path.write_text("1 CD I-NP O\n2 CD I-NP O\n3 CD I-NP O\n\n4 CD I-NP O\n\n1 CD I-NP O\n", encoding="utf-8")
    assert [words for _, words in read_words(path)] == [["1", "2", "3"], ["4"], ["1"]]
    path.write_text("1 CD I-NP O\n2 CD I-NP O\n", encoding="utf-8")
    assert [words for _, words in read_words(path)] == [["1", "2"]]
