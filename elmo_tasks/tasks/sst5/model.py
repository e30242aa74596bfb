"""The biattentive classification network (BCN) of McCann et al. (2017), as the ELMo paper uses it on SST-5."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import torch
from allennlp.common import Lazy
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import FeedForward, Seq2SeqEncoder, TextFieldEmbedder
from allennlp.nn.util import get_text_field_mask, masked_max, masked_mean, masked_softmax
from allennlp.training.metrics import CategoricalAccuracy
from overrides import overrides

from elmo_tasks.embedding.mix import add_mix_penalty
from elmo_tasks.embedding.output import OutputELMo
from elmo_tasks.errors import InputError
from elmo_tasks.tasks.sst5.classes import class_names
from elmo_tasks.tasks.sst5.output import OutputNetwork, ReluOutput

ELMO_OUTPUT_PLACES = ("encoder", "integrator")


@Model.register("paper_sst5")
class BiattentiveClassificationNetwork(Model):
    """
    Classify a text by a biLSTM that attends to its own output, four poolings and a feed-forward network.

    For one text w (the second input of the general BCN is the text itself; docs/sst5.md, McCann et al. section 5)::

        x^   = ReLU(W w + b)                      per token
        X    = biLSTM(x^)                         [X; biLSTM'(ELMo')] with ELMo at the output
        A    = X X^T,  C = softmax(A) X           over the text's own tokens
        X_y  = biLSTM([X; X - C; X * C])
        beta = softmax(X_y v + d)
        pool = [max X_y; mean X_y; min X_y; X_y^T beta]
        p    = softmax(output network(pool))

    A token position that is padding has no part in any of it, so that a text's scores depend on that text alone.

    ELMo at the input is the text field embedder's business. ELMo at the output follows the paper (section 3.3: the
    task RNN's output h_k becomes [h_k; ELMo'_k]) and its appendix ("the output ELMo vectors are passed through a second
    biLSTM and concatenated"): the second mix goes through a biLSTM of its own, built like ``encoder``, and the result
    stands beside X in everything that follows.

    Parameters
    ----------
    vocab
        AllenNLP's vocabulary.
    text_field_embedder
        embeds ``tokens``.
    pre_encode_feedforward
        x^; built with ``input_dim``.
    encoder
        the first biLSTM; built with ``input_size``.
    integrator
        the second; built with ``input_size``.
    output
        the output network (``relu`` or ``maxout``); built with ``input_dim`` and ``num_classes``.
    granularity
        ``5-class``, ``3-class`` or ``2-class``; the reader's must be the same.
    embedding_dropout
        rate on the embedded tokens.
    pooled_dropout
        rate on the pooled vector.
    elmo_at_output
        ELMo at the output; its biLM run is the input's.
    elmo_output_place
        ``encoder`` (as above) or ``integrator``: beside X_y, before the poolings, which is where AllenNLP's first port
        of the paper's program had it.
    elmo_output_bilstm
        whether the output ELMo vectors pass through their own biLSTM; the port had none.
    kwargs
        ``regularizer`` and what else AllenNLP's ``Model`` takes.
    """

    default_predictor = "paper_sst5"
    official_keys: ClassVar[tuple[str, ...]] = ("label",)

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        pre_encode_feedforward: Lazy[FeedForward],
        encoder: Lazy[Seq2SeqEncoder],
        integrator: Lazy[Seq2SeqEncoder],
        output: Lazy[OutputNetwork] | None = None,
        granularity: str = "5-class",
        embedding_dropout: float = 0.25,
        pooled_dropout: float = 0.1,
        elmo_at_output: Lazy[OutputELMo] | None = None,
        elmo_output_place: str = "encoder",
        elmo_output_bilstm: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if elmo_output_place not in ELMO_OUTPUT_PLACES:
            raise InputError(
                f"model.elmo_output_place is {elmo_output_place!r}, expected one of {', '.join(ELMO_OUTPUT_PLACES)}."
            )
        self.class_names = class_names(granularity)
        self._granularity = granularity
        self._elmo_output_place = elmo_output_place

        self.text_field_embedder = text_field_embedder
        self._embedding_dropout = torch.nn.Dropout(embedding_dropout)
        self.pre_encode_feedforward = pre_encode_feedforward.construct(input_dim=text_field_embedder.get_output_dim())
        self.encoder = encoder.construct(input_size=self.pre_encode_feedforward.get_output_dim())

        self.elmo_at_output: OutputELMo | None = None
        self.elmo_encoder: Seq2SeqEncoder | None = None
        elmo_dim = 0
        if elmo_at_output is not None:
            self.elmo_at_output = elmo_at_output.construct(text_field_embedder=text_field_embedder)
            elmo_dim = self.elmo_at_output.get_output_dim()
            if elmo_output_bilstm:
                self.elmo_encoder = encoder.construct(input_size=elmo_dim)
                elmo_dim = self.elmo_encoder.get_output_dim()

        encoded_dim = self.encoder.get_output_dim() + (elmo_dim if elmo_output_place == "encoder" else 0)
        self.integrator = integrator.construct(input_size=3 * encoded_dim)
        integrated_dim = self.integrator.get_output_dim() + (elmo_dim if elmo_output_place == "integrator" else 0)
        self.self_attention = torch.nn.Linear(integrated_dim, 1)
        self._pooled_dropout = torch.nn.Dropout(pooled_dropout)
        output = output or Lazy(ReluOutput)
        self.output = output.construct(input_dim=4 * integrated_dim, num_classes=len(self.class_names))

        self._accuracy = CategoricalAccuracy()
        self._loss = torch.nn.CrossEntropyLoss()

    @overrides(check_signature=False)
    def forward(
        self,
        tokens: TextFieldTensors,
        label: torch.Tensor | None = None,
        metadata: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """
        Score texts.

        Parameters
        ----------
        tokens
            indexed texts.
        label
            ``(batch_size,)`` indices of the gold classes.
        metadata
            the reader's, one a text.

        Returns
        -------
        ``logits`` and ``probabilities``, both ``(batch_size, num_classes)``; ``loss``, the mean cross-entropy, where
        there are labels; ``tokens``, the words, where there is metadata.
        """
        self._check_granularity(metadata)
        mask = get_text_field_mask(tokens)  # (batch_size, num_tokens)
        # (batch_size, num_tokens, embedding_dim)
        embedded = self._embedding_dropout(self.text_field_embedder(tokens))
        # (batch_size, num_tokens, encoded_dim)
        encoded = self.encoder(self.pre_encode_feedforward(embedded), mask)
        output_elmo = self._output_elmo(tokens, mask)
        if output_elmo is not None and self._elmo_output_place == "encoder":
            encoded = torch.cat([encoded, output_elmo], dim=-1)

        context = attend_to_self(encoded, mask)  # as encoded
        # (batch_size, num_tokens, integrated_dim)
        integrated = self.integrator(torch.cat([encoded, encoded - context, encoded * context], dim=-1), mask)
        if output_elmo is not None and self._elmo_output_place == "integrator":
            integrated = torch.cat([integrated, output_elmo], dim=-1)

        # (batch_size, num_tokens)
        self_weights = masked_softmax(self.self_attention(integrated).squeeze(-1), mask, memory_efficient=True)
        pooled = pool(integrated, self_weights, mask)  # (batch_size, 4 * integrated_dim)
        logits = self.output(self._pooled_dropout(pooled))  # (batch_size, num_classes)

        result: dict[str, Any] = {"logits": logits, "probabilities": torch.softmax(logits, dim=-1)}
        if label is not None:
            result["loss"] = self._loss(logits, label)
            self._accuracy(logits, label)
        if metadata is not None:
            result["tokens"] = [item["tokens"] for item in metadata]
        return result

    @overrides
    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        """``accuracy`` of all texts since the last reset, a fraction."""
        return {"accuracy": float(self._accuracy.get_metric(reset))}

    @overrides(check_signature=False)
    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        """Add ``label`` (index of the most probable class, as a string) and ``name`` (what the class is called)."""
        best = output_dict["probabilities"].argmax(dim=-1).tolist()
        output_dict["label"] = [str(index) for index in best]
        output_dict["name"] = [self.class_names[index] for index in best]
        return output_dict

    def official_predictions(self, items: Iterable[tuple[str]]) -> Iterator[str]:
        """One label a line, as ``score sst5`` reads them."""
        for (label,) in items:
            yield f"{label}\n"

    @overrides
    def get_regularization_penalty(self) -> torch.Tensor | None:
        """AllenNLP's penalty, and that of ELMo's mixes which have the option ``l2``."""
        return add_mix_penalty(self, super().get_regularization_penalty())

    def _output_elmo(self, tokens: TextFieldTensors, mask: torch.Tensor) -> torch.Tensor | None:
        """The output place's vectors ``(batch_size, num_tokens, elmo_dim)``, or ``None`` without that place."""
        if self.elmo_at_output is None:
            return None
        vectors = self.elmo_at_output(tokens)
        return vectors if self.elmo_encoder is None else self.elmo_encoder(vectors, mask)

    def _check_granularity(self, metadata: list[dict[str, Any]] | None) -> None:
        if metadata and metadata[0]["granularity"] != self._granularity:
            raise InputError(
                f"model.granularity is {self._granularity!r} but the dataset reader's is "
                f"{metadata[0]['granularity']!r}; make them the same."
            )


def attend_to_self(encoded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    Each position's summary of its own text: ``C = softmax(X X^T) X``.

    Parameters
    ----------
    encoded
        X, ``(batch_size, num_tokens, dim)``.
    mask
        ``(batch_size, num_tokens)``, true at tokens.

    Returns
    -------
    ``(batch_size, num_tokens, dim)``; what stands at padded positions has no meaning.
    """
    # (batch_size, num_tokens, num_tokens): a row is a position that reads, a column one that is read
    affinity = torch.bmm(encoded, encoded.transpose(1, 2))
    weights = masked_softmax(affinity, mask.unsqueeze(1), memory_efficient=True)
    return torch.bmm(weights, encoded)


def pool(vectors: torch.Tensor, weights: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """
    Maximum, mean, minimum and weighted sum over a text's tokens, joined in this order.

    Parameters
    ----------
    vectors
        ``(batch_size, num_tokens, dim)``.
    weights
        ``(batch_size, num_tokens)``, zero at padded positions.
    mask
        ``(batch_size, num_tokens)``, true at tokens.

    Returns
    -------
    ``(batch_size, 4 * dim)``.
    """
    at_tokens = mask.unsqueeze(-1)  # (batch_size, num_tokens, 1)
    weighted_sum = torch.bmm(weights.unsqueeze(1), vectors).squeeze(1)
    return torch.cat(
        [
            masked_max(vectors, at_tokens, dim=1),
            masked_mean(vectors, at_tokens, dim=1),
            -masked_max(-vectors, at_tokens, dim=1),
            weighted_sum,
        ],
        dim=-1,
    )
