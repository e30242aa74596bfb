"""The metrics of coreference on one document: MUC, B³, CEAF and BLANC, as the official scorer counts them."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain, combinations_with_replacement, product
from typing import NamedTuple

from elmo_tasks.scoring.assignment import best_assignment

Cluster = Sequence[Hashable]
"""The mentions of a cluster: a span each, or whatever says where a mention is."""


class Counts(NamedTuple):
    """
    Numerators and denominators of recall and precision.

    Parameters
    ----------
    recalled, key
        Of recall: what of the key was found, and what there is.
    precise, response
        Of precision: what of the response is right, and what there is.
    """

    recalled: float = 0
    key: float = 0
    precise: float = 0
    response: float = 0

    @classmethod
    def total(cls, parts: Iterable["Counts"]) -> "Counts":
        """The sums over parts, of which the order does not matter: sums are rounded once, at the end."""
        return cls(*map(math.fsum, zip(*parts, strict=True)))

    @property
    def recall(self) -> float:
        """From 0 to 1; 0 without a denominator."""
        return self.recalled / self.key if self.key else 0.0

    @property
    def precision(self) -> float:
        """From 0 to 1; 0 without a denominator."""
        return self.precise / self.response if self.response else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, from 0 to 1; 0 if both are."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class Links(NamedTuple):
    """
    What BLANC counts: pairs of mentions; its figures are means over the two kinds.

    A kind of which the key has no pair does not count, whatever the response has.

    Parameters
    ----------
    coreference
        Pairs within a cluster.
    non_coreference
        Pairs between two clusters.
    """

    coreference: Counts = Counts()
    non_coreference: Counts = Counts()

    @classmethod
    def total(cls, parts: Iterable["Links"]) -> "Links":
        """The sums over parts, each kind for itself."""
        return cls(*map(Counts.total, zip(*parts, strict=True)))

    @property
    def recall(self) -> float:
        """From 0 to 1; 0 if the key has no pair."""
        return _mean(kind.recall for kind in self._kinds())

    @property
    def precision(self) -> float:
        """From 0 to 1; 0 if the key has no pair."""
        return _mean(kind.precision for kind in self._kinds())

    @property
    def f1(self) -> float:
        """Mean of the F1 of both kinds, not the harmonic mean of precision and recall; from 0 to 1."""
        return _mean(kind.f1 for kind in self._kinds())

    def _kinds(self) -> list[Counts]:
        return [kind for kind in self if kind.key]


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values) if values else 0.0


class Clustering:
    """
    The clusters of one side of a document, and which of them have a mention.

    Parameters
    ----------
    clusters
        Empty ones are left out.
    """

    def __init__(self, clusters: Iterable[Cluster]) -> None:
        self.clusters = [cluster for cluster in clusters if cluster]
        self.num_mentions = sum(map(len, self.clusters))
        self.places: dict[Hashable, list[int]] = {}
        """For each mention the numbers of its clusters, each as often as the cluster has the mention."""
        for number, cluster in enumerate(self.clusters):
            for mention in cluster:
                self.places.setdefault(mention, []).append(number)

    def home(self, mention: Hashable) -> int:
        """The cluster of a mention; of a repeated one, which MUC and B³ take for its only one, the last."""
        return self.places[mention][-1]


def identification(key: Clustering, response: Clustering) -> Counts:
    """Mentions that both sides have, whatever their clusters; repeated ones count once."""
    both = len(key.places.keys() & response.places.keys())
    return Counts(both, len(key.places), both, len(response.places))


def muc(key: Clustering, response: Clustering) -> Counts:
    """Links, of which n mentions of one cluster have n - 1: those of the key, of the response, and of both."""
    links = 0
    for cluster in response.clusters:
        homes = [key.home(mention) for mention in cluster if mention in key.places]
        links += len(homes) - len(set(homes))
    return Counts(links, key.num_mentions - len(key.clusters), links, response.num_mentions - len(response.clusters))


def bcub(key: Clustering, response: Clustering) -> Counts:
    """For each mention the part of its cluster that is in its cluster of the other side."""
    recalled = precise = 0.0
    for cluster in response.clusters:
        shared = Counter(number for mention in cluster for number in set(key.places.get(mention, ())))
        # One mention after the other, as the official program does: the last digits of the sums depend on it.
        for mention in cluster:
            if mention in key.places:
                home = key.home(mention)
                precise += shared[home] / len(cluster)
                recalled += shared[home] / len(key.clusters[home])
    return Counts(recalled, key.num_mentions, precise, response.num_mentions)


def ceafm(key: Clustering, response: Clustering) -> Counts:
    """Mentions in common, under that one-to-one assignment of clusters that has the most of them."""
    overlaps = _overlaps(key, response)
    chosen = zip(overlaps, best_assignment(overlaps), strict=True)
    shared = sum(overlap[number] for overlap, number in chosen if number is not None)
    return Counts(shared, key.num_mentions, shared, response.num_mentions)


def ceafe(key: Clustering, response: Clustering) -> Counts:
    """The similarity φ₄ of clusters, twice the mentions in common over all of both, summed over the best assignment."""
    similarities = [
        {number: 2 * shared / (len(cluster) + len(response.clusters[number])) for number, shared in overlap.items()}
        for cluster, overlap in zip(key.clusters, _overlaps(key, response), strict=True)
    ]
    total = 0.0
    for similarity, number in zip(similarities, best_assignment(similarities), strict=True):
        if number is not None:
            # The official program turns it into a cost and back, which its last digits show.
            total += 1 - (1 - similarity[number])
    return Counts(total, len(key.clusters), total, len(response.clusters))


def _overlaps(key: Clustering, response: Clustering) -> list[Counter[int]]:
    """For each cluster of the key, how many of its mentions each cluster of the response has, if any."""
    return [
        Counter(number for mention in cluster for number in set(response.places.get(mention, ())))
        for cluster in key.clusters
    ]


def blanc(key: Clustering, response: Clustering) -> Links:
    """
    Links of both kinds, each pair of mentions counted once.

    A repeated mention can have links of both kinds to another one, and has one to itself.
    """
    plain: Counter[tuple[int | None, int | None]] = Counter()
    plain_mentions, repeated = [], []
    for mention in key.places | response.places:
        places = key.places.get(mention, []), response.places.get(mention, [])
        if max(map(len, places)) > 1:
            repeated.append(mention)
        else:
            plain_mentions.append(mention)
            plain[places[0][0] if places[0] else None, places[1][0] if places[1] else None] += 1
    pairs = chain(product(repeated, plain_mentions), combinations_with_replacement(repeated, 2))
    others = (_links_of_pair(key, response, one, other) for one, other in pairs)
    return Links.total(chain([_plain_links(plain)], others))


def _plain_links(cells: Mapping[tuple[int | None, int | None], int]) -> Links:
    """
    Links among mentions that are in at most one cluster of each side, without going through the pairs.

    Parameters
    ----------
    cells
        Numbers of mentions by their cluster of the key and that of the response, None where they have none.
    """
    shared = {cell: number for cell, number in cells.items() if None not in cell}
    of_key, of_response = _sums(cells, 0), _sums(cells, 1)
    both_of_key, both_of_response = _sums(shared, 0), _sums(shared, 1)
    both = _pairs(shared.values())
    # All pairs less those in one cluster of the key, or of the response, of which `both` would be taken away twice.
    neither = math.comb(sum(shared.values()), 2) - _pairs(both_of_key) - _pairs(both_of_response) + both
    return Links(
        Counts(both, _pairs(of_key), both, _pairs(of_response)),
        Counts(
            neither,
            math.comb(sum(of_key), 2) - _pairs(of_key),
            neither,
            math.comb(sum(of_response), 2) - _pairs(of_response),
        ),
    )


def _sums(cells: Mapping[tuple[int | None, int | None], int], side: int) -> list[int]:
    """Numbers of mentions of each cluster of a side."""
    sums: Counter[int] = Counter()
    for cell, number in cells.items():
        cluster = cell[side]
        if cluster is not None:
            sums[cluster] += number
    return list(sums.values())


def _pairs(sizes: Iterable[int]) -> int:
    return sum(math.comb(size, 2) for size in sizes)


def _links_of_pair(key: Clustering, response: Clustering, one: Hashable, other: Hashable) -> Links:
    """The links of two mentions, or of one to itself."""
    kinds = []
    for linked in (_in_one_cluster, _in_two_clusters):
        in_key, in_response = linked(key, one, other), linked(response, one, other)
        both = in_key and in_response
        kinds.append(Counts(both, in_key, both, in_response))
    return Links(*kinds)


def _in_one_cluster(side: Clustering, one: Hashable, other: Hashable) -> bool:
    places = side.places.get(one, [])
    if one == other:
        return len(places) > len(set(places))
    return not set(places).isdisjoint(side.places.get(other, []))


def _in_two_clusters(side: Clustering, one: Hashable, other: Hashable) -> bool:
    places, others = side.places.get(one, []), side.places.get(other, [])
    return bool(places and others) and len({*places, *others}) > 1
