"""CoNLL-2012's columns: all that they say, back to the byte, and a mistake named with its line."""

import dataclasses
import gzip
import lzma
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import (
    Document,
    Mention,
    Proposition,
    plain_document,
    read_documents,
    write_documents,
)
from elmo_tasks.formats.tags import Span

FILE = Path(__file__).parents[2] / "fixtures/conll2012/harbour.gold_conll"
GOOD = FILE.read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.gold_conll"


def read(path: Path, content: str) -> list[Document]:
    path.write_bytes(content.encode())
    return list(read_documents(path))


def said(documents: list[Document]) -> list[Any]:
    """What documents say, in plain values: parts, sentences of words, spans of each kind."""
    return [
        (
            document.id,
            document.part,
            [
                (
                    list(
                        zip(
                            one.words,
                            one.pos,
                            one.parse,
                            one.lemmas,
                            one.framesets,
                            one.senses,
                            one.speakers,
                            strict=True,
                        )
                    ),
                    sorted(tuple(span) for span in one.entities),
                    [
                        (each.predicate, each.lemma, each.frameset, sorted(tuple(span) for span in each.arguments))
                        for each in sorted(one.propositions + one.without_verb, key=lambda each: each.predicate)
                    ],
                    sorted(tuple(span) for span in one.mentions),
                )
                for one in document.sentences
            ],
        )
        for document in documents
    ]


def independent_reading(content: str) -> list[Any]:
    """The same of a file that is in the format, by regular expressions over the whole text and counts of brackets."""
    found = []
    for begin in re.finditer(r"(?ms)^#begin document \((.*?)\); part (\d+)[ \t\r]*$\n(.*?)^#end document", content):
        sentences = []
        for block in re.split(r"\n(?:[ \t\r]*\n)*[ \t\r]*(?:\n|\Z)", begin[3]):
            rows = [re.findall("[^ \t]+", row.strip(" \t\r")) for row in block.split("\n") if row.strip(" \t\r")]
            if rows:
                sentences.append(independent_sentence(rows))
        found.append((begin[1], int(begin[2]), sentences))
    return found


def independent_sentence(rows: list[list[str]]) -> tuple[Any, ...]:
    def spans(column: int) -> list[tuple[str, int, int]]:
        open_at = [row for row, cells in enumerate(rows) if "(" in cells[column]]
        ends = [row for row, cells in enumerate(rows) if ")" in cells[column]]
        return sorted(
            (rows[start][column].strip("(*)"), start, end + 1) for start, end in zip(open_at, ends, strict=True)
        )

    last = len(rows[0]) - 1
    mentions = []
    waiting = defaultdict(list)
    for row, cells in enumerate(rows):
        for text in re.findall(r"\(?\d+\)?", cells[last]):
            number = text.strip("()")
            if text.startswith("("):
                waiting[number].append(row)
            if text.endswith(")"):
                mentions.append((number, waiting[number].pop(), row + 1))
    predicates = [row for row, cells in enumerate(rows) if cells[7] != "-"]
    return (
        [tuple(cells[3:10]) for cells in rows],
        spans(10),
        [(row, rows[row][6], rows[row][7], spans(11 + n)) for n, row in enumerate(predicates)],
        sorted(mentions),
    )


def test_the_fixture_says_what_was_written_into_it() -> None:
    documents = list(read_documents(FILE))
    assert [(one.id, one.part, len(one.sentences), one.line) for one in documents] == [
        ("bc/harbour/00/harbour_0001", 0, 3, 1),
        ("bc/harbour/00/harbour_0001", 1, 2, 25),
        ("bc/harbour/00/harbour_0002", 0, 0, 50),
        ("nw/tide/00/tide_0001", 12, 2, 52),
    ]
    first, second, third = documents[0].sentences
    assert " ".join(first.words) == "Mara Lindqvist hung up , then sold the ferry to Oslo Harbour ."
    assert first.propositions == (
        Proposition(3, "hang", "02", (Span("ARG0", 0, 2), Span("V", 2, 4))),
        Proposition(
            6,
            "sell",
            "01",
            (Span("ARG0", 0, 2), Span("ARGM-TMP", 5, 6), Span("V", 6, 7), Span("ARG1", 7, 9), Span("ARG2", 9, 12)),
        ),
    )
    assert first.entities == (Span("PERSON", 0, 2), Span("ORG", 10, 12))
    assert (first.lemmas[8], first.framesets[8], first.senses[8]) == ("ferry", "-", "1")
    assert set(first.speakers) == {"Mara_L."}
    assert (third.line, third.words, third.propositions) == (21, ("Yes", "!"), ())
    assert documents[0].clusters() == {
        "3": [Mention(0, 0, 2), Mention(1, 0, 1)],
        "5": [Mention(0, 7, 9), Mention(1, 2, 3)],
        "9": [Mention(0, 8, 11), Mention(1, 2, 3)],
        "7": [Mention(0, 10, 12)],
        "8": [Mention(0, 10, 12)],
    }
    assert second.mentions == (Span("3", 0, 1), Span("5", 2, 3), Span("9", 2, 3))
    assert [each.lemma for each in documents[1].sentences[0].propositions] == ["sell", "turn", "offer"]
    rays = documents[3].sentences[0]
    assert rays.words[1] == "café\u00a0Øst"
    assert rays.entities == (Span("ORG", 1, 2), Span("GPE", 4, 5), Span("CARDINAL", 9, 10))
    assert rays.propositions[0] == Proposition(
        8, "x-ray", "01", (Span("ARG0", 0, 6), Span("V", 6, 7), Span("C-V", 8, 9), Span("ARG1", 9, 11))
    )
    assert documents[3].clusters() == {
        "1": [Mention(0, 0, 6)],
        "2": [Mention(0, 1, 2)],
        "4": [Mention(0, 4, 5), Mention(0, 4, 6)],
    }
    assert said(documents) == independent_reading(GOOD)


@pytest.mark.parametrize(
    ("variant", "content"),
    [
        ("as it is", GOOD),
        ("Windows line ends", GOOD.replace("\n", "\r\n")),
        (
            "tabs",
            re.sub(" +", "\t", GOOD).replace("#begin\tdocument\t", "#begin document ").replace("\tpart\t", " part "),
        ),
        ("blanks around rows", re.sub("(?m)^(?=[bn])", "  ", GOOD).replace("-\n", "- \t\n")),
        (
            "many blank lines",
            "\n\n" + GOOD.replace("\n\n", "\n \t\n\n").replace("#end document\n", "#end document\n\n \n"),
        ),
        ("no blank line before the end", GOOD.replace("\n\n#end", "\n#end")),
    ],
)
def test_variants_say_the_same_and_come_back_to_the_byte(path: Path, variant: str, content: str) -> None:
    documents = read(path, content.replace("#end\tdocument", "#end document"))
    assert said(documents) == independent_reading(GOOD)
    written = path.with_name("written")
    write_documents(written, documents)
    assert written.read_bytes() == path.read_bytes()


def test_a_missing_line_feed_at_the_end_is_added(path: Path) -> None:
    write_documents(path, read(path, GOOD.removesuffix("\n")))
    assert path.read_text(encoding="utf-8") == GOOD


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_files_and_folders(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    parts = re.findall("(?s)#begin.*?#end document\n", GOOD)
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "b/c/2.v4_gold_conll").write_text(parts[1], encoding="utf-8")
    (tmp_path / f"a.gold_conll{suffix}").write_bytes(compress(parts[0].encode()))
    (tmp_path / "b/x.gold_conll").write_text(parts[2] + parts[3], encoding="utf-8")
    (tmp_path / "b/x.gold_skel").write_text("not read", encoding="utf-8")
    (tmp_path / "a.gold_conll.bak").write_text("not read", encoding="utf-8")
    with caplog.at_level("INFO"):
        documents = list(read_documents(tmp_path))
    assert [(one.file, one.line) for one in documents] == [
        (str(tmp_path / f"a.gold_conll{suffix}"), 1),
        (str(tmp_path / "b/c/2.v4_gold_conll"), 1),
        (str(tmp_path / "b/x.gold_conll"), 1),
        (str(tmp_path / "b/x.gold_conll"), 3),
    ]
    assert said(documents) == said(list(read_documents(FILE)))
    assert caplog.messages == [
        f"{tmp_path}: 2 files are not read for their names, the first is {tmp_path / 'a.gold_conll.bak'}"
    ]


def test_a_folder_without_such_files(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text(GOOD, encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{tmp_path}: no file of this folder has a name that ends in gold_conll, "):
        list(read_documents(tmp_path))


def test_other_coreference_leaves_all_else_alone(path: Path) -> None:
    document = next(read_documents(FILE))
    assert document.with_clusters(document.clusters()) == document
    changed = document.with_clusters({"0": [Mention(2, 0, 2), Mention(0, 4, 5)], "11": [Mention(0, 3, 6)]})
    assert changed.clusters() == {"11": [Mention(0, 3, 6)], "0": [Mention(0, 4, 5), Mention(2, 0, 2)]}
    write_documents(path, [changed])
    (again,) = read_documents(path)
    assert again == changed
    for one, other in zip(document.sentences, again.sentences, strict=True):
        assert dataclasses.replace(one, mentions=other.mentions) == other
    cells = {5: "(11", 6: "(0)", 7: "11)", 21: "(0", 22: "0)"}
    for number, (before, after) in enumerate(zip(document.lines, changed.lines, strict=True), start=1):
        is_row = before.startswith("bc/")
        assert after == (re.sub(r"\S+$", cells.get(number, "-"), before) if is_row else before)


def test_coreference_of_rows_that_end_in_blanks(path: Path) -> None:
    (document,) = read(path, "#begin document (a); part 000\na 0 0 w - * - - - - * -\t \r\n#end document\n")
    assert document.with_clusters({"4": [Mention(0, 0, 1)]}).lines[1] == "a 0 0 w - * - - - - * (4)\t \r"


def test_clusters_that_cannot_be_written() -> None:
    document = next(read_documents(FILE))
    with pytest.raises(ValueError, match="leaves the sentence of 2 tokens"):
        document.with_clusters({"0": [Mention(2, 0, 3)]})
    with pytest.raises(ValueError, match="two mentions of one cluster cross"):
        document.with_clusters({"0": [Mention(0, 0, 4), Mention(0, 2, 6)]})


def changed(old: str, new: str, count: int = 1) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, count)


def row(number: int, **columns: str) -> str:
    """The fixture with other cells in one line; `c7` is the seventh column."""
    lines = GOOD.split("\n")
    cells = lines[number - 1].split(" ") if "  " not in lines[number - 1] else re.split(" +", lines[number - 1])
    for name, cell in columns.items():
        cells[int(name[1:]) - 1] = cell
    lines[number - 1] = " ".join(cells)
    return "\n".join(lines)


def test_a_predicate_whose_column_has_no_verb_is_kept_apart(path: Path) -> None:
    sentence = read(path, row(8, c13="*"))[0].sentences[0]
    hang, sell = next(read_documents(FILE)).sentences[0].propositions
    assert sentence.propositions == (hang,)
    spans = tuple(span for span in sell.arguments if span.label != "V")
    assert sentence.without_verb == (Proposition(6, "sell", "01", spans),)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", " no document in this file, expected '#begin document (ID); part 000' and later '#end doc"),
        ("\n \n", " no document in this file, expected"),
        (changed("#begin", "#Begin"), "1: found '#Begin document (bc/harbour/00/harbour_0001); part 000' ou"),
        (changed("#end document\n", ""), "24: a document begins, but that of line 1 has no '#end document'"),
        (
            GOOD.removesuffix("#end document\n"),
            "52: this document has no end; expected '#end document' at the latest in line 69.",
        ),
        (changed("\n#end", "\n#end document\n#end"), "25: a document ends, but none has begun."),
        (changed("_0001); part 000", "_0001) part 000"), "1: found '#begin document (bc/harbour/00/harbour_"),
        (changed("part 001", "part one"), "25: found '#begin document (bc/harbour/00/harbour_0001); part on"),
        (changed("); part 001", "); part 000"), "26: found document 'bc/harbour/00/harbour_0001', part '1', "),
        (row(28, c1="bc/other"), "28: found document 'bc/other', part '1', expected 'bc/harbour/00/harbour_"),
        (row(28, c2="+1"), "28: found document 'bc/harbour/00/harbour_0001', part '+1', expected"),
        (GOOD + GOOD, "71: document (bc/harbour/00/harbour_0001), part 0 was read from "),
        (row(57, c13="- x"), "57: found 14 columns, expected 13 as in the sentence's first line 53."),
        (row(53, c13=""), "54: found 13 columns, expected 12 as in the sentence's first line 53."),
        (row(66, c12="", c11="-"), "66: found 11 columns ('nw/tide/00/tide_0001 12 0 uh XX (TOP* - - - - - '), "),
        (changed("\n\n", "\n"), "15: the words are numbered from 0 again, expected 13; is a blank line mis"),
        (row(18, c3="3"), "18: the number of the word is '3', expected 2."),
        (row(18, c3="two"), "18: the number of the word is 'two', expected 2."),
        (row(16, c3="1"), "16: the number of the word is '1', expected 0."),
        # a frameset more or less than columns
        (row(10, c8="01"), "2: this sentence has 2 columns of arguments for 3 predicates (rows with a frameset"),
        (row(8, c8="-"), "2: this sentence has 2 columns of arguments for 1 predicates"),
        (row(17, c8="-"), "16: this sentence has 1 columns of arguments for 0 predicates"),
        (row(22, c8="01"), "22: column 7 has no lemma, expected that of frameset '01'."),
        # verbs
        (row(9, c13="(V*"), "9: column 13 (predicate 'sell' of word 6): found 2 spans of 'V', expected exac"),
        # brackets of each kind
        (row(4, c6="*))))))"), "4: column 6 (parse): '*))))))' closes 6 brackets, but 2 are open; expected no more."),
        (row(14, c6="*"), "2: column 6 (parse): a bracket of '(TOP(S(NP*' is not closed before the sentence"),
        (row(5, c6="-"), "5: column 6 (parse): found '-', expected '*', with any '(LABEL' before and"),
        (row(3, c11="*"), "12: column 11 (named entity): '(ORG*' stands inside '(PERSON*' of token 0, expec"),
        (row(13, c11="*"), "12: column 11 (named entity): the bracket of '(ORG*' is not closed before"),
        (row(2, c11="*"), "3: column 11 (named entity): '*)' closes a bracket, but none is open; expected '*'."),
        (row(5, c12="*"), "4: column 12 (predicate 'hang' of word 3): the bracket of '(V*' is not closed"),
        (row(5, c13="*)"), "5: column 13 (predicate 'sell' of word 6): '*)' closes a bracket, but none"),
        # coreference
        (row(3, c14="-"), "2: column 14 (coreference): the mention that begins with '(3' does not end in"),
        (
            row(3, c14="-").replace("(3)\n", "3)\n"),
            "2: column 14 (coreference): the mention that begins with '(3' does not end in this sentence; expected '3",
        ),
        (row(2, c14="-"), "3: column 14 (coreference): '3)' ends a mention that does not begin in this sen"),
        (row(57, c13="(4(4)"), "57: column 13 (coreference): found '(4(4)', expected '-' or parts like '(7'"),
    ],
)  # fmt: skip
def test_what_is_refused_with_its_line(
    path: Path, content: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"^{re.escape(path.name)}:{re.escape(sentence)}"):
        list(read_documents(path.name))


def test_bytes_and_damage_are_named_with_their_line(path: Path) -> None:
    path.write_bytes(GOOD.encode("latin-1"))
    with pytest.raises(InputError, match=r"x\.gold_conll:54: byte 30 of the line \(0xe9\) is not UTF-8"):
        list(read_documents(path))
    damaged = path.with_suffix(".gz")
    damaged.write_bytes(gzip.compress(GOOD.encode())[:-20])
    with pytest.raises(InputError, match=r"x\.gz:\d+: the compressed file is damaged or cut short here"):
        list(read_documents(damaged))


pieces = st.sampled_from(
    [
        *" \t\r\n-*()|07é\u00a0\x85\x00\ufeff",
        "\n\n",
        "*)",
        "(V*)",
        "01",
        "#begin document (a); part 000\n",
        "#end document\n",
    ]
)


@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    line=st.integers(0, GOOD.count("\n") - 1),
    begin=st.integers(0, 150),
    length=st.integers(0, 30),
    inserted=st.lists(pieces, max_size=2).map("".join),
)
@example(line=0, begin=0, length=0, inserted="\ufeff")
@example(line=15, begin=0, length=150, inserted="")
@example(line=14, begin=0, length=150, inserted="")
def test_a_mutated_line_is_read_right_or_refused_with_file_and_line(
    path: Path, line: int, begin: int, length: int, inserted: str
) -> None:
    lines = GOOD.split("\n")
    lines[line] = lines[line][:begin] + inserted + lines[line][begin + length :]
    content = "\n".join(lines)
    documents, refusal = None, ""
    try:
        documents = read(path, content)
    except InputError as error:
        refusal = str(error)
    if documents is None:
        named = re.match(r".*x\.gold_conll:(\d+): ", refusal)
        assert named, refusal
        assert refusal.isprintable(), refusal
        assert 1 <= int(named[1]) <= content.count("\n") + 1
        return
    assert said(documents) == independent_reading(content)
    write_documents(path.with_name("written"), documents)
    assert path.with_name("written").read_bytes() == content.encode()


@pytest.mark.parametrize("corpus", ["srl/ewt/ewt", "coref/ontogum/ontogum"])
def test_real_files_come_back_to_the_byte(shared_folder: Path, path: Path, corpus: str) -> None:
    """And so do their mentions, which are encoded anew."""
    source = shared_folder / f"data/{corpus}.dev.gold_conll.xz"
    content = lzma.decompress(source.read_bytes())
    documents = list(read_documents(source))
    assert said(documents) == independent_reading(content.decode())
    write_documents(path, [document.with_clusters(document.clusters()) for document in documents])
    assert path.read_bytes() == content
    write_documents(path, documents)
    assert path.read_bytes() == content


@pytest.mark.real
@pytest.mark.parametrize(
    ("corpus", "num_documents", "num_sentences", "num_tokens", "num_predicates", "num_mentions", "num_clusters"),
    [
        ("srl/ewt/ewt.train", 540, 12543, 204586, 40486, 0, 0),
        ("srl/ewt/ewt.dev", 297, 1974, 24969, 4977, 0, 0),
        ("srl/ewt/ewt.test", 308, 2062, 25009, 4799, 0, 0),
        ("coref/ontogum/ontogum.train", 177, 10224, 177410, 0, 23320, 5311),
        ("coref/ontogum/ontogum.dev", 30, 1575, 28119, 0, 3818, 857),
        ("coref/ontogum/ontogum.test", 30, 1464, 28397, 0, 3581, 858),
    ],
)
def test_real_files_have_their_published_counts(
    shared_folder: Path,
    path: Path,
    corpus: str,
    num_documents: int,
    num_sentences: int,
    num_tokens: int,
    num_predicates: int,
    num_mentions: int,
    num_clusters: int,
) -> None:
    source = shared_folder / f"data/{corpus}.gold_conll.xz"
    documents = list(read_documents(source))
    sentences = [sentence for document in documents for sentence in document.sentences]
    assert (len(documents), len(sentences)) == (num_documents, num_sentences)
    assert sum(len(sentence.words) for sentence in sentences) == num_tokens
    assert sum(len(sentence.propositions) for sentence in sentences) == num_predicates
    assert sum(len(sentence.mentions) for sentence in sentences) == num_mentions
    assert sum(len(document.clusters()) for document in documents) == num_clusters
    write_documents(path, documents)
    assert path.read_bytes() == lzma.decompress(source.read_bytes())


def test_a_plain_document_is_read_back(path: Path) -> None:
    words, speakers = [["It", "sank", "."], ["Yes"]], [["Jon"] * 3, ["-"]]
    clusters = {"4": [Mention(0, 0, 1), Mention(0, 1, 3)]}
    document = plain_document("a/b_1", 2, words, speakers).with_clusters(clusters)
    write_documents(path, [document])
    (found,) = read_documents(path)
    assert found == document
    assert (found.id, found.part) == ("a/b_1", 2)
    assert [list(sentence.words) for sentence in found.sentences] == words
    assert [list(sentence.speakers) for sentence in found.sentences] == speakers
    assert found.clusters() == clusters
    assert plain_document("a", 0, [], []).lines == ("#begin document (a); part 000", "#end document")


@pytest.mark.parametrize(
    ("name", "word", "speaker", "bad"),
    [("a", "New York", "-", "New York"), ("a", "It", "", ""), ("a b", "It", "-", "a b"), ("a", "x\ny", "-", "x\\ny")],
)
def test_what_columns_cannot_hold_is_refused(name: str, word: str, speaker: str, bad: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"{bad!r} of document") if "\\" not in bad else "of document"):
        plain_document(name, 0, [[word]], [[speaker]])
