"""
Tokens per second of training a biLM on a GPU, and how much of what the GPU can multiply that is.

    python benchmarks/bilm_gpu_speed.py experiments/bilm/open.json --text train-00.txt

The same configuration in five ways: steps started kernel by kernel, with the loop over packed sequences or with the
unrolled one, that unfused and fused, and both of these recorded (the last is what `elmo-tasks bilm train` does). Speeds
are positions of the text in each direction. The share counts the multiplications of both directions, forward and
backward, of a word's characters all places, padding too, against a square product of 8,192 in bfloat16. Prints a
Markdown table.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from elmo_tasks.bilm import fused, lstm
from elmo_tasks.bilm.options import BiLMOptions
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.trainer import Trainer


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Speed of training a biLM on a GPU.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--text", type=Path, required=True, help="a shard: one tokenised sentence a line")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, help="in place of the configuration's")
    options = parser.parse_args()
    rate = product_rate()
    print(f"{torch.cuda.get_device_name()}: a product of 8,192 cubed in bfloat16 runs at {rate / 1e12:.0f} TFLOP/s\n")
    print("| steps | ms a batch | tokens/s | TFLOP/s | share |\n|---|---:|---:|---:|---:|", flush=True)
    can_compile, run_unrolled = fused.can_compile, lstm.BidirectionalLSTM.forward

    def run_packed(self: Any, *arguments: Any, unrolled: bool) -> Any:
        return run_unrolled(self, *arguments, unrolled=False)

    for name, is_unrolled, is_fused, is_recorded in (
        ("packed, kernel by kernel", False, False, False),
        ("unrolled, kernel by kernel", True, False, False),
        ("unrolled and fused, kernel by kernel", True, True, False),
        ("unrolled, recorded", True, False, True),
        ("unrolled, fused, recorded", True, True, True),
    ):
        fused.can_compile = can_compile if is_fused else lambda device_type: False  # type: ignore[assignment]
        lstm.BidirectionalLSTM.forward = run_unrolled if is_unrolled else run_packed  # type: ignore[method-assign]
        fused.fused.cache_clear()
        with tempfile.TemporaryDirectory() as folder:
            config = replace(
                TrainingConfig.from_file(options.config), corpus=(str(options.text),), output=folder, heldout={},
                epochs=1000, cooldown_epochs=0, tensorboard=False, device="cuda",
            )  # fmt: skip
            if options.batch_size:
                config = replace(config, batch_size=options.batch_size)
            trainer = Trainer(config, say=lambda line: None)
            if not is_recorded:
                trainer._recorded = None
            seconds, words = time_of_a_step(trainer, options.steps)
        positions = config.batch_size * config.unroll_steps
        done = products(config.options, len(trainer.vocabulary), positions, words) / seconds
        print(
            f"| {name} | {1e3 * seconds:.1f} | {positions / seconds:,.0f} | {done / 1e12:.1f} "
            f"| {100 * done / rate:.1f} % |",
            flush=True,
        )
    return 0


def product_rate() -> float:
    """Floating point operations per second of a large product."""
    left, right = (torch.randn(8192, 8192, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    for _ in range(3):
        left @ right
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(20):
        left @ right
    torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (time.perf_counter() - started)


def time_of_a_step(trainer: Trainer, steps: int) -> tuple[float, float]:
    """Seconds, and distinct words of a batch."""
    trainer.model.train()
    words = 0
    batcher = trainer.batcher
    for _ in range(10):
        trainer.step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(steps):
        trainer.step()
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - started) / steps
    for _ in range(10):
        words += len(next(batcher).character_ids)
    return seconds, words / 10


def products(options: BiLMOptions, vocabulary_size: int, positions: int, words: float) -> float:
    """Floating point operations of a step's products; the gradient has twice as many as the values."""
    cells, size = options.cell_dim, options.projection_dim
    lstms = 2 * options.num_lstm_layers * (2 * size * 4 * cells + cells * size)
    windows = sum(
        width * number * options.character_dim * (options.max_characters_per_token - width + 1)
        for width, number in options.filters
    )
    encoder = windows + options.num_highway * 2 * options.num_filters**2 + options.num_filters * size
    return 3 * 2 * (positions * (lstms + 2 * size * vocabulary_size) + words * encoder)


if __name__ == "__main__":
    raise SystemExit(main())
