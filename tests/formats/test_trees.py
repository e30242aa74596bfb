"""Sentiment trees: strict, exact both ways, and equal to a plain recursive reading."""

import hashlib
import lzma
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.trees import LABELS, Tree, parse_tree, read_trees, write_trees

GOOD = "(3 (2 (2 It) (2 's)) (4 (3 warm) (2 (2 -LRB-) (2 (2 8\u00a01\\/2) (2 -RRB-)))))"

words = st.text(st.characters(exclude_characters="() \t\n\r\v\f", exclude_categories=["Cs"]), min_size=1, max_size=8)
trees = st.recursive(
    st.builds(lambda label, token: Tree(label, token=token), st.sampled_from(LABELS), words),
    lambda below: st.builds(
        lambda label, children: Tree(label, tuple(children)),
        st.sampled_from(LABELS),
        st.lists(below, min_size=1, max_size=2),
    ),
    max_leaves=12,
)


def recursive_spans(tree: Tree, start: int = 0) -> list[tuple[str, int, int]]:
    if tree.token is not None:
        return [(tree.label, start, start + 1)]
    below, end = [], start
    for child in tree.children:
        spans = recursive_spans(child, end)
        below += spans
        end = spans[0][2]
    return [(tree.label, start, end), *below]


def recursive_words(tree: Tree) -> list[str]:
    return (
        [tree.token] if tree.token is not None else [word for child in tree.children for word in recursive_words(child)]
    )


def recursive_text(tree: Tree) -> str:
    return f"({tree.label} {tree.token or ' '.join(recursive_text(child) for child in tree.children)})"


@given(trees)
def test_a_tree_is_written_and_read_back(tree: Tree) -> None:
    assert str(tree) == recursive_text(tree)
    assert parse_tree(str(tree)) == tree


@given(trees)
def test_words_and_spans_are_those_of_a_recursive_reading(tree: Tree) -> None:
    assert tree.tokens() == recursive_words(tree)
    assert list(tree.spans()) == recursive_spans(tree)
    assert [node.tokens() for node in tree.subtrees()] == [tree.tokens()[start:end] for _, start, end in tree.spans()]


@given(
    trees.map(str),
    st.lists(
        st.tuples(
            st.integers(0, 200),
            st.sampled_from(["delete", "insert", "replace", "cut", "double"]),
            st.sampled_from("()0245 a\t\r\u00a0\u2028"),
        ),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=400)
@example("(2 a)", [(0, "delete", "a")])
def test_a_changed_line_gives_the_error_or_itself(line: str, edits: list[tuple[int, str, str]]) -> None:
    for position, edit, character in edits:
        at = position % (len(line) + 1)
        line = {
            "delete": line[:at] + line[at + 1 :],
            "insert": line[:at] + character + line[at:],
            "replace": line[:at] + character + line[at + 1 :],
            "cut": line[:at],
            "double": line[:at] + line,
        }[edit]
    sentence, tree = None, None
    try:
        tree = parse_tree(line, "file:1")
    except InputError as error:
        sentence = str(error)
    if sentence is None:
        assert str(tree) == line
    else:
        assert sentence.startswith("file:1: ")
        assert "\n" not in sentence


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "an empty line, expected one tree a line"),
        ("  ", "an empty line"),
        ("(3 (2 a) (2 b)", "column 15: expected a closing bracket .*, found the end of the line"),
        ("(3 (2 a)", "column 9: expected a blank and a second child, or a closing bracket, found the end of the line"),
        ("(3 (2 a) (2 b)))", r"column 16: the tree is complete, but more follows: '\)'"),
        ("(3 (2 a) (2 b)) x", "column 16: the tree is complete, but more follows: ' x'"),
        ("(5 (2 a) (2 b))", "column 2: expected a label from 0 to 4, found '5'"),
        ("(3 (+1 a) (2 b))", r"column 5: expected a label from 0 to 4, found '\+1'"),
        ("(3 (2 a) ( b))", "column 11: expected a label from 0 to 4, found ' '"),
        ("(3 (2 a) (2 ))", r"column 13: expected a word or a child, found '\)': a node must not be empty"),
        ("(3)", r"column 3: expected a blank between label and content, found '\)'"),
        ("()", r"column 2: expected a label from 0 to 4, found '\)'"),
        ("(3 (2 a) (2 b) (2 c))", "column 15: .*the node of column 1, which has its 2 children, found ' '"),
        ("(3 (2 a b))", "column 8: expected a closing bracket right behind the word, found ' '"),
        ("(3 (2 a)  (2 b))", r"column 10: expected an opening bracket, found ' '"),
        ("(3 (2 a) (2 b)) ", "column 16: the tree is complete, but more follows: ' '"),
        ("3 a", "column 1: expected an opening bracket, found '3'"),
        ("(3 (2 a) (2 b))\r", "the line ends in a carriage return; convert the file to Unix line ends"),
        ("(2 " * 500, "column 1201: more than 400 brackets are open"),
    ],
)
def test_each_fault_has_its_sentence(line: str, sentence: str) -> None:
    with pytest.raises(InputError, match=f"^trees.txt:17: ({sentence})"):
        parse_tree(line, "trees.txt:17")


def test_a_broken_tree_is_named_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("(2 a)\n" * 16 + "(2 (2 a)\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"train\.txt:17: column 9: "):
        list(read_trees(path))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.touch()
    with pytest.raises(InputError, match=r"train\.txt: the file is empty"):
        list(read_trees(path))


@pytest.mark.parametrize("part", ["train", "dev"])
def test_a_file_comes_out_byte_for_byte(repository: Path, tmp_path: Path, part: str) -> None:
    source = repository / "fixtures" / "sst5" / f"{part}.txt"
    write_trees(tmp_path / "copy.txt", (tree for _, tree in read_trees(source)))
    assert (tmp_path / "copy.txt").read_bytes() == source.read_bytes()


@given(st.binary(max_size=60), st.integers(0, 2000))
@settings(max_examples=150)
def test_a_damaged_file_gives_the_error_or_the_same_bytes(tmp_path_factory, damage: bytes, position: int) -> None:
    content = f"{GOOD}\n(1 (2 a) (0 bad))\n".encode()
    at = position % len(content)
    content = content[:at] + damage + content[at + len(damage) // 2 :]
    path = tmp_path_factory.mktemp("trees") / "trees.txt"
    path.write_bytes(content)
    sentence, read = None, []
    try:
        read = [tree for _, tree in read_trees(path)]
    except InputError as error:
        sentence = str(error)
    if sentence is None:
        assert "".join(f"{tree}\n" for tree in read).encode() == content.removesuffix(b"\n") + b"\n"
    else:
        assert "trees.txt" in sentence


REAL = {
    "train": (8544, 163_563, 318_582, (1092, 2218, 1624, 2322, 1288), (8245, 34_362, 219_788, 44_194, 11_993)),
    "dev": (1101, 21_274, 41_447, (139, 289, 229, 279, 165), (1070, 4613, 28_305, 5781, 1678)),
    "test": (2210, 42_405, 82_600, (279, 633, 389, 510, 399), (2008, 9255, 56_548, 10_998, 3791)),
}
REAL_SHA256 = {
    "train": "e2f3f41b0b1e6d4dddc0effe3bfc2d27ed8928079aa9a03d652311614fc5feb7",
    "dev": "0e9336aed6e4730e19f58d00a77b3f0297efdb755f7b5e598c98a05e3f97ea40",
    "test": "6e54806dee95cf80cd918e7dfb3f6770f6df24bf826f289a4d1f709e1c8f6761",
}


@pytest.mark.real
@pytest.mark.parametrize("part", REAL)
def test_the_treebank_has_its_known_counts_and_comes_out_byte_for_byte(
    shared_folder: Path, tmp_path: Path, part: str
) -> None:
    source = shared_folder / "data" / "sst5" / f"{part}.txt.xz"
    read = [tree for _, tree in read_trees(source)]
    num_trees, num_tokens, num_nodes, roots, labels = REAL[part]
    assert len(read) == num_trees
    assert sum(len(tree.tokens()) for tree in read) == num_tokens
    of_nodes = Counter(node.label for tree in read for node in tree.subtrees())
    assert sum(of_nodes.values()) == num_nodes
    assert tuple(of_nodes[label] for label in LABELS) == labels
    of_roots = Counter(tree.label for tree in read)
    assert tuple(of_roots[label] for label in LABELS) == roots
    write_trees(tmp_path / "copy.txt", read)
    written = (tmp_path / "copy.txt").read_bytes()
    assert hashlib.sha256(written).hexdigest() == REAL_SHA256[part]
    with lzma.open(source) as original:
        assert written == original.read()
