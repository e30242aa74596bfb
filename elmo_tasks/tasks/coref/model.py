"""The end-to-end coreference model of the paper's experiments: spans, their scores, and their antecedents."""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from allennlp.common import Lazy
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import Seq2SeqEncoder, TextFieldEmbedder
from allennlp.nn.util import get_text_field_mask
from overrides import overrides

from elmo_tasks.embedding.columns import is_elmo
from elmo_tasks.embedding.mix import add_mix_penalty
from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import Mention, plain_document
from elmo_tasks.tasks.coref.linking import antecedent_loss, gold_clusters, predicted_clusters
from elmo_tasks.tasks.coref.metric import CoreferenceF1
from elmo_tasks.tasks.coref.pairs import PairScorer
from elmo_tasks.tasks.coref.reader import GENRE_NAMESPACE
from elmo_tasks.tasks.coref.spans import SpanEncoder, best_spans

# So many places, padding included, are embedded at a time: what a character CNN and a biLM need is bounded.
PLACES_AT_A_TIME = 8192


@Model.register("paper_coref")
class EndToEndCoreference(Model):
    """
    Find mentions and their clusters (Lee et al. 2017; docs/coref.md)::

        h     = dropout(LSTM(x)),  x = dropout(embedded words), sentence by sentence
        s_i   = score of span i,   the best spans that do not cross are kept
        s_ij  = s_i + s_j + score of the pair;   s_i with no antecedent = 0
        P(j)  = softmax over j of s_ij,   the loss is that of all gold antecedents together

    Parameters
    ----------
    vocab
        AllenNLP's vocabulary, with the kinds of texts in ``genre_labels``.
    text_field_embedder
        embeds each of the ``sentences``.
    encoder
        the LSTM; built with ``input_size``.
    hidden_dims
        sizes of the hidden layers of both scores.
    feature_dim
        size of the vectors of a width, a distance, a kind of text, and whether speakers are the same.
    lexical_dropout
        rate on the embedded words, ELMo included.
    dropout
        rate on the LSTM's output, on features, and in the scores.
    max_span_width
        most words of a mention.
    spans_per_word
        how many spans are kept, times the number of words.
    max_spans
        how many are kept at most, for memory; None for as many as ``spans_per_word`` says.
    max_antecedents
        with how many of the spans before it a span is scored.
    max_sentences
        of how many sentences, a window drawn anew each time, training sees a longer document.
    block_size
        spans scored with their antecedents at a time: less memory or less time, and the same scores.
    elmo_in_head
        whether the words that a span's head is summed from have ELMo's numbers too.
    kwargs
        ``regularizer`` and what else AllenNLP's ``Model`` takes.
    """

    default_predictor = "paper_coref"
    official_keys: ClassVar[tuple[str, ...]] = ("words", "clusters", "document", "part", "speakers")

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        encoder: Lazy[Seq2SeqEncoder],
        hidden_dims: Sequence[int] = (150, 150),
        feature_dim: int = 20,
        lexical_dropout: float = 0.5,
        dropout: float = 0.2,
        max_span_width: int = 10,
        spans_per_word: float = 0.4,
        max_spans: int | None = None,
        max_antecedents: int = 250,
        max_sentences: int = 50,
        block_size: int = 32,
        elmo_in_head: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        numbers = {
            "max_span_width": max_span_width,
            "max_spans": 1 if max_spans is None else max_spans,
            "max_antecedents": max_antecedents,
            "max_sentences": max_sentences,
            "block_size": block_size,
        }
        for name, number in numbers.items():
            if number < 1:
                raise InputError(f"model.{name} is {number}, expected 1 or more.")
        if spans_per_word <= 0:
            raise InputError(f"model.spans_per_word is {spans_per_word}, expected a number above 0.")
        self._spans_per_word = spans_per_word
        self._max_spans = max_spans
        self._max_sentences = max_sentences
        self.text_field_embedder = text_field_embedder
        self._lexical_dropout = torch.nn.Dropout(lexical_dropout)
        self._dropout = torch.nn.Dropout(dropout)
        self.encoder = encoder.construct(input_size=text_field_embedder.get_output_dim())
        elmo = is_elmo(text_field_embedder)
        in_head = torch.ones_like(elmo) if elmo_in_head else ~elmo
        if not in_head.any():
            raise InputError(
                "the head of a span is summed from words without ELMo's numbers, but words have no others; set "
                "model.elmo_in_head to true."
            )
        self.register_buffer("_in_head", in_head.nonzero().squeeze(1), persistent=False)
        self.spans = SpanEncoder(
            self.encoder.get_output_dim(), int(in_head.sum()), hidden_dims, dropout, max_span_width, feature_dim
        )
        self.pairs = PairScorer(
            self.spans.get_output_dim(),
            vocab.get_vocab_size(GENRE_NAMESPACE) + 1,
            hidden_dims,
            dropout,
            max_antecedents,
            block_size,
            feature_dim,
        )
        with torch.no_grad():  # of a kind of text that training has not seen
            self.pairs.genre[-1] = 0.0
        self._metric = CoreferenceF1()

    @overrides(check_signature=False)
    def forward(
        self, sentences: TextFieldTensors, genre: torch.Tensor, metadata: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """
        Find the clusters of documents.

        Parameters
        ----------
        sentences
            indexed sentences, with an axis of documents and one of sentences in front.
        genre
            ``(batch_size,)`` kinds of text.
        metadata
            the reader's, one a document.

        Returns
        -------
        ``loss``, the mean over documents, where all have gold clusters. Except in training with such: ``clusters``, for
        each document lists of ``[sentence, start, end]``, the end excluded; ``spans``, the kept ones, likewise; and the
        metadata's ``document``, ``part``, ``words`` and ``speakers``.
        """
        labelled = all("clusters" in item for item in metadata)
        losses, kept, clusters = [], [], []
        for number, item in enumerate(metadata):
            document = _Document.of(item)
            rows = {key: {name: t[number] for name, t in inner.items()} for key, inner in sentences.items()}
            if self.training and labelled:
                document = self._drawn_window(document)
            found, scores = self._scored(document, rows, genre[number])
            if labelled:
                losses.append(antecedent_loss(scores, gold_clusters(found, document.clusters).to(scores.device)))
            if not (self.training and labelled):
                mentions = document.mentions(found)
                kept.append(mentions)
                clusters.append(predicted_clusters(mentions, scores))
                if labelled:
                    self._metric(item["clusters"], clusters[-1], mentions)
        result: dict[str, Any] = {}
        if labelled:
            result["loss"] = torch.stack(losses).mean()
        if not (self.training and labelled):
            result["spans"] = [[list(mention) for mention in mentions] for mentions in kept]
            result["clusters"] = [[[list(mention) for mention in one] for one in found] for found in clusters]
            for key in ("document", "part", "words", "speakers"):
                result[key] = [item[key] for item in metadata]
        return result

    def official_predictions(self, items: Iterable[tuple[Any, ...]]) -> Iterator[str]:
        """Documents in the columns of CoNLL-2012, of which the official scorer reads the last."""
        for words, clusters, name, part, speakers in items:
            if not name:
                raise InputError("the official format has the id of every document; read a CoNLL-2012 file.")
            numbered = {
                str(number): [Mention(*mention) for mention in cluster] for number, cluster in enumerate(clusters)
            }
            document = plain_document(name, part, words, speakers).with_clusters(numbered)
            yield "".join(f"{line}\n" for line in document.lines)

    @overrides
    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        """Figures of the official scorer since the last reset, fractions; none before a gold mention."""
        return self._metric.get_metric(reset)

    @overrides
    def get_regularization_penalty(self) -> torch.Tensor | None:
        """AllenNLP's penalty, and that of ELMo's mixes which have the option ``l2``."""
        return add_mix_penalty(self, super().get_regularization_penalty())

    def _drawn_window(self, document: "_Document") -> "_Document":
        """At most ``max_sentences`` of it, all windows of that size equally likely, by torch's generator."""
        beyond = len(document.lengths) - self._max_sentences
        if beyond <= 0:
            return document
        return document.window(int(torch.randint(beyond + 1, ())), self._max_sentences)

    def _scored(
        self, document: "_Document", rows: TextFieldTensors, genre: torch.Tensor
    ) -> tuple[list[tuple[int, int]], torch.Tensor]:
        """The kept spans of a document, and the scores of their antecedents ``(num_spans, num_antecedents)``."""
        device = genre.device
        if not document.lengths:
            # a leaf of its own, so that training can pass over a document in which there is nothing to learn
            return [], torch.zeros(0, 0, device=device, requires_grad=self.training)
        encoded, tokens = self._encoded(rows, document.first, len(document.lengths))
        lengths = torch.tensor(document.lengths, device=device)
        numbers = torch.repeat_interleave(torch.arange(len(lengths), device=device), lengths)
        count = int(self._spans_per_word * len(encoded))
        if self._max_spans is not None:
            count = min(count, self._max_spans)
        dropped = self.spans.draw(len(encoded))
        starts, ends = best_spans(self.spans.candidate_scores(encoded, tokens, numbers, dropped), count)
        vectors, scores = self.spans(encoded, tokens, starts, ends, dropped)
        speakers = torch.tensor(document.speakers, device=device)[starts]
        pairs = self.pairs(vectors, speakers, genre)
        others = torch.arange(len(starts), device=device).unsqueeze(1) - 1
        others = (others - torch.arange(pairs.size(1), device=device)).clamp(min=0)
        spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
        return spans, pairs + scores.unsqueeze(1) + scores[others]

    def _encoded(self, rows: TextFieldTensors, first: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """H ``(num_words, encoded_dim)`` and the x of heads ``(num_words, token_dim)`` of ``count`` sentences."""
        mask = get_text_field_mask(rows)
        step = max(1, PLACES_AT_A_TIME // mask.size(1))
        encoded, tokens = [], []
        for start in range(first, first + count, step):
            stop = min(start + step, first + count)
            part = {key: {name: t[start:stop] for name, t in inner.items()} for key, inner in rows.items()}
            inside = mask[start:stop]
            # (num_sentences, num_places, embedding_dim)
            embedded = self._lexical_dropout(self.text_field_embedder(part))
            encoded.append(self._dropout(self.encoder(embedded, inside))[inside])
            tokens.append(embedded[inside][:, self._in_head])
        return torch.cat(encoded), torch.cat(tokens)


@dataclass(frozen=True, slots=True)
class _Document:
    """A document, or a window of it, whose words are counted through.

    Parameters
    ----------
    first
        the window's first sentence.
    lengths
        words of each sentence.
    speakers
        a number for each word's.
    clusters
        numbers of the gold clusters of each mention, by its first word and end; those of mentions outside are left out.
    """

    first: int
    lengths: list[int]
    speakers: list[int]
    clusters: dict[tuple[int, int], list[int]]

    @classmethod
    def of(cls, item: dict[str, Any]) -> "_Document":
        """From what the reader says of it."""
        lengths = [len(sentence) for sentence in item["words"]]
        numbers: dict[str, int] = {}
        speakers = [numbers.setdefault(name, len(numbers)) for sentence in item["speakers"] for name in sentence]
        offsets = list(itertools.accumulate(lengths, initial=0))
        clusters: dict[tuple[int, int], list[int]] = {}
        for number, cluster in enumerate(item.get("clusters", [])):
            for sentence, start, end in dict.fromkeys(cluster):
                clusters.setdefault((offsets[sentence] + start, offsets[sentence] + end), []).append(number)
        return cls(0, lengths, speakers, clusters)

    def window(self, first: int, count: int) -> "_Document":
        """``count`` sentences from ``first`` on."""
        offset = sum(self.lengths[:first])
        lengths = self.lengths[first : first + count]
        size = sum(lengths)
        inside = {
            (start - offset, end - offset): numbers
            for (start, end), numbers in self.clusters.items()
            if offset <= start and end <= offset + size
        }
        return _Document(first, lengths, self.speakers[offset : offset + size], inside)

    def mentions(self, spans: Iterable[tuple[int, int]]) -> list[Mention]:
        """Spans of words as mentions of the sentences that have them."""
        begins = list(itertools.accumulate(self.lengths, initial=0))
        numbered = [(bisect.bisect(begins, start) - 1, start, end) for start, end in spans]
        return [
            Mention(self.first + number, start - begins[number], end - begins[number])
            for number, start, end in numbered
        ]
