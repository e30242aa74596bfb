"""Reader of predicates and their arguments from CoNLL-2012's columns."""

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import MetadataField, SequenceLabelField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import NOTHING, VERB, Document, Sentence, read_documents
from elmo_tasks.formats.tags import OUTSIDE, Span, encode
from elmo_tasks.tasks.srl.metric import NO_PREDICATE, TAG_SCHEME

logger = logging.getLogger(__name__)

LABEL_NAMESPACE = "labels"
"""Of the tags; the name that allennlp-models' tagger expects, so that it can read these instances too."""


class RoleTagsField(SequenceLabelField):
    """
    The tags of a predicate's sentence; one that the training data has not is taken for "outside".

    No model can find such a role. The model counts its argument as missed, and says so.
    """

    @overrides
    def index(self, vocab: Vocabulary) -> None:
        """Look the tags up."""
        known = vocab.get_token_to_index_vocabulary(self._label_namespace)
        # without any "outside" in training, which no real data have, the most frequent tag stands for it
        outside = known.get(OUTSIDE, 0)
        self._indexed_labels = [known.get(tag, outside) for tag in self.labels]


@DatasetReader.register("paper_srl")
class SRLReader(DatasetReader):
    """
    Reads predicates with their arguments, an instance each (docs/srl.md).

    Fields of an instance: ``tokens`` (TextField); ``verb_indicator`` (SequenceLabelField, 1 at the words of the span
    ``V``, else 0); ``tags`` (SequenceLabelField in IOB2 with ``V``, ``C-`` and ``R-`` as roles of their own, absent
    where unknown); ``metadata`` with ``words`` and, of a file, ``sentence`` (its number in what was read, from 0),
    ``proposition`` and ``num_propositions`` (number of this one in its sentence, from 0, and of all), ``predicate``
    (the row with the lemma), ``lemma``, ``arguments`` (spans, ``V`` among them), and ``verb``, ``verb_index`` and
    ``gold_tags`` under the names that allennlp-models' tagger reads. A sentence without a predicate is an instance too,
    all "outside": ``predicate`` is then -1 and ``verb_index`` None.

    Parameters
    ----------
    skip_without_verb
        whether predicates whose column has no span ``V`` are skipped, and counted in the log, instead of being refused.
    keep_without_predicate
        whether sentences without a predicate are instances; the official file of predictions needs them.
    max_predicates
        a training budget: this many of the predicates, drawn without replacement, and the same share of the sentences
        without any; ``None`` takes them all.
    predicate_seed
        seed of that draw alone. The same files, seed and options give the same instances in any program.
    token_indexers
        AllenNLP's token indexers of ``tokens``.
    """

    def __init__(
        self,
        skip_without_verb: bool = False,
        keep_without_predicate: bool = True,
        max_predicates: int | None = None,
        predicate_seed: int = 0,
        token_indexers: dict[str, TokenIndexer] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_predicates is not None and max_predicates < 1:
            raise InputError(f"dataset_reader.max_predicates is {max_predicates}, expected 1 or more, or null for all.")
        self._skip_without_verb = skip_without_verb
        self._keep_without_predicate = keep_without_predicate
        self._max_predicates = max_predicates
        self._predicate_seed = predicate_seed
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}

    @overrides
    def _read(self, file_path: Any) -> Iterator[Instance]:
        counts = _Counts()
        instances = self._instances(read_documents(file_path), counts)
        if self._max_predicates is not None:
            instances = self._drawn(list(instances))
        num_predicates, num_without = 0, 0
        for instance in instances:
            if instance["metadata"]["predicate"] == NO_PREDICATE:
                num_without += 1
            else:
                num_predicates += 1
            yield instance
        if not num_predicates + num_without:
            wanted = "sentence" if self._keep_without_predicate else "predicate"
            raise InputError(f"{file_path}: there is nothing to read, expected one {wanted} or more.")
        self._report(file_path, counts, num_predicates, num_without)

    @overrides(check_signature=False)
    def text_to_instance(
        self, tokens: Sequence[str], predicate: int | None = None, arguments: Sequence[Span] | None = None
    ) -> Instance:
        """
        Make an instance of a tokenised sentence and one of its predicates.

        Parameters
        ----------
        tokens
            its words.
        predicate
            the predicate's place, from 0; None for none.
        arguments
            spans, ``V`` among them; None where they are unknown: the indicator is then at ``predicate`` alone.

        Raises
        ------
        InputError
            If there is no token, or the predicate is none of them.
        """
        if not tokens:
            raise InputError("a sentence without any token has no predicate: give at least one word.")
        if predicate is not None and not 0 <= predicate < len(tokens):
            raise InputError(f"the predicate is word {predicate}, expected 0 to {len(tokens) - 1}.")
        metadata = {"predicate": NO_PREDICATE if predicate is None else predicate}
        return self._instance(list(tokens), [Token(word) for word in tokens], predicate, arguments, metadata)

    @overrides
    def apply_token_indexers(self, instance: Instance) -> None:
        """Give the text its indexers."""
        text = instance["tokens"]
        assert isinstance(text, TextField)
        text.token_indexers = self._token_indexers

    def _instances(self, documents: Iterator[Document], counts: "_Counts") -> Iterator[Instance]:
        for document in documents:
            counts.documents += 1
            for sentence in document.sentences:
                if sentence.without_verb and not self._skip_without_verb:
                    raise _no_verb(document.file, sentence)
                place = {"sentence": counts.sentences, "num_propositions": len(sentence.propositions)}
                counts.add(document.file, sentence)
                words, tokens = list(sentence.words), [Token(word) for word in sentence.words]
                for index, proposition in enumerate(sentence.propositions):
                    metadata: dict[str, Any] = {
                        **place,
                        "proposition": index,
                        "predicate": proposition.predicate,
                        "lemma": proposition.lemma,
                    }
                    yield self._instance(words, tokens, proposition.predicate, proposition.arguments, metadata)
                if not sentence.propositions and self._keep_without_predicate:
                    metadata = {**place, "proposition": 0, "predicate": NO_PREDICATE, "lemma": NOTHING}
                    yield self._instance(words, tokens, None, (), metadata)

    def _instance(
        self,
        words: list[str],
        tokens: list[Token],
        predicate: int | None,
        arguments: Sequence[Span] | None,
        metadata: dict[str, Any],
    ) -> Instance:
        text = TextField(tokens)
        indicator = [0] * len(words)
        verbs = [Span(VERB, predicate, predicate + 1)] if arguments is None and predicate is not None else arguments
        for label, start, end in verbs or ():
            if label == VERB:
                indicator[start:end] = [1] * (end - start)
        first = indicator.index(1) if any(indicator) else None
        metadata.update(words=words, verb=None if first is None else words[first], verb_index=first)
        fields: dict[str, Field] = {
            "tokens": text,
            "verb_indicator": SequenceLabelField(indicator, text, LABEL_NAMESPACE),
        }
        if arguments is not None:
            tags = encode(arguments, len(words), TAG_SCHEME)
            metadata.update(arguments=list(arguments), gold_tags=tags)
            fields["tags"] = RoleTagsField(tags, text, LABEL_NAMESPACE)
        fields["metadata"] = MetadataField(metadata)
        return Instance(fields)

    def _drawn(self, instances: list[Instance]) -> Iterator[Instance]:
        """The instances of the budget, in their order."""
        assert self._max_predicates is not None
        without = [number for number, one in enumerate(instances) if one["metadata"]["predicate"] == NO_PREDICATE]
        others = [number for number, one in enumerate(instances) if one["metadata"]["predicate"] != NO_PREDICATE]
        if self._max_predicates >= len(others):
            return iter(instances)
        generator = random.Random(self._predicate_seed)
        chosen = set(generator.sample(others, self._max_predicates))
        chosen.update(generator.sample(without, round(len(without) * self._max_predicates / len(others))))
        return (one for number, one in enumerate(instances) if number in chosen)

    def _report(self, path: Any, counts: "_Counts", num_predicates: int, num_without: int) -> None:
        drawn = ""
        if num_predicates < counts.propositions:
            drawn = f" (drawn from {counts.propositions:,} with predicate_seed {self._predicate_seed})"
        without, uncovered = counts.without_predicate, counts.uncovered
        skipped = "nothing"
        if without.count and not self._keep_without_predicate:
            skipped = f"{without.count:,} sentences without a predicate (first {without.first})"
        logger.info(
            "%s: %s documents, %s sentences, %s tokens; instances: %s predicates%s and %s sentences without any; "
            "skipped: %s.",
            path,
            f"{counts.documents:,}",
            f"{counts.sentences:,}",
            f"{counts.tokens:,}",
            f"{num_predicates:,}",
            drawn,
            f"{num_without:,}",
            skipped,
        )
        if counts.without_verb.count:
            logger.info(
                "%s: skipped %s predicates whose column has no span V, as skip_without_verb says (first %s).",
                path,
                f"{counts.without_verb.count:,}",
                counts.without_verb.first,
            )
        if uncovered.count:
            logger.info(
                "%s: %s spans V do not cover the row of their predicate; the indicator is at V (first %s).",
                path,
                f"{uncovered.count:,}",
                uncovered.first,
            )


@dataclass
class _Tally:
    """How often there was something, and where first."""

    count: int = 0
    first: str = ""

    def add(self, place: str) -> None:
        self.count += 1
        self.first = self.first or place


@dataclass
class _Counts:
    """What the reading of files has met."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    propositions: int = 0
    without_predicate: _Tally = field(default_factory=_Tally)
    without_verb: _Tally = field(default_factory=_Tally)
    uncovered: _Tally = field(default_factory=_Tally)

    def add(self, file: str, sentence: Sentence) -> None:
        self.sentences += 1
        self.tokens += len(sentence.words)
        self.propositions += len(sentence.propositions)
        place = f"{file}:{sentence.line}"
        if not sentence.propositions:
            self.without_predicate.add(f"{place}: {' '.join(sentence.words)[:60]!r}")
        for proposition in sentence.without_verb:
            self.without_verb.add(f"{place}: {proposition.lemma!r} of word {proposition.predicate}")
        for proposition in sentence.propositions:
            verb = next(span for span in proposition.arguments if span.label == VERB)
            if not verb.start <= proposition.predicate < verb.end:
                self.uncovered.add(f"{place}: {proposition.lemma!r} of word {proposition.predicate}")


def _no_verb(file: str, sentence: Sentence) -> InputError:
    first = sentence.without_verb[0]
    return InputError(
        f"{file}:{sentence.line + first.predicate}: the column of the predicate {first.lemma!r} of word "
        f"{first.predicate} has no span {VERB!r}, expected exactly one; if the corpus means it, skip_without_verb: "
        "true in dataset_reader and validation_dataset_reader skips such predicates and counts them."
    )
