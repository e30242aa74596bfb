"""The softmax that trains a biLM: sampled in training, full in evaluation (docs/training-a-bilm.md)."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from elmo_tasks.bilm.fused import fused
from elmo_tasks.bilm.training.corpus import NO_TARGET

# Keeps an accidental hit, a sampled word that is the target itself, out of the sum.
_NEVER = -1e4

# Rows of the full softmax computed at once.
_FULL_CHUNK = 1024


class LogUniformSampler:
    """
    Distinct word ids by the log-uniform (Zipfian) law ``P(id) = log((id + 2) / (id + 1)) / log(V + 1)``.

    Parameters
    ----------
    size : number of words V; ids stand in falling frequency.
    num_samples : distinct ids drawn at once.
    seed : of the draws.
    """

    def __init__(self, size: int, num_samples: int, seed: int) -> None:
        if not 0 < num_samples < size:
            raise ValueError(f"num_samples is {num_samples}, expected 1 to {size - 1}")
        self.size = size
        self.num_samples = num_samples
        self.generator = torch.Generator().manual_seed(seed)
        ids = torch.arange(size, dtype=torch.float64)
        self._log_miss = torch.log1p(-(torch.log((ids + 2) / (ids + 1)) / math.log(size + 1)))

    def sample(self) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Draw until ``num_samples`` ids are distinct.

        Returns
        -------
        int64 ``(num_samples,)``, and for every word of the vocabulary the logarithm of the expected number of times
        it is among them, ``log(1 - (1 - P) ** tries)``: float32 ``(size,)``.
        """
        drawn = np.empty(0, dtype=np.int64)
        while True:
            uniform = torch.rand(2 * self.num_samples, generator=self.generator, dtype=torch.float64)
            more = torch.exp(uniform * math.log(self.size + 1)).long() - 1
            drawn = np.concatenate([drawn, more.clamp_(0, self.size - 1).numpy()])
            distinct, first = np.unique(drawn, return_index=True)
            if len(distinct) >= self.num_samples:
                break
        earliest = np.argsort(first)[: self.num_samples]
        tries = int(first[earliest[-1]]) + 1
        log_expected = torch.log(-torch.expm1(tries * self._log_miss)).float()
        return torch.from_numpy(distinct[earliest]), log_expected


class Softmax(nn.Module):
    """
    Output weights and biases, shared by the two directions.

    Parameters
    ----------
    size : number of words V.
    dim : size of the LSTM's output in one direction.
    sampler : words the training's softmax is taken over; without one it is taken over all.
    """

    def __init__(self, size: int, dim: int, sampler: LogUniformSampler | None = None) -> None:
        super().__init__()
        self.sampler = sampler
        # Sparse gradients: a step touches few rows of what may be a very large table.
        self.weight = nn.Embedding(size, dim, sparse=sampler is not None)
        self.bias = nn.Embedding(size, 1, sparse=sampler is not None)
        nn.init.normal_(self.weight.weight, std=1.0 / math.sqrt(dim))
        nn.init.zeros_(self.bias.weight)

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """
        Mean loss of predicting ``targets`` int64 ``(n,)`` from ``outputs`` ``(n, dim)``, in nats.

        Sampled while the module is in training and has a sampler, full otherwise.
        """
        if self.training and self.sampler is not None:
            return self._sampled(outputs, targets).mean()
        return self.full(outputs, targets).mean()

    def full(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Each target's loss with the full softmax, ``(n,)``; 0 where there is no target."""
        # Fused for a shape that comes again and again; measuring meets too many.
        losses_of = fused(_losses, outputs.device.type) if self.training else _losses
        losses = [
            losses_of(rows, wanted, self.weight.weight, self.bias.weight)
            for rows, wanted in zip(outputs.split(_FULL_CHUNK), targets.split(_FULL_CHUNK), strict=True)
        ]
        return torch.cat(losses) if losses else outputs.new_zeros(0)

    def _sampled(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        assert self.sampler is not None
        samples, log_expected = self.sampler.sample()
        samples, log_expected = samples.to(outputs.device), log_expected.to(outputs.device)
        # The correction makes the sampled sum an estimate of the full one (TensorFlow's `sampled_softmax_loss`).
        true_bias = self.bias(targets).squeeze(1) - log_expected[targets]
        true_logits = (outputs * self.weight(targets)).sum(dim=1) + true_bias
        sampled_bias = self.bias(samples).squeeze(1) - log_expected[samples]
        logits = (outputs @ self.weight(samples).t()).to(sampled_bias.dtype) + sampled_bias
        logits = logits.masked_fill(targets.unsqueeze(1) == samples.unsqueeze(0), _NEVER)
        return torch.logaddexp(true_logits, logits.logsumexp(dim=1)) - true_logits


def _losses(outputs: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    logits = torch.addmm(bias.squeeze(1), outputs, weight.t())
    return functional.cross_entropy(logits, targets, ignore_index=NO_TARGET, reduction="none")
