"""The sampler's law, and the sampled softmax against the full one."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from elmo_tasks.bilm.training.softmax import LogUniformSampler, Softmax


def law(size: int) -> np.ndarray:
    """P(id) = (log(id + 2) - log(id + 1)) / log(V + 1)."""
    ids = np.arange(size)
    return (np.log(ids + 2) - np.log(ids + 1)) / np.log(size + 1)


class TestSampler:
    @pytest.mark.parametrize("size", [2, 10, 1000])
    def test_one_draw_is_expected_by_the_law(self, size: int) -> None:
        sample, log_expected = LogUniformSampler(size, 1, seed=0).sample()
        assert sample.shape == (1,)
        np.testing.assert_allclose(log_expected.exp().numpy(), law(size), rtol=1e-5)
        assert math.isclose(float(log_expected.exp().sum()), 1.0, rel_tol=1e-5)

    def test_frequencies_of_single_draws(self) -> None:
        size, draws = 30, 6000
        sampler = LogUniformSampler(size, 1, seed=1)
        counts = np.bincount([int(sampler.sample()[0]) for _ in range(draws)], minlength=size)
        expected = draws * law(size)
        # 29 degrees of freedom: chi-square is above 58 once in a thousand seeds.
        assert ((counts - expected) ** 2 / expected).sum() < 58

    def test_how_often_a_word_is_among_many(self) -> None:
        """The expected counts that go into the loss are the frequencies with which words are met."""
        size, rounds = 60, 4000
        sampler = LogUniformSampler(size, 20, seed=2)
        met, expected = np.zeros(size), np.zeros(size)
        for _ in range(rounds):
            samples, log_expected = sampler.sample()
            met[samples.numpy()] += 1
            expected += log_expected.exp().numpy()
        deviation = np.sqrt(np.maximum(expected * (1 - expected / rounds), 1.0))
        assert np.abs((met - expected) / deviation).max() < 4.5
        assert met.min() > 100, "rare words are hardly met, the test says little of them"

    def test_words_are_distinct_and_in_range(self) -> None:
        for num_samples in (1, 5, 39):
            sampler = LogUniformSampler(40, num_samples, seed=3)
            for _ in range(20):
                samples, log_expected = sampler.sample()
                assert len(set(samples.tolist())) == len(samples) == num_samples
                assert int(samples.min()) >= 0
                assert int(samples.max()) < 40
                assert bool((log_expected <= 0).all())
                assert bool(torch.isfinite(log_expected).all())

    def test_a_kept_generator_goes_on(self) -> None:
        sampler = LogUniformSampler(50, 8, seed=4)
        sampler.sample()
        state = sampler.generator.get_state()
        expected = [sampler.sample()[0].tolist() for _ in range(5)]
        other = LogUniformSampler(50, 8, seed=77)
        other.generator.set_state(state)
        assert [other.sample()[0].tolist() for _ in range(5)] == expected

    @pytest.mark.parametrize("num_samples", [0, 10, 11])
    def test_as_many_as_there_are_is_no_sample(self, num_samples: int) -> None:
        with pytest.raises(ValueError, match=f"num_samples is {num_samples}, expected 1 to 9"):
            LogUniformSampler(10, num_samples, seed=0)


class AllOf:
    """A sampler that gives the words it was told, each with its expected count."""

    def __init__(self, samples: list[int], expected: torch.Tensor) -> None:
        self.samples = torch.tensor(samples)
        self.log_expected = expected.log()

    def sample(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.samples, self.log_expected


SIZE, DIM, ROWS = 12, 5, 9


def softmax_with(sampler, seed: int = 0, size: int = SIZE) -> tuple[Softmax, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    softmax = Softmax(size, DIM, sampler).double()
    with torch.no_grad():
        softmax.weight.weight.normal_()
        softmax.bias.weight.normal_()
    outputs = torch.randn(ROWS, DIM, dtype=torch.float64, requires_grad=True)
    return softmax, outputs, torch.randint(size, (ROWS,))


def plain_losses(softmax: Softmax, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    logits = outputs @ softmax.weight.weight.t() + softmax.bias.weight.squeeze(1)
    return -logits.log_softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)


def gradients(loss: torch.Tensor, softmax: Softmax, outputs: torch.Tensor) -> list[torch.Tensor]:
    found = torch.autograd.grad(loss, [outputs, softmax.weight.weight, softmax.bias.weight])
    return [gradient.to_dense() if gradient.is_sparse else gradient for gradient in found]


class TestSampled:
    def test_with_every_word_sampled_it_is_the_full_softmax(self) -> None:
        """Each word once for sure: every target is a hit, and the rest of the sum is the full one's."""
        softmax, outputs, targets = softmax_with(AllOf(list(range(SIZE)), torch.ones(SIZE, dtype=torch.float64)))
        loss, expected = softmax(outputs, targets), plain_losses(softmax, outputs, targets).mean()
        torch.testing.assert_close(loss, expected, atol=1e-12, rtol=0)
        pairs = zip(gradients(loss, softmax, outputs), gradients(expected, softmax, outputs), strict=True)
        for ours, theirs in pairs:
            torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)

    def test_by_hand(self) -> None:
        """Two samples, one of them a target: it is left out there, and every logit less its log expected count."""
        expected_counts = torch.linspace(0.9, 0.1, SIZE, dtype=torch.float64)
        softmax, outputs, _ = softmax_with(AllOf([3, 7], expected_counts))
        targets = torch.tensor([3, 5])
        logits = outputs @ softmax.weight.weight.t() + softmax.bias.weight.squeeze(1) - expected_counts.log()
        first = torch.log(logits[0, [3, 7]].exp().sum()) - logits[0, 3]
        second = torch.log(logits[1, [5, 3, 7]].exp().sum()) - logits[1, 5]
        torch.testing.assert_close(softmax(outputs[:2], targets), (first + second) / 2, atol=1e-12, rtol=0)

    def test_only_targets_and_samples_have_a_gradient(self) -> None:
        softmax, outputs, _ = softmax_with(AllOf([3, 7], torch.full((SIZE,), 0.5, dtype=torch.float64)))
        softmax(outputs[:2], torch.tensor([3, 5])).backward()
        for table in (softmax.weight, softmax.bias):
            assert table.weight.grad.is_sparse
            touched = table.weight.grad.to_dense().any(dim=1).nonzero().flatten().tolist()
            assert touched == [3, 5, 7]

    def test_its_bias_falls_with_more_samples(self) -> None:
        """The estimate lies below the full loss on average, and comes nearer; almost all words give almost all."""
        size, rounds = 200, 150
        gaps = []
        for num_samples in (4, 16, 64, 199):
            softmax, outputs, targets = softmax_with(LogUniformSampler(size, num_samples, seed=5), size=size)
            with torch.no_grad():
                full = float(softmax.full(outputs, targets).mean())
                sampled = [float(softmax(outputs, targets)) for _ in range(rounds)]
            gaps.append(full - float(np.mean(sampled)))
        assert gaps == sorted(gaps, reverse=True)
        assert gaps[0] > 0.2
        assert abs(gaps[-1]) < 0.01 * gaps[0]

    def test_its_mean_gradient_comes_to_the_full_one(self) -> None:
        """Nearer with more samples, as the loss does (docs/findings.md); almost all words give almost all of it."""
        size, rounds = 200, 200
        shares = []
        for num_samples in (4, 16, 64, 199):
            softmax, outputs, targets = softmax_with(LogUniformSampler(size, num_samples, seed=5), size=size)
            exact = gradients(softmax.full(outputs, targets).mean(), softmax, outputs)[0]
            mean = torch.zeros_like(exact)
            for _ in range(rounds):
                mean += gradients(softmax(outputs, targets), softmax, outputs)[0] / rounds
            shares.append(float((mean - exact).norm() / exact.norm()))
        assert shares == sorted(shares, reverse=True)
        assert shares[0] > 0.2
        assert shares[-1] < 0.02 * shares[0]

    def test_the_sum_is_estimated_without_bias(self) -> None:
        """The expected value of the corrected sum over the samples is the full sum."""
        size, rounds = 50, 4000
        sampler = LogUniformSampler(size, 8, seed=6)
        logits = torch.randn(size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        sums = []
        for _ in range(rounds):
            samples, log_expected = sampler.sample()
            sums.append(float((logits - log_expected.double())[samples].exp().sum()))
        full = float(logits.exp().sum())
        standard_error = float(np.std(sums)) / math.sqrt(rounds)
        assert abs(np.mean(sums) - full) < 4 * standard_error + 0.01 * full
        assert standard_error < 0.05 * full


class TestFull:
    def test_in_evaluation_the_full_softmax_is_taken(self) -> None:
        softmax, outputs, targets = softmax_with(LogUniformSampler(SIZE, 3, seed=0))
        expected = plain_losses(softmax, outputs, targets)
        torch.testing.assert_close(softmax.eval()(outputs, targets), expected.mean(), atol=1e-12, rtol=0)
        torch.testing.assert_close(softmax.full(outputs, targets), expected, atol=1e-12, rtol=0)

    def test_without_a_sampler_in_training_too(self) -> None:
        softmax, outputs, targets = softmax_with(None)
        loss = softmax(outputs, targets)
        torch.testing.assert_close(loss, plain_losses(softmax, outputs, targets).mean(), atol=1e-12, rtol=0)

    def test_more_rows_than_are_computed_at_once_and_places_without_a_target(self) -> None:
        softmax, _, _ = softmax_with(None)
        outputs = torch.randn(2500, DIM, dtype=torch.float64)
        targets = torch.randint(SIZE, (2500,))
        targets[::3] = -100
        losses = softmax.full(outputs, targets)
        expected = functional.cross_entropy(
            outputs @ softmax.weight.weight.t() + softmax.bias.weight.squeeze(1), targets, reduction="none"
        )
        torch.testing.assert_close(losses, expected, atol=1e-12, rtol=0)
        assert not losses[::3].any()
        assert softmax.full(outputs[:0], targets[:0]).shape == (0,)


def test_initial_values_are_those_of_the_original() -> None:
    torch.manual_seed(0)
    softmax = Softmax(4000, 64)
    assert not softmax.bias.weight.any()
    assert abs(float(softmax.weight.weight.detach().std()) - 1 / 8) < 0.002
    assert abs(float(softmax.weight.weight.detach().mean())) < 0.002
