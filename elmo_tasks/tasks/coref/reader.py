"""Reader of CoNLL-2012's documents for coreference."""

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, groupby
from operator import attrgetter
from typing import Any

from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import LabelField, ListField, MetadataField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import NOTHING, Document, Mention, read_documents

logger = logging.getLogger(__name__)

GENRE_NAMESPACE = "genre_labels"
# What the corpus writes for a full stop and a question mark behind which speech breaks off; the model reads the marks.
_ESCAPED = {"/.": ".", "/?": "?"}
# Typographic characters and what plain text has in their place.
_PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "--", "\u2026": "..."}
)


class GenreField(LabelField):
    """The kind of a text; one that training data lack has the number behind all of theirs."""

    @overrides
    def index(self, vocab: Vocabulary) -> None:
        """Look the kind up."""
        known = vocab.get_token_to_index_vocabulary(self._label_namespace)
        self._label_id = known.get(self.label, len(known))


@DatasetReader.register("paper_coref")
class CorefReader(DatasetReader):
    """
    Reads the documents of a CoNLL-2012 file or folder with their clusters of mentions (docs/coref.md).

    A part of a document is a document of its own. Fields of an instance: ``sentences`` (ListField of TextField, one
    empty text for a document without any), ``genre`` (GenreField) and ``metadata`` with ``document`` (its id) and
    ``part``, ``words`` and ``speakers`` (a list for each sentence) and ``clusters`` (lists of
    :class:`~elmo_tasks.formats.conll2012.Mention`, absent where unknown).

    Accepted as they are: a document without sentences, one without speakers, mentions that cross, clusters of one
    mention, one span in two clusters (it stays in both).

    Parameters
    ----------
    genre_part
        which part of a document's id, between slashes and counted from 0, is its genre: 0 in ``bc/cctv/00/cctv_0001``.
    max_documents
        how many documents of a file are used at most, any file: those are drawn from all of them. None for all.
    documents_seed
        of that draw alone: the same file and number give the same documents in any program.
    plain_typography
        the model reads typographic quotes, dashes and the sign of three dots as plain text has them (``'``, ``"``,
        ``-``, ``--``, ``...``): for word vectors and a biLM of plain text.
    token_indexers
        AllenNLP's token indexers of the sentences.
    """

    def __init__(
        self,
        genre_part: int = 0,
        max_documents: int | None = None,
        documents_seed: int = 13,
        plain_typography: bool = False,
        token_indexers: dict[str, TokenIndexer] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if max_documents is not None and max_documents < 1:
            raise InputError(f"dataset_reader.max_documents is {max_documents}, expected 1 or more, or null for all.")
        if genre_part < 0:
            raise InputError(f"dataset_reader.genre_part is {genre_part}, expected 0 or more.")
        self._genre_part = genre_part
        self._max_documents = max_documents
        self._documents_seed = documents_seed
        self._plain_typography = plain_typography
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}

    @overrides
    def _read(self, file_path: Any) -> Iterator[Instance]:
        documents = list(read_documents(file_path))
        chosen = self._chosen(documents)
        for document in chosen:
            yield self.text_to_instance(
                [list(sentence.words) for sentence in document.sentences],
                [list(sentence.speakers) for sentence in document.sentences],
                self._genre(document.id),
                list(document.clusters().values()),
                document.id,
                document.part,
            )
        drawn = ""
        if len(chosen) < len(documents):
            drawn = f" (of {len(documents):,}, drawn with the seed {self._documents_seed})"
        logger.info("%s: %s%s", file_path, _summary(chosen), drawn)

    @overrides(check_signature=False)
    def text_to_instance(
        self,
        sentences: Sequence[Sequence[str]],
        speakers: Sequence[Sequence[str]] | None = None,
        genre: str = "",
        clusters: Sequence[Sequence[Mention]] | None = None,
        document: str = "",
        part: int = 0,
    ) -> Instance:
        """
        Make an instance of one document.

        Parameters
        ----------
        sentences
            words of each sentence; none, or none of them without any word.
        speakers
            of each word; None if there are none.
        genre
            the kind of text, as training data name it; anything else stands for an unknown one.
        clusters
            gold clusters; None where unknown.
        document, part
            what the official files name it by.

        Raises
        ------
        InputError
            If a sentence is without words, or has more or fewer speakers.
        """
        words = [list(sentence) for sentence in sentences]
        if not all(words):
            raise InputError(f"sentence {words.index([])} of a document has no word: leave it out.")
        given = [[NOTHING] * len(sentence) for sentence in words] if speakers is None else list(map(list, speakers))
        if [len(sentence) for sentence in given] != [len(sentence) for sentence in words]:
            raise InputError("a document has one speaker for each word, sentence by sentence; found more or fewer.")
        texts = [TextField([Token(self._as_read(word)) for word in sentence]) for sentence in words]
        metadata: dict[str, Any] = {"document": document, "part": part, "words": words, "speakers": given}
        if clusters is not None:
            metadata["clusters"] = [list(cluster) for cluster in clusters]
        fields: dict[str, Field] = {
            "sentences": ListField(texts or [TextField([])]),
            "genre": GenreField(genre, GENRE_NAMESPACE),
            "metadata": MetadataField(metadata),
        }
        return Instance(fields)

    @overrides
    def apply_token_indexers(self, instance: Instance) -> None:
        """Give every sentence its indexers."""
        sentences = instance["sentences"]
        assert isinstance(sentences, ListField)
        for text in sentences.field_list:
            assert isinstance(text, TextField)
            text.token_indexers = self._token_indexers

    def _as_read(self, word: str) -> str:
        word = _ESCAPED.get(word, word)
        return word.translate(_PLAIN) if self._plain_typography else word

    def _chosen(self, documents: list[Document]) -> list[Document]:
        if self._max_documents is None or len(documents) <= self._max_documents:
            return documents
        numbers = random.Random(self._documents_seed).sample(range(len(documents)), self._max_documents)
        return [documents[number] for number in sorted(numbers)]

    def _genre(self, document: str) -> str:
        parts = document.split("/")
        return parts[self._genre_part] if self._genre_part < len(parts) else ""


def _summary(documents: Sequence[Document]) -> str:
    clusters = [cluster for document in documents for cluster in document.clusters().values()]
    counts = {
        "documents": len(documents),
        "of them without sentences": sum(not document.sentences for document in documents),
        "without speakers": sum(
            not any(speaker != NOTHING for sentence in document.sentences for speaker in sentence.speakers)
            for document in documents
        ),
        "sentences": sum(len(document.sentences) for document in documents),
        "words": sum(len(sentence.words) for document in documents for sentence in document.sentences),
        "mentions": sum(map(len, clusters)),
        "clusters": len(clusters),
        "of them with one mention": sum(len(cluster) == 1 for cluster in clusters),
        "spans in several clusters": sum(_shared(document.clusters()) for document in documents),
        "pairs that cross": sum(_crossing(document.clusters()) for document in documents),
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def _shared(clusters: Mapping[str, list[Mention]]) -> int:
    spans = [span for cluster in clusters.values() for span in set(cluster)]
    return len(spans) - len(set(spans))


def _crossing(clusters: Mapping[str, list[Mention]]) -> int:
    spans = sorted({span for cluster in clusters.values() for span in cluster})
    return sum(
        one.start < other.start < one.end < other.end
        for _, together in groupby(spans, key=attrgetter("sentence"))
        for one, other in combinations(together, 2)
    )
