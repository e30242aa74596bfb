"""The statistics of the tables, against closed forms, scipy and enumeration."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from elmo_tasks.reproduce.paper import TABLE_1
from elmo_tasks.reproduce.statistics import difference, paired_randomisation, relative_increase, summarise


def test_mean_deviation_and_standard_error_of_a_worked_example():
    summary = summarise([50.0, 52.0, 57.0])
    assert summary.n == 3
    assert summary.mean == pytest.approx(53.0)
    assert summary.deviation == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert summary.standard_error == pytest.approx(math.sqrt(13.0 / 3))


def test_a_single_seed_has_no_deviation():
    summary = summarise([51.4])
    assert (summary.n, summary.mean, summary.deviation, summary.standard_error) == (1, 51.4, None, None)


def test_no_values_have_no_mean():
    with pytest.raises(ValueError, match="no mean"):
        summarise([])


def test_difference_is_welchs():
    elmo, baseline = [54.7, 55.4, 53.9, 54.1, 55.0], [51.4, 50.2, 52.9]
    result = difference(elmo, baseline)
    reference = stats.ttest_ind(elmo, baseline, equal_var=False)
    assert result.value == pytest.approx(np.mean(elmo) - np.mean(baseline))
    assert result.standard_error == pytest.approx(
        math.sqrt(np.var(elmo, ddof=1) / len(elmo) + np.var(baseline, ddof=1) / len(baseline))
    )
    # Welch's t is the difference in standard errors, which ties the two to each other.
    assert result.standard_errors == pytest.approx(reference.statistic)
    assert result.p_value == pytest.approx(reference.pvalue)


def test_difference_of_single_seeds_claims_nothing():
    result = difference([54.7], [51.4, 51.6])
    assert result.value == pytest.approx(3.2)
    assert (result.standard_error, result.p_value, result.standard_errors) == (None, None, None)


def test_difference_from_an_arm_whose_seeds_agree():
    result = difference([54.0, 56.0, 55.0], [50.0, 50.0])
    reference = stats.ttest_1samp([54.0, 56.0, 55.0], 50.0)
    assert result.standard_errors == pytest.approx(reference.statistic)
    assert result.p_value == pytest.approx(reference.pvalue)


def test_difference_without_any_spread_has_no_p_value():
    result = difference([60.0, 60.0], [50.0, 50.0])
    assert (result.value, result.standard_error, result.p_value, result.standard_errors) == (10.0, 0.0, None, None)


def _hits(correct) -> np.ndarray:
    """Items of an accuracy: 1 or 0 gained where there was 1 to gain; with seeds in front if there are several."""
    correct = np.asarray(correct, dtype=float)
    return np.stack([correct, np.ones_like(correct)], axis=-2)


def _enumerated_p_value(first: np.ndarray, second: np.ndarray) -> float:
    """The exact two-sided p-value: all exchanges of items, each as likely as any other."""
    differences = first - second
    observed = abs(differences.sum())
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product((-1, 1), repeat=len(differences))]
    return float(np.mean([total >= observed - 1e-9 for total in sums]))


@pytest.mark.parametrize("number_right", [(9, 5), (8, 7), (11, 2)])
def test_randomisation_approaches_the_enumeration_of_all_exchanges(number_right: tuple[int, int]):
    generator = np.random.default_rng(7)
    first, second = (generator.permutation([1] * right + [0] * (12 - right)) for right in number_right)
    exact = _enumerated_p_value(first, second)
    rounds = 40_000
    result = paired_randomisation(_hits(first), _hits(second), rounds=rounds, seed=3)
    # Four standard deviations of a share estimated from that many draws.
    assert result.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / rounds) + 1 / rounds)
    assert result.difference == pytest.approx((number_right[0] - number_right[1]) / 12)


def test_randomisation_agrees_with_scipys_exact_test_on_means_over_seeds():
    generator = np.random.default_rng(5)
    first = generator.integers(0, 2, size=(3, 11))
    second = generator.integers(0, 2, size=(2, 11))
    reference = stats.permutation_test(
        (first.mean(axis=0), second.mean(axis=0)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    result = paired_randomisation(_hits(first), _hits(second), rounds=40_000)
    assert result.difference == pytest.approx(reference.statistic)
    assert result.p_value == pytest.approx(reference.pvalue, abs=0.011)


def _f1(counts: np.ndarray) -> float:
    gained, possible = counts.sum(axis=1)
    return gained / possible if possible else 0.0


def test_randomisation_of_f1_approaches_the_enumeration_of_all_exchanges():
    # Twice the correct phrases, over gold and found ones; a sentence without any has no part in the score.
    first = np.array([[2, 4, 0, 2, 0, 6, 2, 2, 0, 4], [2, 5, 1, 4, 0, 6, 3, 2, 2, 4]])
    second = np.array([[2, 2, 0, 0, 0, 4, 0, 2, 0, 2], [2, 4, 2, 2, 0, 7, 2, 3, 2, 5]])
    observed = abs(_f1(first) - _f1(second))
    differences = []
    for exchanged in itertools.product((False, True), repeat=first.shape[1]):
        one, other = np.where(exchanged, second, first), np.where(exchanged, first, second)
        differences.append(abs(_f1(one) - _f1(other)))
    exact = float(np.mean(np.array(differences) >= observed - 1e-12))
    result = paired_randomisation(first, second, rounds=40_000)
    assert result.difference == pytest.approx(_f1(first) - _f1(second))
    assert result.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 40_000) + 1 / 40_000)


def test_the_smallest_p_value_counts_the_observed_arrangement():
    result = paired_randomisation(_hits(np.ones(200)), _hits(np.zeros(200)), rounds=999)
    assert result.p_value == 1 / 1000
    assert (result.items, result.rounds, result.difference) == (200, 999, 1.0)


def test_equal_systems_differ_by_chance_for_certain():
    scores = _hits([1, 0, 1, 1, 0])
    assert paired_randomisation(scores, scores).p_value == 1.0


def test_a_seed_makes_the_randomisation_repeatable():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 2, size=(2, 60))
    values = [paired_randomisation(_hits(first), _hits(second), rounds=2_500, seed=seed).p_value for seed in (1, 1, 2)]
    assert values[0] == values[1] != values[2]


def test_the_test_keeps_its_level():
    generator = np.random.default_rng(11)
    trials = 400
    rejected = sum(
        paired_randomisation(*map(_hits, generator.integers(0, 2, size=(2, 50))), rounds=199, seed=trial).p_value
        <= 0.05
        for trial in range(trials)
    )
    # At most 5 % of equal systems may be called different; four standard deviations of that share are 4.4 %.
    assert rejected / trials <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / trials)


def test_items_must_be_the_same():
    with pytest.raises(ValueError, match="3 and 4"):
        paired_randomisation(_hits([1, 0, 1]), _hits([1, 0, 1, 1]))
    with pytest.raises(ValueError, match="0 and 0"):
        paired_randomisation(_hits([]), _hits([]))


@pytest.mark.parametrize("task", TABLE_1)
def test_relative_increase_is_the_papers_column(task: str):
    row = TABLE_1[task]
    decimals = len(row.relative.printed.partition(".")[2])
    assert round(relative_increase(row.baseline.value, row.elmo.value), decimals) == row.relative.value
    # The paper's NER increase was taken before its baseline was rounded.
    assert row.elmo.value - row.baseline.value == pytest.approx(
        row.increase.value, abs=0.011 if task == "ner" else 1e-9
    )


def test_relative_increase_of_a_perfect_baseline_is_refused():
    with pytest.raises(ValueError, match="no error"):
        relative_increase(100.0, 100.0)
