"""Files of coreference: what of them is read, official outputs, and mutated lines."""

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.scoring import coref
from elmo_tasks.scoring.coref import CorefScore
from elmo_tasks.scoring.coref_files import read_documents, score_lines
from elmo_tasks.scoring.refusal import RefusalError

FIXTURES = Path(__file__).parents[2] / "fixtures/scoring/coref"


def numbered(text: str) -> Iterator[tuple[int, str]]:
    return enumerate(text.removesuffix("\n").split("\n") if text else (), start=1)


def document(*cells: str, name: str = "(a); part 000", separator: str = "\t") -> str:
    rows = "".join(f"w{separator}{cell}\n" if cell else "\n" for cell in cells)
    return f"#begin document {name}\n{rows}#end document\n"


def clusters_in(text: str) -> tuple[list[list[tuple[int, int]]], list[str]]:
    """The clusters of the only document of a text, and the warnings."""
    documents, warnings = read_documents(numbered(text), "file")
    (only,) = documents.values()
    return [[tuple(mention) for mention in cluster] for cluster in only.clusters], warnings


def score_texts(key: str, response: str) -> tuple[CorefScore, list[str]]:
    return score_lines(numbered(key), numbered(response), "key", "response")


@pytest.mark.parametrize(
    ("cells", "clusters"),
    [
        (["(1", "-", "1)"], [[(0, 2)]]),
        (["(1)|(2", "(1)", "2)"], [[(0, 0), (1, 1)], [(0, 2)]]),
        # Clusters are in the order of their first brackets, those of one token first; mentions in that of their ends.
        (["(3|(2)|(1)", "(1)", "3)"], [[(0, 0)], [(0, 0), (1, 1)], [(0, 2)]]),
        (["(3", "(3)", "3)"], [[(1, 1), (0, 2)]]),
        # No bar between, and a mention of one token written with two brackets.
        (["(1(2(2", "2)2)1)"], [[(0, 1)], [(0, 1), (0, 1)]]),
        (["(1|1)"], [[(0, 0)]]),
        # Crossing mentions.
        (["(1", "(2", "1)", "2)"], [[(0, 2)], [(1, 3)]]),
        # A beginning is taken before an end in the same cell: the mention that began before goes on.
        (["(1", "1)|(1", "1)"], [[(1, 1), (0, 2)]]),
        # The number is a name: 1 and 01 are two.
        (["(1)", "(01)"], [[(0, 0)], [(1, 1)]]),
        (["-", "_", "", "(1)"], [[(2, 2)]]),
        ([], []),
    ],
)
@pytest.mark.parametrize("separator", ["\t", " ", "   "])
def test_cells(cells: list[str], clusters: list[list[tuple[int, int]]], separator: str) -> None:
    assert clusters_in(document(*cells, separator=separator)) == (clusters, [])


@pytest.mark.parametrize(
    ("cell", "clusters"),
    [
        ("(3+1)", []),
        ("(3+1)|(2)", [[(0, 0)]]),
        ("*", []),
        ("(a)", []),
        ("(1)x", [[(0, 0)]]),
        # What is left when (2) is taken out is (13).
        ("(1(2)3)", [[(0, 0)], [(0, 0)]]),
        ("((5))", [[(0, 0)]]),
    ],
)
def test_what_is_no_bracket_is_passed_over_with_a_warning(cell: str, clusters: list[Any]) -> None:
    found, warnings = clusters_in(document("-", cell).replace("w\t-\n", ""))
    assert found == clusters
    if cell == "(1(2)3)":
        assert warnings == []
    else:
        assert warnings == [
            "file: cells of the last column with something else than brackets, which is not read: 1, "
            f"first line 2 ({cell!r})."
        ]


def test_the_last_column_is_behind_the_last_tab_or_else_the_last_blank() -> None:
    text = "#begin document a\nthe (9) (1)\nold (9)\t(1) (2)\t \nred\t(9)\t-\n#end document\n"
    assert clusters_in(text)[0] == [[(0, 0), (1, 1)], [(1, 1)]]


def test_lines_around_documents_carriage_returns_and_blanks_in_names() -> None:
    text = "a\n\n# begin document x y \r\nw (1)\r\n \r\nw (1)\r\n  #  end document z\r\n# comment\n"
    documents, warnings = read_documents(numbered(text), "file")
    assert {name: (each.line, each.rows) for name, each in documents.items()} == {"x y ": (3, [4, 6])}
    assert warnings == ["file: lines outside of documents, which are not read: 2, first line 1 ('a')."]


def test_a_mention_may_go_over_a_blank_line() -> None:
    """The official program does not look at blank lines; a mention that crosses a sentence is likely a mistake."""
    clusters, warnings = clusters_in(document("(1", "", "1)"))
    assert clusters == [[(0, 1)]]
    assert warnings == ["file: mentions with a blank line inside, which count all the same: 1, first line 4 ('1)')."]


def test_of_documents_with_one_name_the_last_counts() -> None:
    key = document("(1)", "(1)")
    score, warnings = score_texts(key, document("(1)", "-") + document("(1)", "(1)"))
    assert score.conll == 100
    assert warnings == [
        "response: documents with a name that stands here before, of which the last counts: 1, first line 5."
    ]


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (
            document("(1)", "(1)") + document("(1)", name="b"),
            "response: documents that key does not have, which do not count: 1, first line 5 ('b').",
        ),
        (
            document("(1)", "(1)", name="(a); part 000 "),
            "key: documents that response does not have, whose mentions count as missed: 1, first line 1",
        ),
        (
            document("(1)", "(1)", "-"),
            "response: documents with another number of rows than in key, by which mentions are compared: 1, first ",
        ),
        (
            document("(1)|(1)", "(1)|(2)"),
            "response: mentions of the key that stand here more than once, of which one counts: 2, first line 2.",
        ),
    ],
)
def test_what_is_odd_is_said_and_scored(response: str, sentence: str) -> None:
    _, warnings = score_texts(document("(1)", "(1)"), response)
    assert warnings[0].startswith(sentence)


@pytest.mark.parametrize("name", ["(a); part 000 ", "(a); part 0", "(a);part 00"])
def test_a_name_that_is_almost_right_is_said(name: str) -> None:
    other = document("-", name="(b); part 000")
    score, warnings = score_texts(other + document("(1)", "(1)"), other + document("(1)", "(1)", name=name))
    assert score.mentions.f1 == 0
    near = "response: names that differ in blanks or noughts alone from one of key, which makes them others: 1, first "
    assert f"{near}line 4 ({name!r})." in warnings
    assert len(warnings) == 3
    _, warnings = score_texts(other + document("(1)", "(1)"), other + document("-", name="(a); part 001"))
    assert len(warnings) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "file: there is no document in this file, expected '#begin document (NAME); part 000' and later"),
        ("a - (1)\n", "file: there is no document in this file"),
        (
            "#begin document a\nw (1)\n",
            "file:1: this document has no end; expected '#end document' at the latest in line 2.",
        ),
        (
            "#begin document a\nw (1)\n#begin document b\n#end document\n",
            "file:3: a document begins, but that of line 1 has no end; expected '#end document' before this line.",
        ),
    ],
)
def test_what_is_no_file_of_documents(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        read_documents(numbered(text), "file")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            document("(1)", "-", "7)"),
            "file:4: Detected the end of a mention [7](1) without begin (?,2); expected '(7' before it",
        ),
        (
            document("(1", "1)") + document("1)", name="b"),
            "file:6: Detected the end of a mention [1](0) without begin (?,0); expected '(1' before it",
        ),
        (
            document("(2", "(1", "2)"),
            "file:3: Error: some mentions in the document do not close; the one that '(1' begins here is the first, "
            "expected '1)' before the end of the document.",
        ),
    ],
)
def test_brackets_that_do_not_match_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(RefusalError, match=re.escape(sentence)):
        read_documents(numbered(text), "file")


def test_more_than_ten_repeated_mentions_are_refused() -> None:
    key = "".join(document("(1)", "(2)", name=name) for name in "ab")
    fine = document(*["(1)" + "|(1)" * 10, "(2)|(3)|(3)|(3)"], name="a") + document("(1)", "(2)|(2)|(2)", name="b")
    allowed = fine.replace("|(1)" * 10, "|(1)" * 5)
    score, warnings = score_texts(key, allowed)
    assert score.mentions == (4, 4, 4, 4)
    assert "of which one counts: 10, first line 2." in warnings[0]
    with pytest.raises(RefusalError, match=r"^response:7: Found too many repeated mentions \(> 10\) in the response, "):
        score_texts(key, allowed.replace("(2)|(2)|(2)", "(2)|(2)|(2)|(2)"))
    # Repeated mentions of the key, and those that the key does not have, may be as many as they like.
    score, warnings = score_texts(fine, key)
    assert warnings == []
    assert score.muc == (0, 10 + 2 + 2, 0, 0)


@pytest.fixture(scope="session")
def official(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked cases of the official program."""
    folder = tmp_path_factory.mktemp("golden")
    with tarfile.open(shared_folder / "data/golden/coref/golden_coref.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "coref"


def score_official(case: Path) -> CorefScore:
    texts = [(case / name).read_text(encoding="utf-8") for name in ("key_conll", "response_conll")]
    return score_texts(*texts)[0]


def test_official_totals(official: Path) -> None:
    """All 61 cases to the last of fifteen digits; one is refused, and four are where all metrics are run together."""
    expected = json.loads((official / "expected.json").read_text(encoding="utf-8"))
    assert len(expected) == 61
    refused = []
    for case, metrics in expected.items():
        metrics.pop("_all_refused", None)
        if not metrics:
            with pytest.raises(RefusalError, match="Found too many repeated mentions"):
                score_official(official / case)
            refused.append(case)
            continue
        values = json.loads(json.dumps(coref.to_dict(score_official(official / case))))
        printed = [metrics[metric]["Coreference"]["f1"] for metric in ("muc", "bcub", "ceafe")]
        assert values.pop("conll") == pytest.approx(sum(printed) / 3, abs=1e-12)
        assert values == metrics, case
    assert refused == ["24_too_many_duplicates_refused"]


def test_published_figures(official: Path) -> None:
    """What the program's authors publish for their cases, as fractions; cutting off can make 0.0001 of difference."""
    published = json.loads((official / "published_expected.json").read_text(encoding="utf-8"))
    compared = 0
    for case, metrics in published.items():
        score = score_official(official / case)
        for metric, figures in metrics.items():
            ours = getattr(score, metric)
            assert [ours.recall, ours.precision, ours.f1] == pytest.approx(figures, abs=2e-4), (case, metric)
            compared += 1
    assert compared == 91


NESTED = [(FIXTURES / f"nested_and_crossing.{side}").read_text(encoding="utf-8") for side in ("key", "response")]


@given(st.permutations(range(4)), st.sampled_from(["", "1", "00"]))
def test_names_of_clusters_do_not_matter(order: list[int], more: str) -> None:
    def rename(text: str) -> str:
        return re.sub(r"(?<=\()\d|\d(?=\))", lambda number: f"{more}{order[int(number[0])]}", text)

    assert score_texts(NESTED[0], rename(NESTED[1])) == score_texts(*NESTED)
    assert score_texts(rename(NESTED[0]), NESTED[1]) == score_texts(*NESTED)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    side=st.integers(0, 1),
    line=st.integers(0, 9),
    begin=st.integers(0, 20),
    length=st.integers(0, 12),
    inserted=st.sampled_from(
        ["", "(", ")", "1)", "(1", "(9)", "|", "\n", "\t", "#end document", "#", "+1", "\x00", "é"]
    ),
)
@example(side=0, line=8, begin=0, length=20, inserted="")
@example(side=1, line=0, begin=0, length=20, inserted="")
@example(side=1, line=3, begin=0, length=12, inserted="#end document")
def test_a_mutated_line_has_a_score_or_a_sentence(side: int, line: int, begin: int, length: int, inserted: str) -> None:
    texts = list(NESTED)
    lines = texts[side].split("\n")
    line %= len(lines)
    lines[line] = lines[line][:begin] + inserted + lines[line][begin + length :]
    texts[side] = "\n".join(lines)
    try:
        score, warnings = score_texts(*texts)
    except (InputError, RefusalError) as error:
        sentence = str(error)
    else:
        sentence = ""
    if sentence:
        assert re.match(rf"{'response' if side else 'key'}(:[1-9][0-9]*)?: .*expected .*\.$", sentence)
        return
    assert all(0 <= getattr(score, metric).f1 <= 1 for metric in CorefScore._fields)
    assert all(warning.startswith(("key", "response")) and warning.endswith(".") for warning in warnings)
    before = NESTED[side].split("\n")[line].split(" ")
    if 1 <= line <= 7 and lines[line].split(" ")[-1:] == before[-1:] and not set("\n\t#") & set(inserted):
        # All columns but the last can be what they like.
        assert (score, warnings) == score_texts(*NESTED)
