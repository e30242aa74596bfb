"""The metrics of coreference: cases derived by hand, definitions tried out on small clusters, and what holds of all."""

import random
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations, permutations, product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_tasks.formats.files import read_lines
from elmo_tasks.scoring import coref, coref_files
from elmo_tasks.scoring.coref import CorefScore, CorefScorer, percent

FIXTURES = Path(__file__).parents[2] / "fixtures/scoring/coref"
CASES = sorted(path.stem for path in FIXTURES.glob("*.out"))
METRICS = ("mentions", "muc", "bcub", "ceafm", "ceafe")

Clusters = list[list[int]]
Four = tuple[Fraction | int, Fraction | int, Fraction | int, Fraction | int]


def alike(found: Fraction | int, number: int) -> Four:
    return found, number, found, number


NO_LINKS = (0, 0, 0, 0)
# What fixtures/scoring/README.md derives: mentions, MUC, B³, CEAF of both kinds, links of both kinds.
BY_HAND: dict[str, tuple[Four, ...]] = {
    "boundaries": (
        alike(2, 3),
        alike(1, 2),
        alike(Fraction(4, 3), 3),
        alike(2, 3),
        alike(Fraction(2, 3), 1),
        alike(1, 3),
        NO_LINKS,
    ),
    "brackets": (*map(alike, (5, 3, 5, 5, 2, 4, 6), (5, 3, 5, 5, 2, 4, 6)),),
    "document_missing": (
        (2, 5, 2, 2),
        (1, 3, 1, 1),
        (2, 5, 2, 2),
        (2, 5, 2, 2),
        (1, 2, 1, 1),
        (1, 4, 1, 1),
        NO_LINKS,
    ),
    "first_bracket_counts": (
        alike(4, 4),
        alike(1, 2),
        (3, 4, Fraction(8, 3), 4),
        alike(3, 4),
        alike(Fraction(4, 5) + Fraction(2, 3), 2),
        (1, 2, 1, 3),
        (2, 4, 2, 3),
    ),
    "greedy_is_not_best": (
        alike(7, 7),
        alike(4, 5),
        alike(Fraction(23, 5), 7),
        alike(4, 7),
        alike(Fraction(8, 7), 2),
        alike(5, 11),
        alike(4, 10),
    ),
    "identical": (*map(alike, (5, 3, 5, 5, 2, 4, 6), (5, 3, 5, 5, 2, 4, 6)),),
    "merged": (
        alike(4, 4),
        (2, 2, 2, 3),
        (4, 4, 2, 4),
        alike(2, 4),
        (Fraction(2, 3), 2, Fraction(2, 3), 1),
        (2, 2, 2, 6),
        (0, 4, 0, 0),
    ),
    "nested_and_crossing": (
        (5, 6, 5, 5),
        alike(2, 3),
        (Fraction(9, 2), 6, Fraction(11, 3), 5),
        (4, 6, 4, 5),
        (Fraction(9, 5), 3, Fraction(9, 5), 2),
        (2, 3, 2, 4),
        (6, 12, 6, 6),
    ),
    "nothing_in_key": (*((0, 0, 0, number) for number in (3, 1, 3, 3, 2, 1, 2)),),
    "nothing_in_response": (*((0, number, 0, 0) for number in (3, 1, 3, 3, 2, 1, 2)),),
    "only_singletons": (*map(alike, (3, 0, 3, 3, 3, 0, 3), (3, 0, 3, 3, 3, 0, 3)),),
    "repeated_and_not_in_key": (
        (2, 2, 2, 4),
        (1, 1, 1, 3),
        (2, 2, 2, 5),
        (2, 2, 2, 5),
        (1, 1, 1, 2),
        (1, 1, 1, 3),
        (0, 0, 0, 4),
    ),
    "repeated_in_key": (
        alike(3, 3),
        alike(1, 2),
        (3, 4, 2, 3),
        (2, 4, 2, 3),
        (Fraction(4, 5), 2, Fraction(4, 5), 1),
        (2, 2, 2, 3),
        (0, 4, 0, 0),
    ),
    "repeated_in_response": (*map(alike, (4, 2, 4, 4, 2, 2, 4), (4, 2, 4, 4, 2, 2, 4)),),
    "singletons": (
        alike(2, 3),
        alike(1, 1),
        alike(2, 3),
        alike(2, 3),
        alike(1, 2),
        alike(1, 1),
        alike(0, 2),
    ),
    "split": (
        alike(4, 4),
        (2, 3, 2, 2),
        (2, 4, 4, 4),
        alike(2, 4),
        (Fraction(2, 3), 1, Fraction(2, 3), 2),
        (2, 6, 2, 2),
        (0, 0, 0, 4),
    ),
    "two_documents": (
        (5, 6, 5, 5),
        alike(2, 3),
        (Fraction(13, 3), 6, Fraction(11, 3), 5),
        (4, 6, 4, 5),
        (Fraction(8, 5), 3, Fraction(8, 5), 2),
        alike(2, 4),
        (0, 2, 0, 0),
    ),
}


def score_of(*documents: tuple[Clusters, Clusters]) -> CorefScore:
    scorer = CorefScorer()
    for key, response in documents:
        scorer.add_document(key, response)
    return scorer.score()


def counts_of(score: CorefScore) -> list[tuple[float, ...]]:
    return [tuple(getattr(score, metric)) for metric in METRICS] + [tuple(kind) for kind in score.blanc]


def score_case(case: str) -> tuple[CorefScore, list[str]]:
    files = FIXTURES / f"{case}.key", FIXTURES / f"{case}.response"
    return coref_files.score_lines(*map(read_lines, files), "key", "response")


@pytest.mark.parametrize("case", CASES)
def test_own_cases_are_what_was_derived_by_hand(case: str) -> None:
    score, _ = score_case(case)
    derived = [tuple(map(float, counts)) for counts in BY_HAND[case]]
    assert counts_of(score) == [pytest.approx(counts, rel=1e-14) for counts in derived]
    assert f"{coref.report(score)}\n" == (FIXTURES / f"{case}.out").read_text(encoding="utf-8")


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 10
    assert sorted(BY_HAND) == CASES


def clusters_of(places: list[int | None]) -> Clusters:
    clusters: dict[int, list[int]] = {}
    for mention, place in enumerate(places):
        if place is not None:
            clusters.setdefault(place, []).append(mention)
    return list(clusters.values())


places = st.lists(st.none() | st.integers(0, 3), max_size=9).map(clusters_of)
# Mentions may stand several times, in one cluster or in several.
any_clusters = st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=4), max_size=4)


def find(clusters: Clusters, mention: int) -> set[int]:
    return next((set(cluster) for cluster in clusters if mention in cluster), set())


def slow_muc(side: Clusters, other: Clusters) -> tuple[int, int]:
    """Links less the cuts that the other side makes in a cluster: Vilain et al.'s definition."""
    found = total = 0
    for cluster in side:
        parts = {frozenset(find(other, mention) or {(mention,)}) for mention in cluster}
        found += len(cluster) - len(parts)
        total += len(cluster) - 1
    return found, total


def slow_bcub(side: Clusters, other: Clusters) -> tuple[Fraction, int]:
    mentions = [mention for cluster in side for mention in cluster]
    parts = [
        Fraction(len(find(side, mention) & find(other, mention)), len(find(side, mention))) for mention in mentions
    ]
    return sum(parts, Fraction()), len(mentions)


def slow_ceaf(key: Clusters, response: Clusters, by_entities: bool) -> Fraction:
    """The best of all one-to-one assignments."""

    def similarity(one: list[int], other: list[int]) -> Fraction:
        shared = sum(mention in other for mention in one)
        return Fraction(2 * shared, len(one) + len(other)) if by_entities else Fraction(shared)

    padded = [*response, *[[] for _ in key]]
    return max(
        sum((similarity(*pair) for pair in zip(key, chosen, strict=True) if pair[1]), Fraction())
        for chosen in permutations(padded, len(key))
    )


def slow_links(clusters: Clusters) -> tuple[set[tuple[int, ...]], set[tuple[int, ...]]]:
    within = {tuple(sorted(pair)) for cluster in clusters for pair in combinations(cluster, 2)}
    between = {tuple(sorted(pair)) for one, other in combinations(clusters, 2) for pair in product(one, other)}
    return within, between


@given(places, places)
@example([[0, 1, 2], [3, 4]], [[0, 1], [2, 3], [5]])
def test_definitions(key: Clusters, response: Clusters) -> None:
    score = score_of((key, response))
    mentions = [{mention for cluster in side for mention in cluster} for side in (key, response)]
    both = len(mentions[0] & mentions[1])
    assert score.mentions == (both, len(mentions[0]), both, len(mentions[1]))
    assert score.muc == slow_muc(key, response) + slow_muc(response, key)
    expected = slow_bcub(key, response) + slow_bcub(response, key)
    assert score.bcub == pytest.approx(tuple(map(float, expected)), rel=1e-14)


@given(any_clusters, any_clusters)
@example([[0, 0, 1], [1, 2]], [[0, 1], [2, 5, 5], [5, 6]])
def test_definitions_with_repeated_mentions(key: Clusters, response: Clusters) -> None:
    score = score_of((key, response))
    in_key = {mention for cluster in key for mention in cluster}
    seen: Counter[int] = Counter()
    kept: Clusters = []
    for cluster in response:
        left = []
        for mention in cluster:
            seen[mention] += 1
            if seen[mention] == 1 or mention not in in_key:
                left.append(mention)
        if left:
            kept.append(left)
    sizes = sum(map(len, key)), sum(map(len, kept))
    shared, similar = slow_ceaf(key, kept, by_entities=False), slow_ceaf(key, kept, by_entities=True)
    assert score.ceafm == (shared, sizes[0], shared, sizes[1])
    assert score.ceafe == pytest.approx((float(similar), len(key), float(similar), len(kept)), rel=1e-12)
    for kind, of_key, of_response in zip(score.blanc, slow_links(key), slow_links(kept), strict=True):
        both = len(of_key & of_response)
        assert kind == (both, len(of_key), both, len(of_response))


@given(any_clusters, any_clusters)
def test_dropped_mentions_are_the_repeated_ones_of_the_key(key: Clusters, response: Clusters) -> None:
    in_key = {mention for cluster in key for mention in cluster}
    times = Counter(mention for cluster in response for mention in cluster if mention in in_key)
    dropped = CorefScorer().add_document(key, response)
    assert Counter(dropped) == times - Counter(set(times))


def shuffled(clusters: Clusters, seed: int) -> Clusters:
    generator = random.Random(seed)
    return [generator.sample(cluster, len(cluster)) for cluster in generator.sample(clusters, len(clusters))]


@given(places, places, st.integers(0, 99))
def test_the_order_of_clusters_and_mentions_does_not_matter(key: Clusters, response: Clusters, seed: int) -> None:
    other = score_of((shuffled(key, seed), shuffled(response, seed + 1)))
    assert counts_of(other) == [
        # Sums of floats over a document are made in its order, as the official program does.
        pytest.approx(counts, rel=1e-13)
        for counts in counts_of(score_of((key, response)))
    ]


@given(st.lists(st.tuples(places, places), max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(documents: list[tuple[Clusters, Clusters]], order) -> None:
    other = order.sample(documents, len(documents))
    assert score_of(*documents) == score_of(*other)


@given(places)
def test_what_equals_the_key_is_perfect(key: Clusters) -> None:
    score = score_of((key, key))
    for figures in (*score[:5], *score.blanc):
        expected = 1 if figures.key else 0
        assert (figures.recall, figures.precision, figures.f1) == (expected,) * 3
        assert figures.recalled == figures.key == figures.precise == figures.response
    assert score.blanc.f1 == (1 if sum(map(len, key)) > 1 else 0)


@given(places, places)
def test_recall_and_precision_change_places_with_key_and_response(key: Clusters, response: Clusters) -> None:
    one, other = score_of((key, response)), score_of((response, key))
    for counts, swapped in zip(counts_of(one), counts_of(other), strict=True):
        assert counts == pytest.approx((*swapped[2:], *swapped[:2]), rel=1e-13)


def test_blanc_is_the_mean_of_the_kinds_that_the_key_has() -> None:
    blanc = score_of(([[0, 1], [2, 3]], [[0, 1, 2, 3]])).blanc
    assert (blanc.recall, blanc.precision, blanc.f1) == (0.5, pytest.approx(1 / 6), 0.25)
    # No pair between clusters in the key: those of the response are not missed in precision.
    blanc = score_of(([[0, 1, 2, 3]], [[0, 1], [2, 3]])).blanc
    assert (blanc.recall, blanc.precision, blanc.f1) == (pytest.approx(1 / 3), 1, 0.5)
    blanc = score_of(([[0]], [[0, 1]])).blanc
    assert (blanc.recall, blanc.precision, blanc.f1) == (0, 0, 0)


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(2 / 3, 66.66), (0.99999, 99.99), (1.0, 100.0), (0.57, 56.99), (0.56, 56.0), (0.0, 0.0)],
)
def test_percentages_are_cut_off(fraction: float, shown: float) -> None:
    """0.57 times 10,000 is less than 5,700 in floats; the official program prints that too."""
    assert percent(fraction) == shown


def test_the_mean_is_that_of_printed_figures() -> None:
    score, _ = score_case("nested_and_crossing")
    assert score.conll == pytest.approx((66.66 + 74.15 + 72.0) / 3, rel=1e-15)
    assert coref.report(score).endswith(" 70.94")


def test_empty_clusters_are_none_and_a_score_may_be_asked_for_early() -> None:
    scorer = CorefScorer()
    assert scorer.score() == CorefScore()
    scorer.add_document([[], [0, 1]], [[0, 1], []])
    first = scorer.score()
    assert first.ceafe == (1, 1, 1, 1)
    assert first.muc == (1, 1, 1, 1)
    scorer.add_document([[(4, 5), (7, 7)]], [])
    assert first.mentions == (2, 2, 2, 2)
    assert scorer.score().mentions == (2, 4, 2, 2)


def chunks(mentions: Iterable[int], number: int, seed: int) -> Clusters:
    generator = random.Random(seed)
    clusters: Clusters = [[] for _ in range(number)]
    for mention in mentions:
        generator.choice(clusters).append(mention)
    return clusters


def test_large_documents() -> None:
    """2,000 mentions in 400 clusters: two million pairs, and an assignment that takes no short way."""
    from scipy.optimize import linear_sum_assignment

    key, response = chunks(range(2000), 400, 1), chunks(range(2000), 400, 2)
    score = score_of((key, response))
    sets = [set(cluster) for cluster in response]
    shared = [[len(other.intersection(cluster)) for other in sets] for cluster in key]
    rows, columns = linear_sum_assignment(shared, maximize=True)
    assert score.ceafm.recalled == sum(shared[row][column] for row, column in zip(rows, columns, strict=True))
    assert score.blanc.coreference.key + score.blanc.non_coreference.key == 2000 * 1999 / 2
    assert score.blanc.coreference.recalled == sum(number * (number - 1) / 2 for row in shared for number in row)
