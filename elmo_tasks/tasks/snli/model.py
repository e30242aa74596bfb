"""ESIM, the sequential inference model of Chen et al. (2017), as the ELMo paper uses it on SNLI."""

import json
from collections.abc import Iterable, Iterator
from math import log
from typing import Any, ClassVar

import torch
from allennlp.common import Lazy
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import FeedForward, InputVariationalDropout, Seq2SeqEncoder, TextFieldEmbedder
from allennlp.nn import InitializerApplicator
from allennlp.nn.util import get_text_field_mask, masked_max, masked_mean, masked_softmax
from allennlp.training.metrics import CategoricalAccuracy
from overrides import overrides

from elmo_tasks.embedding.mix import add_mix_penalty
from elmo_tasks.embedding.output import OutputELMo
from elmo_tasks.errors import InputError
from elmo_tasks.formats.snli import LABELS
from elmo_tasks.nn.ensemble import EnsembleMember, Scores


@Model.register("paper_snli")
class ESIM(EnsembleMember):
    """
    Judge whether a premise entails a hypothesis, contradicts it, or neither.

    For a premise p and a hypothesis h of words (docs/snli.md; Chen et al. 2017, section 3)::

        a  = biLSTM(p),  b = biLSTM(h)            [a; ELMo'] and [b; ELMo'] with ELMo at the output
        e  = a b^T
        a~ = softmax_j(e) b,  b~ = softmax_i(e)^T a
        m  = ReLU(W [a; a~; a - a~; a * a~] + u)  likewise for b
        v  = biLSTM'(m)                           mean and maximum over the words, of both texts
        P  = softmax(linear(ReLU(linear([mean_p; max_p; mean_h; max_h]))))

    Both texts go through the same embedder, biLSTMs, projection and mix. Dropout is variational (one mask for all words
    of a text) at the input of each biLSTM, element by element at the input of the last two linear layers. Padding has
    no part in any of it.

    ELMo at the input is the text field embedder's business. ELMo at the output is joined to the first biLSTM's output
    (the paper's section 3.3, h_k becomes [h_k; ELMo'_k]).

    Parameters
    ----------
    vocab
        AllenNLP's vocabulary.
    text_field_embedder
        embeds ``premise`` and ``hypothesis``.
    encoder
        the first biLSTM; built with ``input_size``.
    projection_feedforward
        m; built with ``input_dim``.
    inference_encoder
        the second biLSTM; built with ``input_size``.
    output_feedforward
        the layer before the last; built with ``input_dim``.
    dropout
        rate of the variational dropout.
    output_dropout
        rate at the input of the last two linear layers.
    attention_dropout
        rate behind the attention layer, on [a; a~; a - a~; a * a~]; the paper has it with ELMo.
    elmo_at_output
        ELMo at the output; its biLM run is the input's.
    initializer
        AllenNLP's; without it torch's own initial values stay.
    kwargs
        ``regularizer`` and what else AllenNLP's ``Model`` takes.
    """

    default_predictor = "paper_snli"
    official_keys: ClassVar[tuple[str, ...]] = ("label", "pair_id")

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        encoder: Lazy[Seq2SeqEncoder],
        projection_feedforward: Lazy[FeedForward],
        inference_encoder: Lazy[Seq2SeqEncoder],
        output_feedforward: Lazy[FeedForward],
        dropout: float = 0.5,
        output_dropout: float = 0.5,
        attention_dropout: float = 0.0,
        elmo_at_output: Lazy[OutputELMo] | None = None,
        initializer: InitializerApplicator | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        self.text_field_embedder = text_field_embedder
        self.encoder = encoder.construct(input_size=text_field_embedder.get_output_dim())
        self.elmo_at_output: OutputELMo | None = None
        encoded_dim = self.encoder.get_output_dim()
        if elmo_at_output is not None:
            self.elmo_at_output = elmo_at_output.construct(text_field_embedder=text_field_embedder)
            encoded_dim += self.elmo_at_output.get_output_dim()
        self.projection_feedforward = projection_feedforward.construct(input_dim=4 * encoded_dim)
        self.inference_encoder = inference_encoder.construct(input_size=self.projection_feedforward.get_output_dim())
        self.output_feedforward = output_feedforward.construct(input_dim=4 * self.inference_encoder.get_output_dim())
        self.output_layer = torch.nn.Linear(self.output_feedforward.get_output_dim(), len(LABELS))
        self._dropout = InputVariationalDropout(dropout)
        self._output_dropout = torch.nn.Dropout(output_dropout)
        self._attention_dropout = torch.nn.Dropout(attention_dropout)
        self._accuracy = CategoricalAccuracy()
        if initializer is not None:
            initializer(self)

    @overrides(check_signature=False)
    def scores(self, premise: TextFieldTensors, hypothesis: TextFieldTensors, **_: Any) -> Scores:
        """``logits`` ``(batch_size, 3)`` of the labels, in the order of ``formats.snli.LABELS``."""
        masks = [get_text_field_mask(text) for text in (premise, hypothesis)]
        # each (batch_size, num_tokens of its text, encoded_dim)
        encoded = [self._encode(text, mask) for text, mask in zip((premise, hypothesis), masks, strict=True)]
        attended = attend(encoded[0], masks[0], encoded[1], masks[1])
        pooled = [self._compose(text, other, mask) for text, other, mask in zip(encoded, attended, masks, strict=True)]
        # (batch_size, 4 * inference_dim)
        hidden = self.output_feedforward(self._output_dropout(torch.cat(pooled, dim=-1)))
        return {"logits": self.output_layer(self._output_dropout(hidden))}

    @staticmethod
    @overrides
    def average(members: list[Scores]) -> Scores:
        """The logarithm of the members' mean probabilities, as ``logits``."""
        each = torch.stack([torch.log_softmax(scores["logits"], dim=-1) for scores in members])
        return {"logits": each.logsumexp(dim=0) - log(len(members))}

    @overrides(check_signature=False)
    def answer(
        self,
        scores: Scores,
        label: torch.Tensor | None = None,
        metadata: list[dict[str, Any]] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """
        Answer a batch.

        Parameters
        ----------
        scores
            what ``scores`` gives.
        label
            ``(batch_size,)`` indices of the gold labels.
        metadata
            the reader's, one a pair.

        Returns
        -------
        ``logits`` and ``probabilities``, both ``(batch_size, 3)``; ``loss``, the mean cross-entropy, where there are
        labels; ``premise`` and ``hypothesis``, the words, and ``pair_id``, where there is metadata that has them.
        """
        logits = scores["logits"]
        result: dict[str, Any] = {"logits": logits, "probabilities": torch.softmax(logits, dim=-1)}
        if label is not None:
            result["loss"] = torch.nn.functional.cross_entropy(logits, label)
            self._accuracy(logits, label)
        if metadata is not None:
            for key in ("premise", "hypothesis", "pair_id"):
                if all(key in item for item in metadata):
                    result[key] = [item[key] for item in metadata]
        return result

    @overrides
    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        """``accuracy`` of all pairs with a label since the last reset, a fraction; nothing before the first."""
        counted = self._accuracy.total_count > 0
        accuracy = float(self._accuracy.get_metric(reset))
        return {"accuracy": accuracy} if counted else {}

    @overrides(check_signature=False)
    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        """Add ``label``, the most probable one, and give ``probabilities`` by the labels' names."""
        rows = output_dict["probabilities"].tolist()
        output_dict["label"] = [LABELS[row.index(max(row))] for row in rows]
        output_dict["probabilities"] = [dict(zip(LABELS, row, strict=True)) for row in rows]
        return output_dict

    @overrides(check_signature=False)
    def official_predictions(self, items: Iterable[tuple[str, str | None]]) -> Iterator[str]:
        """A JSON object with ``pairID`` and ``label`` a line, as ``score snli`` reads them."""
        for label, pair_id in items:
            if pair_id is None:
                raise InputError("an official file of predictions has the pairID of every pair; read SNLI's own file.")
            yield json.dumps({"pairID": pair_id, "label": label}) + "\n"

    @overrides
    def get_regularization_penalty(self) -> torch.Tensor | None:
        """AllenNLP's penalty, and that of ELMo's mixes which have the option ``l2``."""
        return add_mix_penalty(self, super().get_regularization_penalty())

    def _encode(self, text: TextFieldTensors, mask: torch.Tensor) -> torch.Tensor:
        """The first biLSTM over a text, with ELMo beside it: ``(batch_size, num_tokens, encoded_dim)``."""
        encoded = self.encoder(self._dropout(self.text_field_embedder(text)), mask)
        if self.elmo_at_output is None:
            return encoded
        return torch.cat([encoded, self.elmo_at_output(text)], dim=-1)

    def _compose(self, encoded: torch.Tensor, attended: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """From a text and what it reads of the other to its mean and maximum: ``(batch_size, 2 * inference_dim)``."""
        enhanced = torch.cat([encoded, attended, encoded - attended, encoded * attended], dim=-1)
        projected = self.projection_feedforward(self._attention_dropout(enhanced))
        # (batch_size, num_tokens, inference_dim)
        composed = self.inference_encoder(self._dropout(projected), mask)
        words = mask.unsqueeze(-1)  # (batch_size, num_tokens, 1)
        return torch.cat([masked_mean(composed, words, dim=1), masked_max(composed, words, dim=1)], dim=-1)


def attend(
    first: torch.Tensor, first_mask: torch.Tensor, second: torch.Tensor, second_mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    What each word of two texts reads of the other text: ``softmax_j(e) b`` and ``softmax_i(e)^T a`` with ``e = a b^T``.

    Parameters
    ----------
    first, second
        a ``(batch_size, num_first, dim)`` and b ``(batch_size, num_second, dim)``.
    first_mask, second_mask
        ``(batch_size, num_first)`` and ``(batch_size, num_second)``, true at words.

    Returns
    -------
    Two tensors as ``first`` and as ``second``; what stands at padded positions has no meaning.
    """
    similarity = torch.bmm(first, second.transpose(1, 2))  # (batch_size, num_first, num_second)
    of_second = masked_softmax(similarity, second_mask.unsqueeze(1), memory_efficient=True)
    of_first = masked_softmax(similarity.transpose(1, 2), first_mask.unsqueeze(1), memory_efficient=True)
    return torch.bmm(of_second, second), torch.bmm(of_first, first)
