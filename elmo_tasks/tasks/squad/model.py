"""The reader of the paper's SQuAD experiments: bi-attention, self-attention, and the two ends of an answer."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import torch
from allennlp.common import Lazy
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import InputVariationalDropout, Seq2SeqEncoder, TextFieldEmbedder
from allennlp.nn.util import get_text_field_mask, min_value_of_dtype
from overrides import overrides

from elmo_tasks.embedding.mix import add_mix_penalty
from elmo_tasks.embedding.output import OutputELMo
from elmo_tasks.errors import InputError
from elmo_tasks.nn.ensemble import EnsembleMember, Scores
from elmo_tasks.tasks.squad.attention import BiAttention, ResidualSelfAttention
from elmo_tasks.tasks.squad.metric import SquadMetric
from elmo_tasks.tasks.squad.spans import best_spans, boundary_loss, draw_one

TRAINED_ANSWERS = ("one", "all")

# Initial values of the GRUs' matrices (docs/squad.md): a normal distribution, cut off at two deviations.
GRU_DEVIATION = 0.05


@Model.register("paper_squad")
class SelfAttentiveReader(EnsembleMember):
    """
    Find the answer to a question in a passage (Clark & Gardner 2017; docs/squad.md)::

        c, q = dropout(GRU(dropout(x)))     passage and question, one GRU; [c; ELMo'] with ELMo at the output
        m    = ReLU(W bi-attention(c, q) + d)
        y    = dropout(m + self-attention(m))
        g    = GRU(y),          start_i = v.g_i + e
        h    = GRU([y; g]),     end_i   = w.h_i + f

    All GRUs are bidirectional, and all but the first two texts' have their own weights. Dropout is variational. A place
    that is padding has no part in any of it.

    Parameters
    ----------
    vocab
        AllenNLP's vocabulary.
    text_field_embedder
        embeds ``passage`` and ``question``.
    encoder
        the GRU; built four times with ``input_size``. The other sizes follow from its output.
    dropout
        rate of the variational dropout: one mask for all tokens of a text.
    max_answer_length
        most tokens of an answer.
    answers
        what training asks for where a question has several answers: ``one``, drawn anew each time, as the paper's
        program with ELMo, or ``all``, whichever of them, as the one without. In evaluation the loss is that of ``all``.
    elmo_at_output
        ELMo at the output of the first GRU; its biLM run is the input's, its mix one for both texts.
    kwargs
        ``regularizer`` and what else AllenNLP's ``Model`` takes.
    """

    default_predictor = "paper_squad"
    official_in_one_piece: ClassVar[bool] = True
    official_keys: ClassVar[tuple[str, ...]] = ("best_span_text", "id")

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        encoder: Lazy[Seq2SeqEncoder],
        dropout: float = 0.2,
        max_answer_length: int = 17,
        answers: str = "one",
        elmo_at_output: Lazy[OutputELMo] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if answers not in TRAINED_ANSWERS:
            raise InputError(f"model.answers is {answers!r}, expected one of {', '.join(TRAINED_ANSWERS)}.")
        if max_answer_length < 1:
            raise InputError(f"model.max_answer_length is {max_answer_length}, expected 1 or more.")
        self._answers = answers
        self._max_answer_length = max_answer_length

        self.text_field_embedder = text_field_embedder
        self._dropout = InputVariationalDropout(dropout)
        self.encoder = encoder.construct(input_size=text_field_embedder.get_output_dim())
        dim = self.encoder.get_output_dim()
        elmo_dim = 0
        self.elmo_at_output: OutputELMo | None = None
        if elmo_at_output is not None:
            self.elmo_at_output = elmo_at_output.construct(text_field_embedder=text_field_embedder)
            elmo_dim = self.elmo_at_output.get_output_dim()
        self.bi_attention = BiAttention(dim + elmo_dim)
        self.match = torch.nn.Linear(self.bi_attention.get_output_dim(), dim)
        self.self_attention = ResidualSelfAttention(encoder.construct(input_size=dim), self._dropout)
        self.start_encoder = encoder.construct(input_size=dim)
        self.start = torch.nn.Linear(dim, 1)
        self.end_encoder = encoder.construct(input_size=2 * dim)
        self.end = torch.nn.Linear(dim, 1)
        self._initialize()
        self._metric = SquadMetric()

    @overrides(check_signature=False)
    def scores(self, question: TextFieldTensors, passage: TextFieldTensors, **_: Any) -> Scores:
        """``start`` and ``end``, scores of the passage's tokens ``(batch_size, num_tokens)``, see ``forward``."""
        mask, question_mask = get_text_field_mask(passage), get_text_field_mask(question)
        # (batch_size, num_tokens, encoded_dim) of each
        encoded, encoded_question = self._encoded(passage, mask), self._encoded(question, question_mask)
        matched = torch.relu(self.match(self.bi_attention(encoded, encoded_question, mask, question_mask)))
        read = self._dropout(self.self_attention(matched, mask))
        towards_start = self.start_encoder(read, mask)
        towards_end = self.end_encoder(torch.cat([read, towards_start], dim=-1), mask)
        scores = {"start": self.start(towards_start), "end": self.end(towards_end)}
        return {
            name: score.squeeze(-1).masked_fill(~mask, min_value_of_dtype(score.dtype))
            for name, score in scores.items()
        }

    @staticmethod
    @overrides
    def average(members: list[Scores]) -> Scores:
        """The mean of the members' scores."""
        return {name: torch.stack([scores[name] for scores in members]).mean(dim=0) for name in ("start", "end")}

    @overrides(check_signature=False)
    def answer(
        self,
        scores: Scores,
        spans: torch.Tensor | None = None,
        metadata: list[dict[str, Any]] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """What ``forward`` returns, from the scores of ``scores``."""
        start, end = scores["start"], scores["end"]
        result: dict[str, Any] = {"start_logits": start, "end_logits": end}
        if spans is not None:
            gold = draw_one(spans) if self.training and self._answers == "one" else spans
            result["loss"] = boundary_loss(start, gold[..., 0]) + boundary_loss(end, gold[..., 1])
        if self.training and spans is not None:
            return result
        count = max((item.get("num_answers", 1) for item in metadata or []), default=1)
        best, best_scores = best_spans(start, end, self._max_answer_length, count)
        result["best_span"] = best[:, 0]
        if metadata is not None:
            probabilities = torch.log_softmax(start, dim=1), torch.log_softmax(end, dim=1)
            if any(item["id"] for item in metadata):
                result["id"] = [item["id"] or "" for item in metadata]
            result["answers"] = [
                list(_answers(item, *row))
                for item, *row in zip(metadata, best.tolist(), best_scores.tolist(), *probabilities, strict=True)
            ]
            result["best_span_text"] = [answers[0]["text"] for answers in result["answers"]]
            for item, text in zip(metadata, result["best_span_text"], strict=True):
                if "answers" in item:
                    self._metric(text, item["answers"])
        return result

    @overrides(check_signature=False)
    def forward(
        self,
        question: TextFieldTensors,
        passage: TextFieldTensors,
        spans: torch.Tensor | None = None,
        metadata: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """
        Answer questions.

        Parameters
        ----------
        question, passage
            indexed texts.
        spans
            ``(batch_size, num_answers, 2)`` first and last token of the gold answers, -1 where there are fewer.
        metadata
            the reader's, one a question; ``num_answers`` in it asks for the best answers, by default the best one.

        Returns
        -------
        ``start_logits`` and ``end_logits`` ``(batch_size, num_tokens)``; ``loss`` where there are gold answers;
        ``best_span`` ``(batch_size, 2)``, first and last token. Where there is metadata ``id`` (empty for a question
        without, absent if all are), ``best_span_text`` (a part of the context) and ``answers``, the best first:
        ``text``, its tokens from ``start`` to ``end`` and its characters from ``start_character`` to ``end_character``,
        the ends excluded, ``score`` (sum of both logits) and ``probability`` (product of both). In training with gold
        answers only logits and loss.
        """
        return super().forward(question=question, passage=passage, spans=spans, metadata=metadata)

    @overrides
    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        """``em`` and ``f1`` of the official script since the last reset, fractions; none before a question."""
        return self._metric.get_metric(reset)

    @overrides(check_signature=False)
    def official_predictions(self, items: Iterable[tuple[str, str | None]]) -> Iterator[str]:
        """The JSON object of ids and answers that the official script reads."""
        answers = {question_id: text for text, question_id in items}
        if not all(answers):
            raise InputError("the official format has the id of every question; read SQuAD's own file.")
        yield json.dumps(answers) + "\n"

    @overrides
    def get_regularization_penalty(self) -> torch.Tensor | None:
        """AllenNLP's penalty, and that of ELMo's mixes which have the option ``l2``."""
        return add_mix_penalty(self, super().get_regularization_penalty())

    def _encoded(self, text: TextFieldTensors, mask: torch.Tensor) -> torch.Tensor:
        """Steps 1 to 4: a text's tokens through the first GRU, with ELMo beside them."""
        encoded = self._dropout(self.encoder(self._dropout(self.text_field_embedder(text)), mask))
        if self.elmo_at_output is None:
            return encoded
        return torch.cat([encoded, self.elmo_at_output(text)], dim=-1)

    def _initialize(self) -> None:
        """Give GRUs and linear layers the initial values of the paper's program."""
        for encoder in (self.encoder, self.self_attention.encoder, self.start_encoder, self.end_encoder):
            for parameter in encoder.parameters():
                if parameter.dim() > 1:
                    limit = 2 * GRU_DEVIATION
                    torch.nn.init.trunc_normal_(parameter, std=GRU_DEVIATION, a=-limit, b=limit)
                else:
                    torch.nn.init.zeros_(parameter)
        for layer in (self.match, self.self_attention.merge, self.start, self.end):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)


def _answers(
    item: dict[str, Any], spans: list[list[int]], scores: list[float], start: torch.Tensor, end: torch.Tensor
) -> Iterator[dict[str, Any]]:
    """The answers that a question asks for, as far as its passage has as many spans."""
    offsets = item["offsets"]
    for (first, last), score in zip(spans[: item.get("num_answers", 1)], scores, strict=False):
        if last >= len(offsets):
            return
        characters = offsets[first][0], offsets[last][1]
        yield {
            "text": item["context"][slice(*characters)],
            "start": first,
            "end": last + 1,
            "start_character": characters[0],
            "end_character": characters[1],
            "score": score,
            "probability": float((start[first] + end[last]).detach().exp()),
        }
