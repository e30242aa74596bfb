"""
Tokens per second of the project's biLM and of AllenNLP's own `Elmo`, in one process, in turns, on the same batches.

    python benchmarks/bilm_speed.py                                     # both sizes, batches of 1, 8, 32 and 128
    python benchmarks/bilm_speed.py --text news.txt.xz --sizes small --repeats 3

Both get the same random weights of a released model's shape from one HDF5 file, scaled up until the layers have a
standard deviation of about 0.5. A run is one pass over the same sentences, without gradients and from zero states; the
two take turns, and the median of their runs counts. Tokens are words; the two sentence markers are extra work for both.
What is timed is `BiLM`, all layers out, and `Elmo` with one representation. The largest difference is that of all
layers' numbers, markers included. Prints a Markdown table on standard output and progress on standard error.

Figures mean something on a quiet machine, and on real text: the sample's few words repeat more often, and `BiLM`
computes a word's vector once a batch.
"""

import argparse
import gzip
import json
import lzma
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# One thread, unless asked for more; torch reads these when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import torch

import elmo_tasks.bridge  # noqa: F401
from elmo_tasks.bilm import BiLM, BiLMOptions, batch_to_ids

FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))

SIZES = {
    "small": BiLMOptions(FILTERS, character_dim=16, num_highway=1, cell_dim=1024, projection_dim=128),
    "original": BiLMOptions(FILTERS, character_dim=16, num_highway=2, cell_dim=4096, projection_dim=512),
}

SAMPLE_TEXT = Path(__file__).parent.parent / "fixtures" / "sample" / "raw" / "train.txt.xz"

# Small batches are timed over several, so that a run is not over at once.
FEWEST_SENTENCES = 16

OPENERS: dict[str, Callable[..., object]] = {".gz": gzip.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Row:
    """One line of the table; speeds in tokens per second."""

    size: str
    batch_size: int
    stock: float
    ours: float
    difference: float


def read_sentences(path: Path, shortest: int, longest: int) -> list[list[str]]:
    """The tokenised sentences of a file, one a line, of ``shortest`` to ``longest`` words, in a fixed random order."""
    try:
        with OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as file:
            sentences = [line.split() for line in file]
    except OSError as error:
        sys.exit(f"{path}: the text cannot be read ({error}).")
    fitting = [sentence for sentence in sentences if shortest <= len(sentence) <= longest]
    if not fitting:
        sys.exit(f"{path}: no sentence of {shortest} to {longest} words; see --words.")
    random.Random(13370).shuffle(fitting)
    return fitting


def write_random_model(options: BiLMOptions, folder: Path) -> tuple[str, str]:
    """Options and weights of a biLM of random weights whose layers have a standard deviation of about 0.5."""
    torch.manual_seed(13370)
    bilm = BiLM(options)
    with torch.no_grad():
        for name, parameter in bilm.named_parameters():
            if name.startswith("lstm"):
                parameter.mul_(2.0)
            elif name.startswith("encoder.filters"):
                parameter.mul_(3.0)
    options_file, weights_file = str(folder / "options.json"), str(folder / "weights.hdf5")
    Path(options_file).write_text(json.dumps(options.to_dict()))
    bilm.save_weights(weights_file)
    return options_file, weights_file


def median_times(runs: Sequence[Callable[[], None]], repeats: int) -> list[float]:
    """Each run's median time in seconds; they take turns, after one turn that does not count."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(repeats + 1):
        for run, kept in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            if turn:
                kept.append(time.perf_counter() - start)
    return [statistics.median(kept) for kept in times]


def measure(size: str, batch_sizes: Sequence[int], sentences: list[list[str]], repeats: int) -> list[Row]:
    """The table's rows for one size of model."""
    from allennlp.modules.elmo import Elmo

    with tempfile.TemporaryDirectory() as folder:
        options_file, weights_file = write_random_model(SIZES[size], Path(folder))
        ours = BiLM.from_files(options_file, weights_file)
        stock = Elmo(options_file, weights_file, 1, dropout=0.0).eval()
    layers_of_stock = stock._elmo_lstm

    def forget() -> None:
        layers_of_stock._elmo_lstm.reset_states()

    rows = []
    for batch_size in batch_sizes:
        count = max(batch_size, FEWEST_SENTENCES)
        chosen = [sentences[i % len(sentences)] for i in range(count)]
        batches = [batch_to_ids(chosen[i : i + batch_size]) for i in range(0, count, batch_size)]

        def run_ours(batches: list[torch.Tensor] = batches) -> None:
            for ids in batches:
                ours(ids)

        def run_stock(batches: list[torch.Tensor] = batches) -> None:
            for ids in batches:
                forget()
                stock(ids)

        with torch.no_grad():
            stock_time, our_time = median_times([run_stock, run_ours], repeats)
            difference = 0.0
            for ids in batches:
                forget()
                expected = torch.stack(list(layers_of_stock(ids)["activations"]))
                found = ours(ids, keep_sentence_boundaries=True).layers
                difference = max(difference, (found - expected).abs().max().item())
        tokens = sum(map(len, chosen))
        rows.append(Row(size, batch_size, tokens / stock_time, tokens / our_time, difference))
        print(
            f"{size}, batch {batch_size}: {tokens} tokens, {len({w for s in chosen for w in s})} distinct; standard "
            f"deviation of the layers {', '.join(f'{layer.std():.2f}' for layer in found)}",
            file=sys.stderr,
        )
    return rows


def machine() -> str:
    """Processor, load and versions, for the line under the table."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    load = f", load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
    return f"{name}{load}; torch {torch.__version__}, {torch.get_num_threads()} thread(s)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0].strip())
    parser.add_argument("--text", type=Path, default=SAMPLE_TEXT, help="tokenised sentences, one a line (.gz, .xz)")
    parser.add_argument("--words", type=int, nargs=2, default=(15, 25), metavar=("LEAST", "MOST"), help="a sentence")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 128], metavar="SENTENCES")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each (default 5)")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sentences = read_sentences(arguments.text, *arguments.words)
    rows = [row for size in arguments.sizes for row in measure(size, arguments.batches, sentences, arguments.repeats)]
    print("| model | sentences a batch | stock `Elmo`, tokens/s | `BiLM`, tokens/s | times | largest difference |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row.size} | {row.batch_size} | {row.stock:,.0f} | {row.ours:,.0f} | {row.ours / row.stock:.1f} | "
            f"{row.difference:.1e} |"
        )
    print(f"\nMedian of {arguments.repeats} runs in turns, float32; {machine()}.")


if __name__ == "__main__":
    main()
