"""Spans from the scores of where an answer starts and ends: the loss of the gold ones, and the best ones."""

import torch
from allennlp.nn.util import min_value_of_dtype

# What the reader's spans have where an instance has fewer of them than another.
PADDING = -1


def boundary_loss(logits: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """
    Minus the log of the probability that falls on the gold places, mean over the batch (docs/squad.md).

    Parameters
    ----------
    logits
        ``(batch_size, num_tokens)``, very negative at padding.
    gold
        ``(batch_size, num_answers)`` places, :data:`PADDING` where there are fewer. A place that stands twice counts
        once.
    """
    marked = torch.zeros_like(logits, dtype=torch.bool)
    rows, columns = (gold != PADDING).nonzero(as_tuple=True)
    marked[rows, gold[rows, columns]] = True
    of_gold = logits.masked_fill(~marked, min_value_of_dtype(logits.dtype)).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - of_gold).mean()


def draw_one(spans: torch.Tensor) -> torch.Tensor:
    """
    One of each question's gold spans, all equally likely, by torch's generator.

    Parameters
    ----------
    spans
        ``(batch_size, num_answers, 2)``, :data:`PADDING` behind the last of a question.

    Returns
    -------
    ``(batch_size, 1, 2)``.
    """
    counts = (spans[..., 0] != PADDING).sum(dim=1)  # (batch_size,)
    chosen = (torch.rand(len(spans), device=spans.device) * counts).long()
    return spans[torch.arange(len(spans), device=spans.device), chosen].unsqueeze(1)


def best_spans(
    start: torch.Tensor, end: torch.Tensor, max_length: int, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The spans of the highest sum of their two scores, the best first (docs/squad.md).

    Parameters
    ----------
    start, end
        scores ``(batch_size, num_tokens)`` of where an answer starts and what its last token is, very negative at
        padding.
    max_length
        most tokens of a span.
    count
        how many.

    Returns
    -------
    spans, scores
        ``(batch_size, count, 2)``, first and last token, and ``(batch_size, count)``. A text with fewer spans has very
        negative scores in the last places; there are never more places than the longest text of the batch has spans.
    """
    length = min(max_length, start.size(1))
    # (batch_size, num_tokens, length): what a span scores that begins at a token and has one, two, ... tokens
    ends = torch.nn.functional.pad(end, (0, length - 1), value=min_value_of_dtype(end.dtype)).unfold(1, length, 1)
    scores = (start.unsqueeze(2) + ends).flatten(1)
    best, places = scores.topk(min(count, scores.size(1)), dim=1)
    first = places // length
    return torch.stack([first, first + places % length], dim=2), best
