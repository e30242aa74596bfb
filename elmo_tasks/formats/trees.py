r"""
Sentiment trees of the Stanford Sentiment Treebank, one bracketed tree a line, as in ``trainDevTestTrees_PTB``.

A node is ``(LABEL child child)`` or ``(LABEL token)``, with LABEL from 0 (very negative) to 4 (very positive). Tokens
carry Penn Treebank escapes (``-LRB-``, ``\/``) and may contain any character but a blank and brackets; some hold a
non-breaking space, so that nothing here may split on Unicode white space.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from elmo_tasks.errors import InputError
from elmo_tasks.formats.files import open_to_write, read_lines

LABELS = ("0", "1", "2", "3", "4")
_MAX_CHILDREN = 2
# Deeper than any sentence has words; a guard for what walks or compares trees recursively.
_MAX_DEPTH = 400
# A tab or a stray carriage return in a word is damage, a non-breaking space is not: the treebank has two.
_DELIMITERS = frozenset("() \t\r\v\f")


@dataclass(frozen=True, slots=True)
class Tree:
    """
    A node of a sentiment tree and what is under it.

    Parameters
    ----------
    label
        one of ``LABELS``.
    children
        the one or two nodes below; empty for a leaf.
    token
        the word of a leaf; ``None`` for an inner node.
    """

    label: str
    children: tuple["Tree", ...] = ()
    token: str | None = None

    def subtrees(self) -> Iterator["Tree"]:
        """This node and all nodes below it, parents first, left to right."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def tokens(self) -> list[str]:
        """The words of this node, left to right."""
        return [node.token for node in self.subtrees() if node.token is not None]

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """
        ``(label, start, end)`` of this node and all below it, in the order of ``subtrees``.

        The words of a node are ``tokens()[start:end]`` of the node this is asked of.
        """
        lengths: dict[int, int] = {}
        for node in reversed(list(self.subtrees())):
            lengths[id(node)] = 1 if node.token is not None else sum(lengths[id(child)] for child in node.children)
        stack = [(self, 0)]
        while stack:
            node, start = stack.pop()
            yield node.label, start, start + lengths[id(node)]
            below = []
            for child in node.children:
                below.append((child, start))
                start += lengths[id(child)]
            stack.extend(reversed(below))

    def __str__(self) -> str:
        """The tree as its line of the file."""
        pieces: list[str] = []
        stack: list[Tree | str] = [self]
        while stack:
            node = stack.pop()
            if isinstance(node, str):
                pieces.append(node)
                continue
            pieces.append(f"({node.label} {node.token})" if node.token is not None else f"({node.label}")
            if node.token is None:
                stack.append(")")
                for child in reversed(node.children):
                    stack.extend((child, " "))
        return "".join(pieces)


def parse_tree(line: str, source: str = "tree") -> Tree:
    """
    Parse one line strictly: what is accepted is written back by ``str`` character for character.

    Parameters
    ----------
    line
        one bracketed tree, without its line feed.
    source
        what an error names in front, usually ``path:line``.

    Raises
    ------
    InputError
        With the column (from 1) and what was found and expected there.
    """
    return _Parser(line, source).parse()


class _Parser:
    """One line, a position in it, and the nodes that are open there."""

    def __init__(self, line: str, source: str) -> None:
        self._line = line
        self._source = source
        self._position = 0

    def parse(self) -> Tree:
        if not self._line.strip():
            raise InputError(f"{self._source}: an empty line, expected one tree a line; remove the line.")
        if self._line.endswith("\r"):
            raise InputError(f"{self._source}: the line ends in a carriage return; convert the file to Unix line ends.")
        # (column of the bracket, label, children so far) of every node whose closing bracket is still to come
        open_nodes: list[tuple[int, str, list[Tree]]] = []
        while True:
            column = self._position
            self._expect("(", "an opening bracket")
            open_nodes.append((column, self._label(), []))
            if len(open_nodes) > _MAX_DEPTH:
                raise self._error(f"more than {_MAX_DEPTH} brackets are open", at=column)
            self._expect(" ", "a blank between label and content")
            if self._peek() == "(":
                continue
            _, label, _ = open_nodes.pop()
            node = Tree(label, token=self._token())
            self._expect(")", "a closing bracket right behind the word")
            while open_nodes:
                column, label, children = open_nodes[-1]
                children.append(node)
                if self._peek() != ")":
                    break
                self._position += 1
                open_nodes.pop()
                node = Tree(label, tuple(children))
            if not open_nodes:
                break
            if len(open_nodes[-1][2]) == _MAX_CHILDREN:
                raise self._error(
                    f"expected a closing bracket for the node of column {open_nodes[-1][0] + 1}, which has its "
                    f"{_MAX_CHILDREN} children, found {self._found()}"
                )
            self._expect(" ", "a blank and a second child, or a closing bracket")
        if self._position != len(self._line):
            raise self._error(f"the tree is complete, but more follows: {self._line[self._position :][:20]!r}")
        return node

    def _label(self) -> str:
        label = self._until_delimiter()
        if label not in LABELS:
            found = repr(label) if label else self._found()
            raise self._error(f"expected a label from 0 to 4, found {found}", at=self._position - len(label))
        return label

    def _token(self) -> str:
        token = self._until_delimiter()
        if not token:
            raise self._error(f"expected a word or a child, found {self._found()}: a node must not be empty")
        return token

    def _until_delimiter(self) -> str:
        start = self._position
        while self._position < len(self._line) and self._line[self._position] not in _DELIMITERS:
            self._position += 1
        return self._line[start : self._position]

    def _peek(self) -> str:
        return self._line[self._position : self._position + 1]

    def _expect(self, character: str, description: str) -> None:
        if self._peek() != character:
            raise self._error(f"expected {description}, found {self._found()}")
        self._position += 1

    def _found(self) -> str:
        return repr(self._peek()) if self._peek() else "the end of the line (brackets do not balance)"

    def _error(self, message: str, at: int | None = None) -> InputError:
        column = (self._position if at is None else at) + 1
        return InputError(f"{self._source}: column {column}: {message}.")


def read_trees(path: str | Path) -> Iterator[tuple[int, Tree]]:
    """
    Yield ``(line number from 1, tree)`` of a file of trees, plain, .gz, .xz or .bz2.

    Raises
    ------
    InputError
        Naming file, line and column of the first thing that is not a tree; also for a file without any line.
    """
    number = 0
    for number, line in read_lines(path):
        yield number, parse_tree(line, source=f"{path}:{number}")
    if number == 0:
        raise InputError(f"{path}: the file is empty, expected one tree a line.")


def write_trees(path: str | Path, trees: Iterable[Tree]) -> None:
    """Write trees one a line; what ``read_trees`` read from an uncompressed file comes out byte for byte."""
    with open_to_write(path) as handle:
        for tree in trees:
            handle.write(f"{tree}\n")
