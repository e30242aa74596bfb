"""SNLI's files: pairs, predicted labels, the words of a parse, and a mistake named with its line."""

import gzip
import json
import lzma
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.snli import LABELS, NO_LABEL, Pair, read_pairs, read_predictions, words_of_parse

FIELDS = {
    "pair_id": "pairID",
    "premise": "sentence1",
    "hypothesis": "sentence2",
    "premise_parse": "sentence1_binary_parse",
    "hypothesis_parse": "sentence2_binary_parse",
}
PAIRS = [
    Pair(1, "1#0r1e", "A man ( old ) é.", " Un homme\u00a0!\n", "( ( A man ) . )", "( Un homme )", "entailment"),
    Pair(2, "1#0r1n", "A man.", "Nobody.", None, None, "neutral"),
    Pair(3, "1#0r1c", "A man.", "Nobody.", "( A ( man . ) )", None, None),
    Pair(4, "2#0r1c", "It rains.", "It is dry.", "", "( It ( is dry ) )", "contradiction"),
]


def record(pair: Pair) -> dict[str, Any]:
    """The object of a line, with fields that are not read."""
    values = {name: getattr(pair, field) for field, name in FIELDS.items() if getattr(pair, field) is not None}
    return {"annotator_labels": ["neutral"], "captionID": "1#0", "gold_label": pair.label or NO_LABEL, **values}


GOOD = "".join(f"{json.dumps(record(pair), ensure_ascii=pair.line % 2 == 0)}\n" for pair in PAIRS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snli.jsonl"


def read(path: Path, content: str) -> list[Pair]:
    path.write_text(content, encoding="utf-8", newline="")
    return list(read_pairs(path))


def with_fields(**fields: Any) -> str:
    """The second line with other fields, between the first and the third; `...` takes a field out."""
    fields = {**record(PAIRS[1]), **fields}
    line = json.dumps({name: value for name, value in fields.items() if value is not ...})
    first, _, third, *_ = GOOD.splitlines()
    return f"{first}\n{line}\n{third}\n"


@pytest.mark.parametrize(
    "content", [GOOD, GOOD.removesuffix("\n"), GOOD.replace("\n", "\r\n"), f"{GOOD}\n \n"], ids=range(4)
)
def test_a_file_is_read(path: Path, content: str) -> None:
    assert read(path, content) == PAIRS


@pytest.mark.parametrize("label", [..., "-", 7, "unknown", "entailment"])
def test_pairs_without_labels_can_be_wanted(path: Path, label: Any) -> None:
    path.write_text(with_fields(gold_label=label), encoding="utf-8")
    assert list(read_pairs(path, read_labels=False)) == [replace(pair, label=None) for pair in PAIRS[:3]]


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_files_are_read(tmp_path: Path, suffix: str, compress) -> None:
    path = tmp_path / f"snli.jsonl{suffix}"
    path.write_bytes(compress(GOOD.encode()))
    assert list(read_pairs(path)) == PAIRS


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "snli.jsonl: the file is empty, expected one sentence pair a line, each a JSON object."),
        ("\n\n", "snli.jsonl: the file is empty"),
        (GOOD.replace("\n", "\n\n"), "snli.jsonl:2: a blank line, but more follows; expected one JSON object a line."),
        (f" \t\n{GOOD}", "snli.jsonl:1: a blank line, but more follows"),
        (
            GOOD[:-30],
            "snli.jsonl:4: column 189: this is not JSON (Unterminated string starting at); is the file whole?",
        ),
        (f"{GOOD}[]\n", 'snli.jsonl:5: expected an object with "gold_label", found a list.'),
        (f"{GOOD}neutral\n", "snli.jsonl:5: column 1: this is not JSON (Expecting value)"),
        (with_fields(pairID=...), "snli.jsonl:2: there is no \"pairID\" among the keys 'annotator_labels', 'cap"),
        (with_fields(sentence1=...), 'snli.jsonl:2: there is no "sentence1"'),
        (with_fields(sentence2=...), 'snli.jsonl:2: there is no "sentence2"'),
        (with_fields(gold_label=...), 'snli.jsonl:2: there is no "gold_label"'),
        (with_fields(sentence1=["A", "man"]), 'snli.jsonl:2: "sentence1" must be a string, found a list.'),
        (with_fields(sentence2=None), 'snli.jsonl:2: "sentence2" must be a string, found null.'),
        (with_fields(pairID=7), 'snli.jsonl:2: "pairID" must be a string, found 7.'),
        (with_fields(sentence1_binary_parse=None), 'snli.jsonl:2: "sentence1_binary_parse" must be a string'),
        (with_fields(sentence2_binary_parse=0.5), 'snli.jsonl:2: "sentence2_binary_parse" must be a string'),
        (
            with_fields(gold_label="Neutral"),
            "snli.jsonl:2: \"gold_label\" is 'Neutral', expected one of entailment, neutral, contradiction, -.",
        ),
        (with_fields(gold_label=1), 'snli.jsonl:2: "gold_label" must be a string, found 1.'),
        (with_fields(sentence1=""), 'snli.jsonl:2: "sentence1" is empty, expected a sentence.'),
        (with_fields(sentence2=" \u00a0\t"), 'snli.jsonl:2: "sentence2" is empty, expected a sentence.'),
        (with_fields(pairID="1#0r1e"), "snli.jsonl:2: the pairID '1#0r1e' is that of line 1; remove one of the two."),
        (with_fields(pairID="1#0r1c"), "snli.jsonl:3: the pairID '1#0r1c' is that of line 2; remove one of the two."),
    ],
)
def test_what_is_refused_with_its_line(path: Path, content: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        read(path, content)
    assert str(refused.value).removeprefix(f"{path.parent}/").startswith(sentence)


def test_bytes_that_are_not_utf8_are_named(path: Path) -> None:
    path.write_bytes(GOOD.encode("latin-1"))
    with pytest.raises(InputError, match=r"snli\.jsonl:1: byte \d+ of the line \(0xe9\) is not UTF-8"):
        list(read_pairs(path))


def independent_reading(content: str) -> list[Pair]:
    """The pairs of a file that is in order."""
    lines = [(number, json.loads(line)) for number, line in enumerate(content.split("\n"), start=1) if line.strip()]
    return [
        Pair(
            number,
            **{field: each.get(name) for field, name in FIELDS.items()},
            label=each["gold_label"] if each["gold_label"] in LABELS else None,
        )
        for number, each in lines
    ]


pieces = st.sampled_from(
    [" ", "\n", "\r", '"', "{", "}", ",", ":", "\\", "-", "null", "1", "neutral", "e", "\u00a0", "\ufeff", "\x00", "[]"]
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    line=st.integers(0, len(PAIRS)),
    begin=st.integers(0, 300),
    length=st.integers(0, 40),
    inserted=st.lists(pieces, max_size=3).map("".join),
)
@example(line=0, begin=0, length=400, inserted="")
@example(line=3, begin=0, length=400, inserted="")
@example(line=0, begin=0, length=0, inserted="\ufeff")
def test_a_mutated_line_is_read_right_or_refused_with_file_and_line(
    path: Path, line: int, begin: int, length: int, inserted: str
) -> None:
    lines = GOOD.split("\n")
    lines[line] = lines[line][:begin] + inserted + lines[line][begin + length :]
    content = "\n".join(lines)
    pairs, refusal = None, ""
    try:
        pairs = read(path, content)
    except InputError as error:
        refusal = str(error)
    if pairs is not None:
        assert pairs == independent_reading(content)
        return
    named = re.match(r".*snli\.jsonl:(\d+): ", refusal)
    assert named, refusal
    assert refusal.isprintable()
    # Where the mutation is, or where a pair stands whose pairID it now has.
    last = len(lines) if "is that of line" in refusal else line + 1
    assert line + 1 <= int(named[1]) <= last + inserted.count("\n"), refusal


@pytest.mark.parametrize(
    ("parse", "words"),
    [
        ("( ( A man ) ( runs . ) )", ["A", "man", "runs", "."]),
        ("( He ( -LRB- ( ( the man ) -RRB- ) ) )", ["He", "-LRB-", "the", "man", "-RRB-"]),
        ("Nobody", ["Nobody"]),
        ("( :-) (-: )", [":-)", "(-:"]),
        ("", []),
    ],
)
def test_words_of_a_parse(parse: str, words: list[str]) -> None:
    assert words_of_parse(parse) == words


trees = st.recursive(
    st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1).filter(
        lambda word: word not in ("(", ")")
    ),
    lambda nodes: st.tuples(nodes, nodes),
    max_leaves=8,
)


@given(trees)
def test_words_of_any_parse(tree: Any) -> None:
    def write(node: Any) -> str:
        return node if isinstance(node, str) else f"( {write(node[0])} {write(node[1])} )"

    def leaves(node: Any) -> list[str]:
        return [node] if isinstance(node, str) else leaves(node[0]) + leaves(node[1])

    assert words_of_parse(write(tree)) == leaves(tree)


PREDICTED = '{"pairID": "a", "label": "neutral", "score": 0.5}\n{"label": "entailment", "pairID": "b"}\n'


def read_labels(content: str) -> dict[str, str]:
    return read_predictions(enumerate(content.split("\n"), start=1), "p.jsonl")


def test_predicted_labels_are_read() -> None:
    assert read_labels(PREDICTED) == {"a": "neutral", "b": "entailment"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("\n", 'p.jsonl: the file is empty, expected one JSON object a line, with "pairID" and "label".'),
        (PREDICTED.replace('"b"', '"a"'), "p.jsonl:2: the pairID 'a' is that of line 1; remove one of the two."),
        (
            PREDICTED.replace("entailment", "-"),
            "p.jsonl:2: \"label\" is '-', expected one of entailment, neutral, contradiction.",
        ),
        (PREDICTED.replace("neutral", "NEUTRAL"), "p.jsonl:1: \"label\" is 'NEUTRAL', expected one of entailment"),
        (PREDICTED.replace('"neutral"', "1"), 'p.jsonl:1: "label" must be a string, found 1.'),
        (
            PREDICTED.replace('"label"', '"gold_label"'),
            "p.jsonl:1: there is no \"label\" among the keys 'pairID', 'gold_",
        ),
        (PREDICTED.replace('"b"', "2"), 'p.jsonl:2: "pairID" must be a string, found 2.'),
        (PREDICTED.replace("\n", "\n\n"), "p.jsonl:2: a blank line, but more follows"),
        (PREDICTED[:-4], "p.jsonl:2: column 35: this is not JSON (Unterminated string"),
        ("neutral\n", "p.jsonl:1: column 1: this is not JSON (Expecting value)"),
    ],
)
def test_predicted_labels_that_are_refused(content: str, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        read_labels(content)
    assert str(refused.value).startswith(sentence)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "counts", "has_parses"),
    [
        ("dev", (3329, 3235, 3278, 158), True),
        ("test", (3368, 3219, 3237, 176), True),
        ("train.sample5502", (1806, 1786, 1906, 4), True),
        ("train.first1000", (334, 332, 332, 2), True),
        ("train.next1002.reduced", (336, 331, 335, 0), False),
    ],
)
def test_real_files_have_their_published_counts(
    shared_folder: Path, name: str, counts: tuple[int, ...], has_parses: bool
) -> None:
    path = shared_folder / f"data/snli/snli_1.0_{name}.jsonl.xz"
    pairs = list(read_pairs(path))
    labels = Counter(pair.label for pair in pairs)
    assert tuple(labels[label] for label in (*LABELS, None)) == counts
    assert pairs == independent_reading(lzma.decompress(path.read_bytes()).decode("utf-8"))
    for pair in pairs:
        for sentence, parse in ((pair.premise, pair.premise_parse), (pair.hypothesis, pair.hypothesis_parse)):
            assert (parse is not None) == has_parses
            if parse is not None:
                # Quotes and brackets are written otherwise in a parse; letters and digits are those of the sentence.
                words = [re.sub("-[LR][RSC]B-", "", word) for word in words_of_parse(parse)]
                assert re.findall(r"[^\W_]", "".join(words)) == re.findall(r"[^\W_]", sentence)
