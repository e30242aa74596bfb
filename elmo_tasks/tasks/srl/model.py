"""He et al.'s (2017) tagger of semantic roles, as the ELMo paper uses it."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import torch
from allennlp.common import Lazy
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import Seq2SeqEncoder, TextFieldEmbedder
from allennlp.nn.util import get_text_field_mask
from overrides import overrides

from elmo_tasks.embedding.mix import add_mix_penalty
from elmo_tasks.embedding.output import OutputELMo
from elmo_tasks.errors import InputError
from elmo_tasks.formats.conll2012 import Proposition
from elmo_tasks.formats.props import props_lines
from elmo_tasks.formats.tags import Span, decode
from elmo_tasks.tasks.srl.metric import NO_PREDICATE, TAG_SCHEME, RoleF1
from elmo_tasks.tasks.srl.reader import LABEL_NAMESPACE
from elmo_tasks.tasks.srl.viterbi import TagDecoder

LOSSES = ("mean", "sum")
DECODINGS = ("log_probabilities", "probabilities")
# What an answer hands on of the reader's metadata.
_HANDED_ON = ("words", "sentence", "proposition", "num_propositions", "predicate", "lemma")


@Model.register("paper_srl")
class SemanticRoleTagger(Model):
    """
    Tag the arguments of one predicate of a sentence (docs/srl.md)::

        x_t  = [embedded word; embedding of "is it the predicate"]
        h    = alternating highway LSTM over x               [h; ELMo'] with ELMo at the output
        p_t  = softmax(W h_t + b)                            over IOB2 tags

    The loss is the negative log-likelihood of the gold tags. Decoded is the best well-formed sequence, by Viterbi.

    Parameters
    ----------
    vocab
        AllenNLP's vocabulary, with the tags in ``labels``.
    text_field_embedder
        embeds ``tokens``.
    encoder
        the LSTM; built with ``input_size``.
    predicate_dim
        size of the predicate indicator's embedding.
    elmo_at_output
        ELMo at the output, beside h; its biLM run is the input's.
    loss
        ``mean`` of the tokens of an instance, or their ``sum``; then the mean over instances.
    decoding
        what is summed over a sequence that is to be the best: ``log_probabilities``, which makes it the most probable
        one, or ``probabilities`` (AllenNLP), which makes it the one with most tags right on average.
    role_metrics
        whether the metrics have the F1 of every role as ``f1_LABEL``.
    kwargs
        ``regularizer`` and what else AllenNLP's ``Model`` takes.
    """

    default_predictor = "paper_srl"
    official_keys: ClassVar[tuple[str, ...]] = (*_HANDED_ON, "arguments")
    # the predicates of a sentence stand side by side in its rows
    official_in_one_piece: ClassVar[bool] = True

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        encoder: Lazy[Seq2SeqEncoder],
        predicate_dim: int = 100,
        elmo_at_output: Lazy[OutputELMo] | None = None,
        loss: str = "mean",
        decoding: str = "log_probabilities",
        role_metrics: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if loss not in LOSSES:
            raise InputError(f"model.loss is {loss!r}, expected one of {', '.join(LOSSES)}.")
        if decoding not in DECODINGS:
            raise InputError(f"model.decoding is {decoding!r}, expected one of {', '.join(DECODINGS)}.")
        self._loss = loss
        self._decodes_logarithms = decoding == "log_probabilities"
        self._role_metrics = role_metrics
        by_index = vocab.get_index_to_token_vocabulary(LABEL_NAMESPACE)
        self._tags: list[str] = [by_index[index] for index in range(len(by_index))]
        self.text_field_embedder = text_field_embedder
        self.predicate_embedding = torch.nn.Embedding(2, predicate_dim)
        torch.nn.init.xavier_uniform_(self.predicate_embedding.weight)
        self.encoder = encoder.construct(input_size=text_field_embedder.get_output_dim() + predicate_dim)
        self.elmo_at_output: OutputELMo | None = None
        dim = self.encoder.get_output_dim()
        if elmo_at_output is not None:
            self.elmo_at_output = elmo_at_output.construct(text_field_embedder=text_field_embedder)
            dim += self.elmo_at_output.get_output_dim()
        self.tag_projection = torch.nn.Linear(dim, len(self._tags))
        torch.nn.init.orthogonal_(self.tag_projection.weight)
        torch.nn.init.zeros_(self.tag_projection.bias)
        self._decoder = TagDecoder(self._tags)
        self._f1 = RoleF1(self._tags)

    @overrides(check_signature=False)
    def forward(
        self,
        tokens: TextFieldTensors,
        verb_indicator: torch.Tensor,
        tags: torch.Tensor | None = None,
        metadata: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """
        Tag sentences, each for one predicate.

        Parameters
        ----------
        tokens
            indexed sentences.
        verb_indicator
            ``(batch_size, num_tokens)``, 1 at the predicate, else 0.
        tags
            ``(batch_size, num_tokens)`` gold tags.
        metadata
            the reader's, one an instance.

        Returns
        -------
        ``logits`` ``(batch_size, num_tokens, num_tags)``; ``mask`` ``(batch_size, num_tokens)``; ``loss`` where there
        are gold tags; ``tags``, each sentence's best indices, but in training; what the metadata say of sentence and
        predicate.
        """
        mask = get_text_field_mask(tokens)  # (batch_size, num_tokens)
        # (batch_size, num_tokens, embedding_dim + predicate_dim)
        embedded = torch.cat([self.text_field_embedder(tokens), self.predicate_embedding(verb_indicator)], dim=-1)
        encoded = self.encoder(embedded, mask)  # (batch_size, num_tokens, hidden_size)
        if self.elmo_at_output is not None:
            encoded = torch.cat([encoded, self.elmo_at_output(tokens)], dim=-1)
        logits = self.tag_projection(encoded)  # (batch_size, num_tokens, num_tags)
        result: dict[str, Any] = {"logits": logits, "mask": mask}
        log_probabilities = torch.log_softmax(logits, dim=-1)
        if tags is not None:
            result["loss"] = self._mean_loss(log_probabilities, tags, mask)
        if not self.training or tags is None:
            scores = log_probabilities.detach()
            result["tags"] = self._decoder(scores if self._decodes_logarithms else scores.exp(), mask)
        if metadata is not None:
            for key in _HANDED_ON:
                if all(key in item for item in metadata):
                    result[key] = [item[key] for item in metadata]
            if "tags" in result and tags is not None:
                for item, path in zip(metadata, result["tags"], strict=True):
                    if item["predicate"] != NO_PREDICATE:
                        self._f1(item["arguments"], self._arguments(path), item["words"])
        return result

    @overrides(check_signature=False)
    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        """
        ``tags`` as they are written, and ``arguments``: ``[label, start, end]``, the end excluded.

        The scores of all tags of all tokens are left out: written as text they are some hundred megabytes a test set.
        """
        paths = output_dict["tags"]
        output_dict["arguments"] = [[list(span) for span in self._arguments(path)] for path in paths]
        output_dict["tags"] = [[self._tags[index] for index in path] for path in paths]
        return {key: value for key, value in output_dict.items() if key not in ("logits", "mask")}

    def official_predictions(self, items: Iterable[tuple[Any, ...]]) -> Iterator[str]:
        """
        The rows of CoNLL-2005 that srl-eval.pl and ``score srl`` read, a block a sentence.

        Raises
        ------
        InputError
            If a predicate or a sentence of the file is missing among the items.
        """
        return props_lines(_sentences(dict(zip(self.official_keys, item, strict=True)) for item in items))

    @overrides
    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        """Figures of srl-eval.pl since the last reset, fractions; none before a predicate's sentence was decoded."""
        return self._f1.get_metric(reset, self._role_metrics)

    @overrides
    def get_regularization_penalty(self) -> torch.Tensor | None:
        """AllenNLP's penalty, and that of ELMo's mixes which have the option ``l2``."""
        return add_mix_penalty(self, super().get_regularization_penalty())

    def _mean_loss(self, log_probabilities: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        # (batch_size, num_tokens)
        losses = -log_probabilities.gather(2, tags.unsqueeze(2)).squeeze(2) * mask
        sums = losses.sum(dim=1)
        return (sums / mask.sum(dim=1) if self._loss == "mean" else sums).mean()

    def _arguments(self, path: list[int]) -> list[Span]:
        return decode([self._tags[index] for index in path], TAG_SCHEME)


def _sentences(items: Iterable[dict[str, Any]]) -> Iterator[tuple[int, list[Proposition]]]:
    """Number of tokens and predicted propositions of each sentence."""
    propositions: list[Proposition] = []
    next_sentence = 0
    for item in items:
        if item["sentence"] is None:
            raise InputError("an official file of predictions has all predicates of a file; read one in its format.")
        if (item["sentence"], item["proposition"]) != (next_sentence, len(propositions)):
            raise _missing(next_sentence, len(propositions))
        if item["predicate"] != NO_PREDICATE:
            spans = tuple(Span(*span) for span in item["arguments"])
            propositions.append(Proposition(item["predicate"], item["lemma"], "", spans))
        if len(propositions) == item["num_propositions"]:
            yield len(item["words"]), propositions
            next_sentence, propositions = next_sentence + 1, []
    if propositions:
        raise _missing(next_sentence, len(propositions))


def _missing(sentence: int, proposition: int) -> InputError:
    return InputError(
        f"an official file of predictions has every predicate in the file's order; predicate {proposition} of sentence "
        f"{sentence} (from 0) is missing: read with keep_without_predicate and without max_predicates, and do not "
        "shuffle."
    )
