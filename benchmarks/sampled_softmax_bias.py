"""
How far the sampled softmax is from the full one, and how that falls with the number of samples.

    python benchmarks/sampled_softmax_bias.py
    python benchmarks/sampled_softmax_bias.py --samples 32 512 --sets 500

One batch: targets by the law of the sampler (Zipf's), random outputs and softmax weights of fixed seed, float64. Each
row is over many sets of samples. The loss's bias is the mean of the sampled losses less the full loss. The gradient is
that of the outputs, and its bias the norm of the mean gradient less the full one, as a share of the full one's norm; it
is taken from two halves of the sets, whose noise is independent, so that the noise itself is no part of it. The last
column is how far the gradient of a single set is away. Prints a Markdown table.
"""

import argparse
import math
from collections.abc import Sequence

import torch

from elmo_tasks.bilm.training.softmax import LogUniformSampler, Softmax


def batch(size: int, dim: int, targets: int, scale: float) -> tuple[Softmax, torch.Tensor, torch.Tensor]:
    """A softmax over ``size`` words, outputs ``(targets, dim)`` that ask for a gradient, and the targets' ids."""
    torch.manual_seed(13370)
    # Its weights have a standard deviation of 1 / sqrt(dim), so the logits have that of the outputs.
    softmax = Softmax(size, dim).double()
    outputs = (scale * torch.randn(targets, dim, dtype=torch.float64)).requires_grad_()
    drawn = torch.exp(torch.rand(targets, dtype=torch.float64) * math.log(size + 1)).long() - 1
    return softmax, outputs, drawn.clamp_(0, size - 1)


def measure(softmax: Softmax, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Loss, and its gradient with respect to the outputs."""
    loss = softmax(outputs, targets)
    (gradient,) = torch.autograd.grad(loss, outputs)
    return float(loss.detach()), gradient


def row(samples: int, sets: int, softmax: Softmax, outputs: torch.Tensor, targets: torch.Tensor) -> str:
    """One line of the table."""
    softmax.sampler = None
    full, exact = measure(softmax, outputs, targets)
    softmax.sampler = LogUniformSampler(len(softmax.weight.weight), samples, seed=1)
    losses, halves, apart = [], [torch.zeros_like(exact), torch.zeros_like(exact)], 0.0
    for number in range(sets):
        loss, gradient = measure(softmax, outputs, targets)
        losses.append(loss)
        halves[number % 2] += (gradient - exact) * (2 / sets)
        apart += float((gradient - exact).square().sum()) / sets
    norm = float(exact.norm())
    bias = math.sqrt(max(0.0, float((halves[0] * halves[1]).sum()))) / norm
    mean, error = sum(losses) / sets, float(torch.tensor(losses).std()) / math.sqrt(sets)
    return (
        f"| {samples:,} | {mean:.4f} | {full:.4f} | {mean - full:+.4f} ± {error:.4f} | {100 * bias:.1f} % | "
        f"{100 * math.sqrt(apart) / norm:.0f} % |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="The sampled softmax's bias, by the number of samples.")
    parser.add_argument("--samples", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512, 1024])
    parser.add_argument("--sets", type=int, default=2000, help="sets of samples a row (default: 2000)")
    parser.add_argument("--size", type=int, default=2000, help="words in the vocabulary (default: 2000)")
    parser.add_argument("--dim", type=int, default=64, help="size of an output (default: 64)")
    parser.add_argument("--targets", type=int, default=128, help="targets of the batch (default: 128)")
    parser.add_argument("--scale", type=float, default=2.0, help="standard deviation of the logits (default: 2)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    given = batch(options.size, options.dim, options.targets, options.scale)
    print("| samples | sampled loss | full loss | bias of the loss | bias of the gradient | one set's gradient |")
    print("|---:|---:|---:|---:|---:|---:|")
    for samples in options.samples:
        print(row(samples, options.sets, *given), flush=True)


if __name__ == "__main__":
    main()
