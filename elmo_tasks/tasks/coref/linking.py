"""From scores of antecedents to a loss, and to clusters."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import torch

_Mention = TypeVar("_Mention")

# Stands where a span has no, or no further, gold cluster.
NO_CLUSTER = -1


def gold_clusters(spans: Iterable[tuple[int, int]], clusters: Mapping[tuple[int, int], Sequence[int]]) -> torch.Tensor:
    """
    Numbers of the gold clusters of spans.

    Parameters
    ----------
    spans
        first words and ends.
    clusters
        the numbers of each gold mention's clusters, mostly one.

    Returns
    -------
    int64 ``(num_spans, max_clusters)``, :data:`NO_CLUSTER` where there are fewer.
    """
    numbers = [clusters.get(span, ()) for span in spans]
    most = max(map(len, numbers), default=0)
    rows = [[*found, *[NO_CLUSTER] * (most - len(found))] for found in numbers]
    return torch.tensor(rows, dtype=torch.long).view(len(rows), most)


def antecedent_loss(scores: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """
    Minus the log of the probability of all right antecedents of each span together, summed over spans (docs/coref.md).

    The right ones are those that share a gold cluster with the span; without any, that is having no antecedent, whose
    score is 0.

    Parameters
    ----------
    scores
        ``(num_spans, num_antecedents)``, the nearest first, minus infinity where there is none.
    gold
        what :func:`gold_clusters` gives.
    """
    num_spans, num_antecedents = scores.shape
    nearest = torch.arange(num_antecedents, device=scores.device)
    others = (torch.arange(num_spans, device=scores.device).unsqueeze(1) - 1 - nearest).clamp(min=0)
    right = torch.zeros_like(scores, dtype=torch.bool)
    for column in gold.unbind(dim=1):
        for other in gold.unbind(dim=1):
            right |= (column.unsqueeze(1) == other[others]) & (column != NO_CLUSTER).unsqueeze(1)
    right &= torch.isfinite(scores)
    everything = with_none(scores)
    right = torch.cat([~right.any(dim=1, keepdim=True), right], dim=1)
    return (everything.logsumexp(dim=1) - everything.masked_fill(~right, -torch.inf).logsumexp(dim=1)).sum()


def with_none(scores: torch.Tensor) -> torch.Tensor:
    """``(num_spans, 1 + num_antecedents)``: scores with that of having no antecedent, 0, before them."""
    return torch.cat([scores.new_zeros(len(scores), 1), scores], dim=1)


def predicted_clusters(mentions: Sequence[_Mention], scores: torch.Tensor) -> list[list[_Mention]]:
    """
    The clusters that arise if each mention goes with its best antecedent, or with none where no score is above 0.

    Parameters
    ----------
    mentions
        in the order of the text.
    scores
        as in :func:`antecedent_loss`.

    Returns
    -------
    Clusters of two or more, and the mentions in each, in the order of the text.
    """
    number_of: dict[int, int] = {}
    clusters: list[list[int]] = []
    for place, best in enumerate(with_none(scores).argmax(dim=1).tolist()):
        if best == 0:
            continue
        antecedent = place - best
        if antecedent not in number_of:
            number_of[antecedent] = len(clusters)
            clusters.append([antecedent])
        number_of[place] = number_of[antecedent]
        clusters[number_of[place]].append(place)
    # sorted, since a cluster was found by its second mention
    return [[mentions[place] for place in cluster] for cluster in sorted(clusters)]
