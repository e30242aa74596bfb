"""Scores of pairs of spans, in blocks of rows."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from elmo_tasks.tasks.coref.scorer import Scorer

# Distances of 0 to 4 have a bin each, then 5-7, 8-15, 16-31, 32-63 and 64 or more share one.
BIN_STARTS = (1, 2, 3, 4, 5, 8, 16, 32, 64)


class PairScorer(nn.Module):
    """
    How well a span goes with each of those before it (docs/coref.md)::

        FFNN([g_i; g_j; g_i * g_j; same speaker; genre; distance])

    The first layer's matrix falls apart into W1 g_i + W2 g_j + W3 (g_i * g_j) + W4 features, and W3 (g_i * g_j) is
    (W3 diag(g_i)) g_j: one product of matrices for all spans of a block and those before them. So nothing is ever made
    that has a vector of the spans' size for each pair. Rows are computed ``block_size`` at a time; for the gradient
    each block is computed once more, so that one block's hidden layers are in memory at a time, in training too.

    Parameters
    ----------
    span_dim
        size of g.
    num_genres
        how many kinds of text there are.
    hidden_dims, dropout
        of the network; ``dropout`` is also that of the features.
    max_antecedents
        how many of the spans before a span it is scored with, the nearest.
    block_size
        how many spans are scored at a time. It changes time and memory, not the scores.
    feature_dim
        size of each feature's vector.
    """

    def __init__(
        self,
        span_dim: int,
        num_genres: int,
        hidden_dims: Sequence[int],
        dropout: float,
        max_antecedents: int = 250,
        block_size: int = 32,
        feature_dim: int = 20,
    ) -> None:
        super().__init__()
        self.max_antecedents = max_antecedents
        self.block_size = block_size
        self._parts = [span_dim, span_dim, span_dim, 3 * feature_dim]
        self.speaker = nn.Parameter(torch.empty(2, feature_dim))
        self.genre = nn.Parameter(torch.empty(num_genres, feature_dim))
        self.distance = nn.Parameter(torch.empty(len(BIN_STARTS) + 1, feature_dim))
        for feature in (self.speaker, self.genre, self.distance):
            nn.init.xavier_uniform_(feature)
        self.scorer = Scorer(sum(self._parts), hidden_dims, dropout)

    def forward(self, spans: torch.Tensor, speakers: torch.Tensor, genre: torch.Tensor) -> torch.Tensor:
        """
        Score each span with the nearest ones before it.

        Parameters
        ----------
        spans
            g, ``(num_spans, span_dim)``, in the order of the text.
        speakers
            ``(num_spans,)``, numbers of their speakers.
        genre
            the text's, an index without axes.

        Returns
        -------
        ``(num_spans, num_antecedents)``: a column for the nearest span before, the second nearest, and so on, minus
        infinity where there is none.
        """
        num_spans = len(spans)
        blocks = []
        for start in range(0, num_spans, self.block_size):
            bounds = start, min(start + self.block_size, num_spans)
            if torch.is_grad_enabled():
                blocks.append(checkpoint(self._block, spans, speakers, genre, *bounds, use_reentrant=False))
            else:
                blocks.append(self._block(spans, speakers, genre, *bounds))
        return torch.cat(blocks) if blocks else spans.new_zeros(0, 0)

    def _block(
        self, spans: torch.Tensor, speakers: torch.Tensor, genre: torch.Tensor, start: int, stop: int
    ) -> torch.Tensor:
        """The scores' rows ``start`` to ``stop``."""
        low = max(0, start - self.max_antecedents)
        rows, window = spans[start:stop], spans[low:stop]
        of_row, of_other, of_product, of_features = self.scorer.first.weight.split(self._parts, dim=1)
        # (num_rows * hidden_dim, span_dim): W3 diag(g_i) of each row
        factors = (rows.unsqueeze(1) * of_product).flatten(0, 1)
        # (num_window, num_rows, hidden_dim) from here on
        sums = nn.functional.linear(window, factors).unflatten(1, (len(rows), -1))
        sums = sums + nn.functional.linear(rows, of_row, self.scorer.first.bias)
        sums = sums + nn.functional.linear(window, of_other).unsqueeze(1)
        positions = torch.arange(low, stop, device=spans.device)
        distances = positions[start - low :] - positions.unsqueeze(1)
        same = (speakers[start:stop] == speakers[low:stop].unsqueeze(1)).long()
        features = [
            self.speaker[same],
            self.genre[genre].expand(*same.shape, -1),
            self.distance[distance_bins(distances)],
        ]
        dropped = nn.functional.dropout(torch.cat(features, dim=-1), self.scorer.dropout, self.training)
        # (num_rows, num_window)
        scores = self.scorer.from_sums(sums + nn.functional.linear(dropped, of_features)).t()
        # (num_rows, num_antecedents): where in the window a row's antecedents stand, the nearest first
        nearest = torch.arange(min(self.max_antecedents, max(len(spans) - 1, 0)), device=spans.device)
        places = positions[start - low :].unsqueeze(1) - 1 - nearest - low
        return scores.gather(1, places.clamp(min=0)).masked_fill(places < 0, -torch.inf)


def distance_bins(distances: torch.Tensor) -> torch.Tensor:
    """The bin of each distance in spans, from 0 to 9, in the shape of ``distances``."""
    starts = torch.tensor(BIN_STARTS, device=distances.device)
    return torch.bucketize(distances, starts, right=True)
