"""Reader of CoNLL-2003's four-column files."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import MetadataField, SequenceLabelField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2003 import read_sentences
from elmo_tasks.formats.tags import SCHEMES, Span, encode

logger = logging.getLogger(__name__)

LABEL_NAMESPACE = "ner_tags"


class TagsField(SequenceLabelField):
    """The tags of a sentence; one that the training data has not is a mistake with a sentence of its own."""

    @overrides
    def index(self, vocab: Vocabulary) -> None:
        """
        Look the tags up.

        Raises
        ------
        InputError
            For a tag that the vocabulary lacks.
        """
        known = vocab.get_token_to_index_vocabulary(self._label_namespace)
        unknown = next((tag for tag in self.labels if tag not in known), None)
        if unknown is not None:
            words = " ".join(token.text for token in self.sequence_field)
            raise InputError(
                f"the tag {unknown!r} of the sentence {words[:80]!r} does not occur in the training data, so that no "
                f"model of it can score it (its tags: {', '.join(sorted(known))})."
            )
        super().index(vocab)


@DatasetReader.register("paper_ner")
class NERReader(DatasetReader):
    """
    Reads the sentences of a four-column file with their named entities (docs/ner.md).

    Fields of an instance: ``tokens`` (TextField), ``tags`` (SequenceLabelField, absent where unknown) and ``metadata``
    with ``words``, ``document`` (from 0; -1 before the first ``-DOCSTART-``), ``tag_scheme`` and ``entities`` (spans,
    where known).

    Parameters
    ----------
    file_scheme
        how the file codes entities, ``IOB1`` as published or another of ``SCHEMES``; taken strictly.
    tag_scheme
        how the model's tags code them.
    token_indexers
        AllenNLP's token indexers of ``tokens``.
    """

    def __init__(
        self,
        file_scheme: str = "IOB1",
        tag_scheme: str = "BIOUL",
        token_indexers: dict[str, TokenIndexer] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, scheme in (("file_scheme", file_scheme), ("tag_scheme", tag_scheme)):
            if scheme not in SCHEMES:
                raise InputError(f"dataset_reader.{name} is {scheme!r}, expected one of {', '.join(SCHEMES)}.")
        self._file_scheme = file_scheme
        self._tag_scheme = tag_scheme
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}

    @overrides
    def _read(self, file_path: Any) -> Iterator[Instance]:
        documents: set[int] = set()
        num_sentences, num_tokens, num_entities = 0, 0, 0
        for sentence in read_sentences(file_path, self._file_scheme):
            documents.add(sentence.document)
            num_sentences += 1
            num_tokens += len(sentence.words)
            num_entities += len(sentence.entities)
            yield self._instance(sentence.words, sentence.entities, sentence.document)
        logger.info(
            "%s: %s sentences of %s documents, %s tokens, %s entities.",
            file_path,
            f"{num_sentences:,}",
            f"{len(documents):,}",
            f"{num_tokens:,}",
            f"{num_entities:,}",
        )

    @overrides(check_signature=False)
    def text_to_instance(self, tokens: Sequence[str], entities: Sequence[Span] | None = None) -> Instance:
        """
        Make an instance of one tokenised sentence.

        Raises
        ------
        InputError
            If there is no token.
        """
        if not tokens:
            raise InputError("a sentence without any token has no entities: give at least one word.")
        return self._instance(list(tokens), entities, -1)

    @overrides
    def apply_token_indexers(self, instance: Instance) -> None:
        """Give the text its indexers."""
        text = instance["tokens"]
        assert isinstance(text, TextField)
        text.token_indexers = self._token_indexers

    def _instance(self, words: list[str], entities: Sequence[Span] | None, document: int) -> Instance:
        text = TextField([Token(word) for word in words])
        metadata: dict[str, Any] = {"words": words, "document": document, "tag_scheme": self._tag_scheme}
        fields: dict[str, Field] = {"tokens": text}
        if entities is not None:
            metadata["entities"] = list(entities)
            tags = encode(entities, len(words), self._tag_scheme)
            fields["tags"] = TagsField(tags, text, LABEL_NAMESPACE)
        fields["metadata"] = MetadataField(metadata)
        return Instance(fields)
