"""Reader of the Stanford Sentiment Treebank."""

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer
from allennlp.data.fields import LabelField, MetadataField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats.trees import Tree, read_trees
from elmo_tasks.tasks.sst5.classes import class_names, class_of_label

logger = logging.getLogger(__name__)


@DatasetReader.register("paper_sst5")
class SST5Reader(DatasetReader):
    """
    Reads sentiment trees, one a line, and makes instances of whole sentences or of all labelled phrases.

    The paper trains on every labelled phrase of four or more tokens and evaluates on whole sentences (docs/sst5.md),
    so a config has two readers: one with ``phrases: true`` for training, one without for development and test.

    Fields of an instance: ``tokens`` (TextField), ``label`` (LabelField, the index of the class, absent where unknown)
    and ``metadata`` with ``tokens`` (list of words) and ``granularity``.

    Parameters
    ----------
    phrases
        whether every node of a tree is an instance (training) or its root alone (evaluation, the default).
    min_phrase_tokens
        with ``phrases``, nodes of fewer tokens are skipped, roots too: "only those with four or more tokens" makes no
        exception for them. Without ``phrases`` every root counts, however short.
    max_phrases
        with ``phrases``, a training budget: all roots and this many of the other nodes, drawn without replacement among
        those that are not skipped anyway; ``None`` takes them all.
    phrase_seed
        seed of that draw alone. The same file, seed and options give the same phrases in any program.
    granularity
        ``5-class``, ``3-class`` (negative, neutral, positive) or ``2-class`` (neutral nodes are skipped).
    token_indexers
        AllenNLP's token indexers of ``tokens``.
    """

    def __init__(
        self,
        phrases: bool = False,
        min_phrase_tokens: int = 4,
        max_phrases: int | None = None,
        phrase_seed: int = 0,
        granularity: str = "5-class",
        token_indexers: dict[str, TokenIndexer] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        class_names(granularity)
        if min_phrase_tokens < 1:
            raise InputError(f"dataset_reader.min_phrase_tokens is {min_phrase_tokens}, expected 1 or more.")
        if max_phrases is not None and max_phrases < 0:
            raise InputError(f"dataset_reader.max_phrases is {max_phrases}, expected 0 or more, or null for all.")
        if max_phrases is not None and not phrases:
            raise InputError("dataset_reader.max_phrases is set, but without phrases: true only roots are read.")
        self._phrases = phrases
        self._min_phrase_tokens = min_phrase_tokens if phrases else 1
        self._max_phrases = max_phrases
        self._phrase_seed = phrase_seed
        self._granularity = granularity
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}

    @overrides
    def _read(self, file_path: Any) -> Iterator[Instance]:
        trees = list(read_trees(file_path))
        skipped = _Skipped()
        nodes = [
            [node for node in self._nodes(tree) if self._counts(node, number, tree, skipped)] for number, tree in trees
        ]
        chosen = self._draw(sum(not node.is_root for of_tree in nodes for node in of_tree))
        num_roots, num_others, seen_others = 0, 0, 0
        for (_, tree), of_tree in zip(trees, nodes, strict=True):
            words = tree.tokens()
            tokens = [Token(word) for word in words]
            for node in of_tree:
                if node.is_root:
                    num_roots += 1
                else:
                    seen_others += 1
                    if chosen is not None and seen_others - 1 not in chosen:
                        continue
                    num_others += 1
                yield self._instance(tokens[node.start : node.end], words[node.start : node.end], node.class_index)
        self._report(file_path, len(trees), num_roots, num_others, seen_others, skipped)

    @overrides(check_signature=False)
    def text_to_instance(self, tokens: Sequence[str], label: str | None = None) -> Instance:
        """
        Make an instance of one tokenised text.

        Parameters
        ----------
        tokens
            its words, in the treebank's convention (``-LRB-`` for a bracket).
        label
            a tree's label, "0" to "4"; ``None`` where unknown.

        Raises
        ------
        InputError
            If there is no token, or the granularity has no class for the label.
        """
        if not tokens:
            raise InputError("a text without any token cannot be classified: give at least one word.")
        class_index = None if label is None else class_of_label(label, self._granularity)
        if label is not None and class_index is None:
            raise InputError(f"label {label!r} has no class at granularity {self._granularity!r}.")
        return self._instance([Token(word) for word in tokens], list(tokens), class_index)

    @overrides
    def apply_token_indexers(self, instance: Instance) -> None:
        """Give the text its indexers."""
        text = instance["tokens"]
        assert isinstance(text, TextField)
        text.token_indexers = self._token_indexers

    def _instance(self, tokens: list[Token], words: list[str], class_index: int | None) -> Instance:
        fields: dict[str, Field] = {
            "tokens": TextField(tokens),
            "metadata": MetadataField({"tokens": words, "granularity": self._granularity}),
        }
        if class_index is not None:
            fields["label"] = LabelField(class_index, skip_indexing=True)
        return Instance(fields)

    def _nodes(self, tree: Tree) -> Iterator["_Node"]:
        for position, (label, start, end) in enumerate(tree.spans()):
            yield _Node(start, end, position == 0, class_of_label(label, self._granularity))
            if not self._phrases:
                return

    def _counts(self, node: "_Node", line_number: int, tree: Tree, skipped: "_Skipped") -> bool:
        if node.end - node.start < self._min_phrase_tokens:
            kind = f"{'roots' if node.is_root else 'phrases'} of fewer than {self._min_phrase_tokens} tokens"
        elif node.class_index is None:
            kind = f"neutral {'roots' if node.is_root else 'phrases'}"
        else:
            return True
        skipped.add(kind, line_number, tree, node)
        return False

    def _draw(self, num_others: int) -> frozenset[int] | None:
        if self._max_phrases is None or self._max_phrases >= num_others:
            return None
        generator = random.Random(self._phrase_seed)
        return frozenset(generator.sample(range(num_others), self._max_phrases))

    def _report(
        self, path: Any, num_trees: int, num_roots: int, num_others: int, seen_others: int, skipped: "_Skipped"
    ) -> None:
        made = f"{num_roots:,} roots"
        if self._phrases:
            made += f" and {num_others:,} other phrases"
        if num_others < seen_others:
            made += f" (drawn from {seen_others:,} with phrase_seed {self._phrase_seed})"
        logger.info(
            "%s: %s trees read, instances: %s; skipped: %s.", path, f"{num_trees:,}", made, skipped or "nothing"
        )


@dataclass(frozen=True, slots=True)
class _Node:
    start: int
    end: int
    is_root: bool
    class_index: int | None


@dataclass
class _Skipped:
    """What a file's reading left out: a count for each kind, and where the first of it stood."""

    kinds: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, kind: str, line_number: int, tree: Tree, node: _Node) -> None:
        if kind in self.kinds:
            count, first = self.kinds[kind]
        else:
            text = " ".join(tree.tokens()[node.start : node.end])
            count, first = 0, f"line {line_number}: {text!r}"
        self.kinds[kind] = count + 1, first

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def __str__(self) -> str:
        return ", ".join(f"{count:,} {kind} (first in {first})" for kind, (count, first) in self.kinds.items())
