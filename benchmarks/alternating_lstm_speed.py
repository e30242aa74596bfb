"""
Tokens per second, forward and backward, of our alternating highway LSTM beside AllenNLP's.

    python benchmarks/alternating_lstm_speed.py
    python benchmarks/alternating_lstm_speed.py --batch 20 --profile
    python benchmarks/alternating_lstm_speed.py --device cuda

One process, turns at the same batch of sequences with lengths as those of sentences with predicates, dropout on; the
same weights, whose outputs are compared first. Seconds are of the processor, on a GPU of the clock. Prints a Markdown
table, and the speed of a large product of matrices, which bounds both.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from allennlp.modules.seq2seq_encoders import StackedAlternatingLstmSeq2SeqEncoder

from elmo_tasks.nn.highway_lstm import AlternatingHighwayLSTM

# The blocks of AllenNLP's gates (i f g o r) in the order of ours (i f o r g).
BLOCKS = (0, 1, 4, 2, 3)
PRODUCT = 2048


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Speed of alternating LSTMs.")
    parser.add_argument("--input-size", type=int, default=200)
    parser.add_argument("--hidden-size", type=int, default=300)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--batch", type=int, default=80)
    parser.add_argument("--mean-length", type=float, default=25.0)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    device: torch.device = options.device
    sizes = options.input_size, options.hidden_size, options.layers
    ours = AlternatingHighwayLSTM(*sizes, recurrent_dropout=0.1).to(device)
    theirs = StackedAlternatingLstmSeq2SeqEncoder(*sizes, recurrent_dropout_probability=0.1).to(device)
    copy_weights(ours, theirs)
    # sentences of like length, as a bucket sampler makes batches
    lengths = torch.normal(options.mean_length, 2.0, (options.batch,)).round().clamp(min=1).long()
    mask = (torch.arange(int(lengths.max())) < lengths.unsqueeze(1)).to(device)
    inputs = torch.randn(*mask.shape, options.input_size, device=device, requires_grad=True)
    with torch.no_grad():
        difference = float((ours.eval()(inputs, mask) - theirs.eval()(inputs, mask)).abs().max())

    def run(encoder: torch.nn.Module, autocast: bool = False) -> None:
        encoder.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            output = encoder(inputs, mask)
        output.sum().backward()

    racers: dict[str, Callable[[], None]] = {
        "AllenNLP `alternating_lstm`": lambda: run(theirs),
        "`alternating_highway_lstm`": lambda: run(ours),
        "the same, products in bfloat16": lambda: run(ours, autocast=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in racers}
    for turn in range(options.repeats + 1):
        for name, racer in racers.items():
            taken = seconds_of(racer, device)
            if turn:
                seconds[name].append(taken)
    num_tokens = int(lengths.sum())
    first = statistics.median(next(iter(seconds.values())))
    print(f"{options}; {num_tokens} tokens a batch; largest difference of outputs {difference:.1e}\n")
    print("| | tokens/s | times |\n|---|---:|---:|")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"| {name} | {num_tokens / median:,.0f} | {first / median:.2f} |")
    matrix = torch.randn(PRODUCT, PRODUCT, device=device)
    fastest = min(seconds_of(lambda: matrix @ matrix, device) for _ in range(options.repeats + 1))
    print(f"\na product of {PRODUCT} cubed: {2 * PRODUCT**3 / fastest / 1e9:,.0f} GFLOP/s in float32")
    if options.profile:
        for racer in racers.values():
            with torch.profiler.profile() as profile:
                racer()
            print(profile.key_averages().table(sort_by=f"self_{device.type}_time_total", row_limit=12))
    return 0


def seconds_of(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of the processor, or, of a GPU, those until it is done."""
    if device.type == "cpu":
        started = time.process_time()
        run()
        return time.process_time() - started
    torch.cuda.synchronize(device)
    started = time.perf_counter()
    run()
    torch.cuda.synchronize(device)
    return time.perf_counter() - started


def copy_weights(ours: AlternatingHighwayLSTM, theirs: StackedAlternatingLstmSeq2SeqEncoder) -> None:
    """Give AllenNLP's encoder the weights of ours."""
    size = ours.get_output_dim()

    def reordered(values: torch.Tensor) -> torch.Tensor:
        parts = values.split(size)
        return torch.cat([*(parts[block] for block in BLOCKS), *parts[len(BLOCKS) :]])

    with torch.no_grad():
        for number, layer in enumerate(ours.layers):
            cell = getattr(theirs._module, f"layer_{number}").cell
            cell.input_linearity.weight.copy_(reordered(layer.input_weight))
            cell.input_linearity.bias.copy_(reordered(layer.input_bias))
            cell.state_linearity.weight.copy_(reordered(layer.state_weight.t()))
            cell.state_linearity.bias.copy_(reordered(layer.bias))


if __name__ == "__main__":
    raise SystemExit(main())
