"""Reader of SNLI's sentence pairs."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer
from allennlp.data.fields import LabelField, MetadataField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from nltk.tokenize import TreebankWordTokenizer
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats.snli import LABELS, Pair, read_pairs, words_of_parse

logger = logging.getLogger(__name__)

WORD_SOURCES = ("text", "parse")


@DatasetReader.register("paper_snli")
class SNLIReader(DatasetReader):
    """
    Reads pairs of a premise and a hypothesis from SNLI's own files (docs/snli.md).

    It reads one file, or a list of them. A pair that stands in several, by its ``pairID``, is taken once. Pairs without
    a label (``-``) are left out where labels are read. How many of either there were is logged.

    Fields of an instance: ``premise`` and ``hypothesis`` (TextField), ``label`` (LabelField, an index into
    ``formats.snli.LABELS``, absent where unknown) and ``metadata`` with ``premise`` and ``hypothesis`` (lists of words)
    and ``pair_id`` (absent where unknown).

    Parameters
    ----------
    words_from
        ``text``: the sentences, split by rules alone (nltk's ``TreebankWordTokenizer``, which needs no download),
        quotes and brackets as they stand there. ``parse``: the words of the binary parses, ``-LRB-`` for a bracket; a
        file without parses is then an error.
    token_indexers
        AllenNLP's token indexers of both texts.
    read_labels
        ``False`` takes no notice of labels in a file, which may then be missing: all its pairs can be judged, and none
        can be trained on or evaluated.

    Raises
    ------
    InputError
        When reading, for what ``formats.snli.read_pairs`` refuses, a pair that another file has otherwise, and files
        without any labelled pair where labels are read.
    """

    def __init__(
        self,
        words_from: str = "text",
        token_indexers: dict[str, TokenIndexer] | None = None,
        read_labels: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if words_from not in WORD_SOURCES:
            raise InputError(f"dataset_reader.words_from is {words_from!r}, expected one of {', '.join(WORD_SOURCES)}.")
        self._words_from = words_from
        self._read_labels = read_labels
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}

    @overrides
    def _read(self, file_path: Any) -> Iterator[Instance]:
        paths = list(file_path) if isinstance(file_path, list | tuple) else [file_path]
        first_seen: dict[str, tuple[str, tuple[str, str, str | None]]] = {}
        read, unlabelled, repeated = 0, _Skipped("without a label"), _Skipped("that another file has too")
        for path in paths:
            for pair in read_pairs(path, self._read_labels):
                read += 1
                place = f"{path}:{pair.line}"
                if len(paths) > 1 and _is_repeated(pair, place, first_seen):
                    repeated.add(pair, place)
                elif self._read_labels and pair.label is None:
                    unlabelled.add(pair, place)
                else:
                    premise, hypothesis = self._words(pair, place)
                    yield self._instance(premise, hypothesis, pair.label, pair.pair_id)
        names = ", ".join(str(path) for path in paths)
        made = read - unlabelled.count - repeated.count
        if not made:
            raise InputError(
                f"{names}: no pair has a label, expected at least one with {', '.join(LABELS)}; to have "
                "them judged all the same, set dataset_reader.read_labels to false."
            )
        logger.info(
            "%s: %s pairs read, %s instances; skipped: %s, %s.",
            names,
            f"{read:,}",
            f"{made:,}",
            unlabelled,
            repeated,
        )

    @overrides(check_signature=False)
    def text_to_instance(
        self,
        premise: Sequence[str],
        hypothesis: Sequence[str],
        label: str | None = None,
        pair_id: str | None = None,
    ) -> Instance:
        """
        Make an instance of a tokenised pair.

        Parameters
        ----------
        premise, hypothesis
            their words.
        label
            one of ``formats.snli.LABELS``; ``None`` where unknown.
        pair_id
            what the official file of predictions calls the pair; ``None`` where it is in no file.

        Raises
        ------
        InputError
            If a text has no token, or there is no such label.
        """
        for name, words in (("premise", premise), ("hypothesis", hypothesis)):
            if not words:
                raise InputError(f"a {name} without any token cannot be judged: give at least one word.")
        if label is not None and label not in LABELS:
            raise InputError(f"label is {label!r}, expected one of {', '.join(LABELS)}.")
        return self._instance(list(premise), list(hypothesis), label, pair_id)

    @overrides
    def apply_token_indexers(self, instance: Instance) -> None:
        """Give both texts their indexers."""
        for name in ("premise", "hypothesis"):
            text = instance[name]
            assert isinstance(text, TextField)
            text.token_indexers = self._token_indexers

    def words_of_text(self, text: str) -> list[str]:
        """The words of a text, in the convention of this reader's files."""
        tokenizer = TreebankWordTokenizer()
        if self._words_from == "parse":
            words: list[str] = tokenizer.tokenize(text, convert_parentheses=True)
            return words
        return [text[start:end] for start, end in tokenizer.span_tokenize(text)]

    def _words(self, pair: Pair, place: str) -> tuple[list[str], list[str]]:
        if self._words_from == "text":
            return self.words_of_text(pair.premise), self.words_of_text(pair.hypothesis)
        words = []
        for number, parse in enumerate((pair.premise_parse, pair.hypothesis_parse), start=1):
            if parse is None or not words_of_parse(parse):
                found = "is missing" if parse is None else "has no word"
                raise InputError(
                    f"{place}: sentence{number}_binary_parse {found}, but dataset_reader.words_from is 'parse'; "
                    "set it to 'text'."
                )
            words.append(words_of_parse(parse))
        return words[0], words[1]

    def _instance(self, premise: list[str], hypothesis: list[str], label: str | None, pair_id: str | None) -> Instance:
        metadata: dict[str, Any] = {"premise": premise, "hypothesis": hypothesis}
        if pair_id is not None:
            metadata["pair_id"] = pair_id
        fields: dict[str, Field] = {
            "premise": TextField([Token(word) for word in premise]),
            "hypothesis": TextField([Token(word) for word in hypothesis]),
            "metadata": MetadataField(metadata),
        }
        if label is not None:
            fields["label"] = LabelField(LABELS.index(label), skip_indexing=True)
        return Instance(fields)


def _is_repeated(pair: Pair, place: str, first_seen: dict[str, tuple[str, tuple[str, str, str | None]]]) -> bool:
    """Whether an earlier file has the pair; if not, it is noted."""
    content = (pair.premise, pair.hypothesis, pair.label)
    first_place, first_content = first_seen.setdefault(pair.pair_id, (place, content))
    if first_place == place:
        return False
    if first_content != content:
        names = ("sentence1", "sentence2", "gold_label")
        other = next(name for name, one, two in zip(names, content, first_content, strict=True) if one != two)
        raise InputError(
            f"{place}: the pairID {pair.pair_id!r} is that of {first_place}, but {other} is another; one of the two "
            "files is not SNLI's."
        )
    return True


@dataclass
class _Skipped:
    """How many pairs were left out for one reason, and the first of them."""

    reason: str
    count: int = 0
    first: str = ""

    def add(self, pair: Pair, place: str) -> None:
        self.count += 1
        self.first = self.first or f"{place}: {pair.pair_id!r}"

    def __str__(self) -> str:
        return f"{self.count:,} {self.reason}" + (f" (first {self.first})" if self.count else "")
