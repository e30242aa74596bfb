"""The tagger of the paper's NER experiments: two biLSTMs and a conditional random field."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import torch
from allennlp.common import Lazy
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import ConditionalRandomField, InputVariationalDropout, Seq2SeqEncoder, TextFieldEmbedder
from allennlp.modules.conditional_random_field import allowed_transitions
from allennlp.nn.util import get_text_field_mask
from overrides import overrides

from elmo_tasks.embedding.mix import add_mix_penalty
from elmo_tasks.errors import InputError
from elmo_tasks.formats.tags import SCHEMES, Span, decode, encode
from elmo_tasks.tasks.ner.metric import EntityF1
from elmo_tasks.tasks.ner.reader import LABEL_NAMESPACE

# What AllenNLP calls a scheme, and its letters for ours.
_CONSTRAINTS = {"IOB1": "IOB1", "IOB2": "BIO", "BIOES": "BIOUL", "BIOUL": "BIOUL"}
_LETTERS = {"E": "L", "S": "U"}


@Model.register("paper_ner")
class CRFTagger(Model):
    """
    Tag named entities (docs/ner.md)::

        h   = biLSTMs over the embedded tokens, variational dropout at the input of each
        u   = W h + b                               a score for each tag of each token
        p(y) ~ exp(sum u_t[y_t] + sum A[y_(t-1), y_t])   the conditional random field

    The loss is the negative log-likelihood of the gold tags, summed over the batch. Tags are decoded by Viterbi among
    the sequences that the coding scheme allows.

    Parameters
    ----------
    vocab
        AllenNLP's vocabulary, with the tags in ``ner_tags``.
    text_field_embedder
        embeds ``tokens``.
    encoders
        the biLSTMs, one on the other; each built with ``input_size``.
    dropout
        rate of the variational dropout: one mask for all tokens of a sentence.
    output_dropout
        rate on the last biLSTM's output; AllenNLP's configuration has one, the paper names none.
    tag_scheme
        the coding of the tags; the reader's must be the same.
    kwargs
        ``regularizer`` and what else AllenNLP's ``Model`` takes.
    """

    default_predictor = "paper_ner"
    official_keys: ClassVar[tuple[str, ...]] = ("words", "entities", "gold_entities")

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        encoders: list[Lazy[Seq2SeqEncoder]],
        dropout: float = 0.5,
        output_dropout: float = 0.0,
        tag_scheme: str = "BIOUL",
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if tag_scheme not in SCHEMES:
            raise InputError(f"model.tag_scheme is {tag_scheme!r}, expected one of {', '.join(SCHEMES)}.")
        if not encoders:
            raise InputError("model.encoders is empty, expected at least one encoder.")
        self._tag_scheme = tag_scheme
        self._tags: dict[int, str] = vocab.get_index_to_token_vocabulary(LABEL_NAMESPACE)
        self.text_field_embedder = text_field_embedder
        built: list[Seq2SeqEncoder] = []
        dim = text_field_embedder.get_output_dim()
        for encoder in encoders:
            built.append(encoder.construct(input_size=dim))
            dim = built[-1].get_output_dim()
        self.encoders = torch.nn.ModuleList(built)
        self._dropout = InputVariationalDropout(dropout)
        self._output_dropout = torch.nn.Dropout(output_dropout)
        self.tag_projection = torch.nn.Linear(dim, len(self._tags))
        self.crf = ConditionalRandomField(len(self._tags), self._constraints(), include_start_end_transitions=False)
        self._f1 = EntityF1()

    @overrides(check_signature=False)
    def forward(
        self,
        tokens: TextFieldTensors,
        tags: torch.Tensor | None = None,
        metadata: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """
        Tag sentences.

        Parameters
        ----------
        tokens
            indexed sentences.
        tags
            ``(batch_size, num_tokens)`` gold tags.
        metadata
            the reader's, one a sentence.

        Returns
        -------
        ``logits`` ``(batch_size, num_tokens, num_tags)``; ``mask`` ``(batch_size, num_tokens)``; ``tags``, each
        sentence's best indices; ``loss`` where there are gold tags; ``words`` where there is metadata, and
        ``gold_entities`` where that has them.
        """
        self._check_tag_scheme(metadata)
        mask = get_text_field_mask(tokens)
        encoded = self.text_field_embedder(tokens)  # (batch_size, num_tokens, embedding_dim)
        for encoder in self.encoders:
            encoded = encoder(self._dropout(encoded), mask)
        logits = self.tag_projection(self._output_dropout(encoded))
        result: dict[str, Any] = {"logits": logits, "mask": mask}
        if tags is not None:
            result["loss"] = -self.crf(logits, tags, mask)
        if not self.training or tags is None:
            result["tags"] = [path for path, _ in self.crf.viterbi_tags(logits, mask)]
        if metadata is not None:
            result["words"] = [item["words"] for item in metadata]
            if tags is not None:
                result["gold_entities"] = [[list(span) for span in item["entities"]] for item in metadata]
            if "tags" in result and tags is not None:
                for item, path in zip(metadata, result["tags"], strict=True):
                    self._f1(item["entities"], self._entities(path), len(path))
        return result

    @overrides(check_signature=False)
    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        """``tags`` as they are written, and ``entities``: ``[label, start, end]``, the end excluded."""
        paths = output_dict["tags"]
        output_dict["entities"] = [[list(span) for span in self._entities(path)] for path in paths]
        output_dict["tags"] = [[self._tags[index] for index in path] for path in paths]
        return output_dict

    def official_predictions(
        self, items: Iterable[tuple[list[str], list[list[Any]], list[list[Any]] | None]]
    ) -> Iterator[str]:
        """Rows that conlleval reads: word, gold tag where it is known, predicted tag, coded as IOB2."""
        for words, found, gold in items:
            codings = [
                encode([Span(*span) for span in spans], len(words), "IOB2")
                for spans in (gold, found)
                if spans is not None
            ]
            for row in zip(words, *codings, strict=True):
                yield " ".join(row) + "\n"
            yield "\n"

    @overrides
    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        """Figures of conlleval since the last reset, fractions; none before a sentence was decoded."""
        return self._f1.get_metric(reset)

    @overrides
    def get_regularization_penalty(self) -> torch.Tensor | None:
        """AllenNLP's penalty, and that of ELMo's mixes which have the option ``l2``."""
        return add_mix_penalty(self, super().get_regularization_penalty())

    def _entities(self, path: list[int]) -> list[Span]:
        return decode([self._tags[index] for index in path], self._tag_scheme)

    def _constraints(self) -> list[tuple[int, int]]:
        if self._tag_scheme == "BIOES":
            names = {index: _LETTERS.get(tag[0], tag[0]) + tag[1:] for index, tag in self._tags.items()}
        else:
            names = self._tags
        allowed: list[tuple[int, int]] = allowed_transitions(_CONSTRAINTS[self._tag_scheme], names)
        return allowed

    def _check_tag_scheme(self, metadata: list[dict[str, Any]] | None) -> None:
        if metadata and metadata[0]["tag_scheme"] != self._tag_scheme:
            raise InputError(
                f"model.tag_scheme is {self._tag_scheme!r} but the dataset reader's is {metadata[0]['tag_scheme']!r}; "
                "make them the same."
            )
