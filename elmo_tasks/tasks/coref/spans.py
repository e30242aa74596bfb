"""Spans that may be mentions: the vector and the score of each, and which of them are kept."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import nn

from elmo_tasks.tasks.coref.scorer import Scorer


class Kept(NamedTuple):
    """
    What dropout leaves of each candidate.

    Parameters
    ----------
    width
        bool ``(max_width, num_words, width_dim)``, of the widths' vectors.
    hidden
        bool ``(max_width, num_words, hidden_dim)``, of each hidden layer of the score.
    """

    width: torch.Tensor
    hidden: list[torch.Tensor]

    def of(self, starts: torch.Tensor, widths: torch.Tensor) -> "Kept":
        """The same of chosen spans, each ``(num_spans, ...)``."""
        return Kept(self.width[widths - 1, starts], [layer[widths - 1, starts] for layer in self.hidden])


class SpanEncoder(nn.Module):
    """
    Vectors of spans, and how likely each is a mention (docs/coref.md)::

        a_t = w.h_t,   head = sum of softmax(a)_t x_t over the span
        g   = [h_start; h_end; width vector; head],   s(g) = FFNN(g)

    Candidates are all spans of one sentence up to a width, ten times as many as words. Their vectors are never made:
    all but the softmax is linear up to the first hidden layer, so what h and x add to its sums is computed once a word.
    No gradient flows through a candidate that is not kept, so that the kept ones alone are computed with one. Dropout
    is drawn for each candidate and is the same in both computations.

    Parameters
    ----------
    encoded_dim
        size of h.
    token_dim
        size of x.
    hidden_dims, dropout
        of the score; ``dropout`` is also that of the widths' vectors.
    max_width
        most words of a span.
    width_dim
        size of a width's vector.
    """

    def __init__(
        self,
        encoded_dim: int,
        token_dim: int,
        hidden_dims: Sequence[int],
        dropout: float,
        max_width: int = 10,
        width_dim: int = 20,
    ) -> None:
        super().__init__()
        self.max_width = max_width
        self.width = nn.Parameter(torch.empty(max_width, width_dim))
        nn.init.xavier_uniform_(self.width)
        # a bias would cancel in the softmax
        self.attention = nn.Linear(encoded_dim, 1, bias=False)
        nn.init.xavier_uniform_(self.attention.weight)
        self._parts = [encoded_dim, encoded_dim, width_dim, token_dim]
        self.scorer = Scorer(sum(self._parts), hidden_dims, dropout)

    def get_output_dim(self) -> int:
        """Size of g."""
        return sum(self._parts)

    def draw(self, num_words: int) -> Kept | None:
        """Dropout of all candidates; None where nothing is dropped."""
        hidden = self.scorer.draw(self.max_width, num_words)
        if hidden is None:
            return None
        shape = (self.max_width, num_words, self.width.size(1))
        width = torch.empty(shape, dtype=torch.bool, device=self.width.device).bernoulli_(1 - self.scorer.dropout)
        return Kept(width, hidden)

    @torch.no_grad()
    def candidate_scores(
        self, encoded: torch.Tensor, tokens: torch.Tensor, sentences: torch.Tensor, kept: Kept | None
    ) -> torch.Tensor:
        """
        Scores of all candidates, without gradients.

        Parameters
        ----------
        encoded, tokens
            h ``(num_words, encoded_dim)`` and x ``(num_words, token_dim)``.
        sentences
            ``(num_words,)``, which sentence a word is in.
        kept
            what :meth:`draw` has drawn.

        Returns
        -------
        ``(num_words, max_width)`` by first word and width less one; minus infinity where a span leaves its sentence.
        """
        num_words = len(encoded)
        of_start, of_end, of_width, of_head = self.scorer.first.weight.split(self._parts, dim=1)
        # (num_words, hidden_dim) each
        starts = nn.functional.linear(encoded, of_start, self.scorer.first.bias)
        ends, heads = nn.functional.linear(encoded, of_end), nn.functional.linear(tokens, of_head)
        attention = self.attention(encoded).squeeze(-1)
        scores = encoded.new_full((num_words, self.max_width), -torch.inf)
        for width in range(1, min(self.max_width, num_words) + 1):
            count = num_words - width + 1
            # (count, width)
            weights = torch.softmax(attention.unfold(0, width, 1), dim=1)
            sums = starts[:count] + ends[width - 1 :]
            for place in range(width):
                sums = torch.addcmul(sums, weights[:, place : place + 1], heads[place : place + count])
            vector = self.width[width - 1]
            if kept is not None:
                vector = vector * kept.width[width - 1, :count] / (1 - self.scorer.dropout)
            sums = sums + nn.functional.linear(vector, of_width)
            hidden = None if kept is None else [layer[width - 1, :count] for layer in kept.hidden]
            inside = sentences[:count] == sentences[width - 1 :]
            scores[:count, width - 1] = self.scorer.from_sums(sums, hidden).masked_fill(~inside, -torch.inf)
        return scores

    def forward(
        self, encoded: torch.Tensor, tokens: torch.Tensor, starts: torch.Tensor, ends: torch.Tensor, kept: Kept | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Vectors and scores of chosen spans.

        Parameters
        ----------
        encoded, tokens, kept
            as in :meth:`candidate_scores`.
        starts, ends
            ``(num_spans,)`` first words and ends, the latter excluded.

        Returns
        -------
        g ``(num_spans, output_dim)`` and s ``(num_spans,)``.
        """
        widths = ends - starts
        chosen = None if kept is None else kept.of(starts, widths)
        vectors = self.width[widths - 1]
        if chosen is not None:
            vectors = vectors * chosen.width / (1 - self.scorer.dropout)
        # (num_spans, max_width): the words of each span, its last one again where it is shorter
        offsets = torch.arange(self.max_width, device=starts.device)
        words = torch.minimum(starts.unsqueeze(1) + offsets, ends.unsqueeze(1) - 1)
        attention = self.attention(encoded).squeeze(-1)[words]
        attention = attention.masked_fill(offsets >= widths.unsqueeze(1), -torch.inf)
        # (num_spans, token_dim)
        heads = torch.bmm(torch.softmax(attention, dim=1).unsqueeze(1), tokens[words]).squeeze(1)
        spans = torch.cat([encoded[starts], encoded[ends - 1], vectors, heads], dim=1)
        return spans, self.scorer(spans, None if chosen is None else chosen.hidden)


def best_spans(scores: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The spans that are kept: the best, leaving out those that cross a better one.

    Parameters
    ----------
    scores
        what :meth:`SpanEncoder.candidate_scores` gives. Of equal ones the first, then the shorter span is better.
    count
        how many are kept, or fewer if no more are left.

    Returns
    -------
    starts, ends
        ``(num_kept,)`` each, the ends excluded, in order of start and end.
    """
    num_words, max_width = scores.shape
    flat = scores.flatten()
    order = torch.sort(flat, descending=True, stable=True).indices
    # what is not a number comes first and is kept, so that the loss shows it
    places = order[: int((flat != -torch.inf).sum())].tolist()
    spans = ((place // max_width, place // max_width + place % max_width + 1) for place in places)
    kept = sorted(without_crossing(spans, count, num_words))
    starts, ends = torch.tensor(kept, dtype=torch.long, device=scores.device).view(-1, 2).unbind(dim=1)
    return starts, ends


def without_crossing(spans: Iterable[tuple[int, int]], count: int, num_words: int) -> list[tuple[int, int]]:
    """
    The first ``count`` spans of which none crosses one before it. Spans may lie in each other.

    Two spans cross if each has words that the other has, and words that it has not, and neither lies in the other.

    Parameters
    ----------
    spans
        first words and ends, the ends excluded.
    num_words
        of the text.
    """
    kept: list[tuple[int, int]] = []
    # By a kept span's first word the furthest end, by its last word the furthest start: those that others may cross.
    furthest_end = [-1] * num_words
    furthest_start = [num_words] * num_words
    for start, end in spans:
        if len(kept) == count:
            break
        last = end - 1
        if any(furthest_end[word] > end for word in range(start + 1, end)):
            continue
        if any(furthest_start[word] < start for word in range(start, last)):
            continue
        kept.append((start, end))
        furthest_end[start] = max(furthest_end[start], end)
        furthest_start[last] = min(furthest_start[last], start)
    return kept
