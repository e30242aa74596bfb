"""What the tables say about their numbers: spreads, differences, and whether a difference could be chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

ROUNDS = 9_999
"""Rounds of a randomisation test; with the +1 correction its smallest p-value is then 1 / 10,000."""


@dataclass(frozen=True)
class Summary:
    """
    Several seeds of one arm in a few numbers.

    Attributes
    ----------
    n
        How many values there are.
    mean
        Their mean.
    deviation
        Standard deviation with `n - 1` below the line; None of a single value, which has none.
    """

    n: int
    mean: float
    deviation: float | None

    @property
    def standard_error(self) -> float | None:
        """Standard error of the mean, None of a single value."""
        return None if self.deviation is None else self.deviation / math.sqrt(self.n)


def summarise(values: Sequence[float]) -> Summary:
    """Mean and deviation of at least one value."""
    if not values:
        raise ValueError("there is no mean of no values")
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(len(values), float(np.mean(values)), deviation)


@dataclass(frozen=True)
class Difference:
    """
    How far one arm lies above another, judged by the spread of their seeds.

    Attributes
    ----------
    value
        Mean of the arm minus mean of its reference.
    standard_error
        Welch's standard error of that difference; None where an arm has a single seed.
    p_value
        Two-sided p-value of Welch's t-test; None where there is no standard error or no spread at all.
    """

    value: float
    standard_error: float | None
    p_value: float | None

    @property
    def standard_errors(self) -> float | None:
        """The difference counted in standard errors; None where there is none, or where it is zero."""
        return self.value / self.standard_error if self.standard_error else None


def difference(values: Sequence[float], reference: Sequence[float]) -> Difference:
    """
    The difference of two arms' means over seeds, with Welch's standard error and t-test.

    The arms may have different numbers of seeds and different spreads, so neither pooling nor pairing of seeds is
    assumed: a seed's number is all that two runs of different models share.
    """
    above, below = summarise(values), summarise(reference)
    value = above.mean - below.mean
    if above.standard_error is None or below.standard_error is None:
        return Difference(value, None, None)
    standard_error = math.hypot(above.standard_error, below.standard_error)
    if standard_error == 0.0:
        return Difference(value, 0.0, None)

    from scipy.special import stdtr  # a table of single seeds does without

    # Welch and Satterthwaite's degrees of freedom. (scipy's own t-test warns where an arm's seeds agree exactly.)
    below_the_line = sum(arm.standard_error**4 / (arm.n - 1) for arm in (above, below) if arm.standard_error)
    p_value = 2.0 * float(stdtr(standard_error**4 / below_the_line, -abs(value) / standard_error))
    return Difference(value, standard_error, p_value)


@dataclass(frozen=True)
class PairedTest:
    """
    A paired test over test items.

    Attributes
    ----------
    difference
        Score of the first system minus that of the second, as a fraction.
    p_value
        Two-sided: how often systems that do not differ would lie this far apart.
    items
        Number of items.
    rounds
        Rounds of randomisation.
    """

    difference: float
    p_value: float
    items: int
    rounds: int


def paired_randomisation(first: ArrayLike, second: ArrayLike, rounds: int = ROUNDS, seed: int = 0) -> PairedTest:
    """
    Approximate randomisation over items (Noreen 1989; Yeh 2000): do two systems differ by more than chance?

    A system's score is the sum of what its items gained over the sum of what there was to gain: an accuracy, or an F1.
    In each round the two systems' parts of an item change places or not, item by item, and the scores are made anew.

    Parameters
    ----------
    first, second
        What each item gained and what there was to gain, as `(2, num_items)`, or as `(num_seeds, 2, num_items)` of a
        system trained with several seeds. An item's parts are then the means over the seeds and the item changes places
        as a whole, so that the test asks about items not seen, given the models that were trained. The systems may have
        different numbers of seeds.
    rounds
        How many random exchanges are drawn.
    seed
        Seed of those draws.

    Returns
    -------
    PairedTest
        Its p-value is `(extreme + 1) / (rounds + 1)`: the observed arrangement counts as one of them, so that it is
        never zero and the test keeps its level.

    Raises
    ------
    ValueError
        If the two systems were not scored on the same number of items, or on none.
    """
    a, b = (np.asarray(system, dtype=float) for system in (first, second))
    a, b = (system.mean(axis=0) if system.ndim == 3 else system for system in (a, b))
    items = a.shape[1]
    if items != b.shape[1] or items == 0:
        raise ValueError(f"a paired test needs the same items twice, but there are {items} and {b.shape[1]}")
    # The two systems' sums are their common mean plus and minus half a signed sum of the items' differences.
    middle = (a.sum(axis=1) + b.sum(axis=1)) / 2
    halves = (a - b) / 2

    def score_difference(offsets: np.ndarray) -> np.ndarray:
        above, below = middle + offsets, middle - offsets
        return _ratio(above[..., 0], above[..., 1]) - _ratio(below[..., 0], below[..., 1])

    observed = float(score_difference(halves.sum(axis=1)))
    # An item on which both systems do equally well changes no sum, whichever way round it lies.
    undecided = halves[:, (halves != 0.0).any(axis=0)].T
    generator = np.random.default_rng(seed)
    # Differences that are equal on paper (means of three seeds, say) may differ in the last bit.
    bound = abs(observed) - 1e-9 / items
    extreme = 0
    for start in range(0, rounds, 1000):
        draws = min(1000, rounds - start)
        signs = generator.integers(0, 2, size=(draws, len(undecided)), dtype=np.int8) * 2 - 1
        extreme += int(np.count_nonzero(np.abs(score_difference(signs @ undecided)) >= bound))
    return PairedTest(observed, (extreme + 1) / (rounds + 1), items, rounds)


def _ratio(gained: np.ndarray, possible: np.ndarray) -> np.ndarray:
    """The quotient, 0 where there was nothing to gain."""
    return np.divide(gained, possible, out=np.zeros_like(gained), where=possible != 0)


def relative_increase(baseline: float, improved: float) -> float:
    """
    The share of the baseline's error that is gone, in percent: the "relative" of the paper's Table 1.

    That column is `(improved - baseline) / (100 - baseline)`, a reduction of error, not a growth of the score; so
    recomputed, all six rows agree with what the paper prints.

    Parameters
    ----------
    baseline, improved
        Scores in percent.

    Raises
    ------
    ValueError
        If the baseline makes no error, of which nothing could be taken away.
    """
    if baseline >= 100.0:
        raise ValueError(f"a baseline of {baseline} leaves no error to reduce")
    return 100.0 * (improved - baseline) / (100.0 - baseline)
