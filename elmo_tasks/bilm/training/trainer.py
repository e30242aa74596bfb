"""Training of a biLM with truncated back-propagation through time and carried states (docs/training-a-bilm.md)."""

import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from elmo_tasks.bilm.lstm import LSTMState
from elmo_tasks.bilm.model import BiLM
from elmo_tasks.bilm.training.checkpoint import read_checkpoint, write_checkpoint
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.continuing import (
    check_cooldown,
    check_same_run,
    fingerprint,
    hold_folder,
    release_folder,
)
from elmo_tasks.bilm.training.corpus import (
    Batch,
    Batcher,
    SentenceStream,
    count_corpus,
    find_shards,
    large_shards,
    on_device,
    read_sentences,
)
from elmo_tasks.bilm.training.export import VOCABULARY_NAME, Start, export, read_start
from elmo_tasks.bilm.training.gradients import clip_gradients, opt_out_of_sparse_checks
from elmo_tasks.bilm.training.language_model import BidirectionalLanguageModel
from elmo_tasks.bilm.training.perplexity import Perplexity, perplexity
from elmo_tasks.bilm.training.progress import TrainingLog, clock, print_line, progress_bar, resident_memory
from elmo_tasks.bilm.training.recorded import RecordedStep
from elmo_tasks.bilm.training.softmax import LogUniformSampler, Softmax
from elmo_tasks.bilm.training.vocabulary import Vocabulary, count_words
from elmo_tasks.bilm.writing import make_folder
from elmo_tasks.errors import InputError

# Adagrad's accumulators start here (bilm-tf).
_INITIAL_ACCUMULATOR = 1.0


class Trainer:
    """
    One training run: ``run`` begins it, or goes on from the checkpoint in its output folder.

    A run that was cut short and continued gives the same weights on the CPU as one that was not: the checkpoint holds
    weights, accumulators, LSTM states, where both text streams stand and all random states.

    From here to the end of ``run`` no other process can train in the output folder.

    Parameters
    ----------
    config : what to do.
    say : where progress lines go.

    Attributes
    ----------
    continues : whether the output folder held a checkpoint to go on from.
    stopped : whether a signal ended the last ``run`` before its last batch.
    """

    def __init__(self, config: TrainingConfig, say: Callable[[str], None] = print_line) -> None:
        self.config = config
        self._say = say
        self.folder = make_folder(config.output)
        hold_folder(self.folder)
        if config.threads is not None:
            torch.set_num_threads(config.threads)
        self.device = _device(config.device)
        opt_out_of_sparse_checks()
        self.shards = find_shards(config.corpus)
        self._fingerprints = [fingerprint(shard) for shard in self.shards]
        for path in config.heldout.values():
            # Better known now than after the training.
            next(read_sentences(find_shards([path])[0]))
        self._checkpoint = read_checkpoint(self.folder)
        self.continues = self._checkpoint is not None
        if self._checkpoint is not None:
            check_same_run(self.folder, self._checkpoint, config, self.shards, self._fingerprints)
        start = self._read_start()
        self.vocabulary = self._read_corpus(start)
        if self._checkpoint is not None:
            check_cooldown(self.folder, self._checkpoint, config, self.batches_per_epoch)
        torch.manual_seed(config.seed)
        sampler = None
        if 0 < config.negative_samples < len(self.vocabulary):
            sampler = LogUniformSampler(len(self.vocabulary), config.negative_samples, config.seed + 3)
        options = config.options
        softmax = Softmax(len(self.vocabulary), options.projection_dim, sampler)
        bilm = BiLM(options)
        if start is not None:
            bilm.load_state_dict(start.bilm.state_dict())
            if start.softmax is not None:
                softmax.load_state_dict(start.softmax.state_dict())
        self.model = BidirectionalLanguageModel(bilm, softmax, config.dropout).to(self.device)
        self.optimizer = torch.optim.Adagrad(
            self.model.parameters(), lr=config.learning_rate, initial_accumulator_value=_INITIAL_ACCUMULATOR, eps=0.0
        )
        if start is not None and start.optimizer is not None:
            self.optimizer.load_state_dict(start.optimizer)
        # The directions shuffle apart: in training they read different text (bilm-tf).
        self.streams = [
            SentenceStream(self.shards, config.seed + direction + 1, config.shuffle_words) for direction in (0, 1)
        ]
        self.batcher = Batcher(
            self.streams[0],
            self.streams[1],
            self.vocabulary.id,
            config.batch_size,
            config.unroll_steps,
            options.max_characters_per_token,
        )
        self.state: LSTMState = self.model.initial_state(config.batch_size)
        # What a sampled softmax and a split batch need for themselves cannot be recorded.
        can_record = self.device.type == "cuda" and sampler is None and config.gradient_accumulation == 1
        self._recorded = RecordedStep(self._gradients, self.device) if can_record else None
        self.batches_done = 0
        # Whatever else the program draws before it calls `run`.
        self._random = torch.get_rng_state()
        self._seconds_before = 0.0
        self._log = TrainingLog(self.folder)
        self.stopped = False

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one pass: a sentence of n words takes n + 1 places of a row."""
        places = self.num_tokens + self.num_sentences
        return max(1, places // (self.config.batch_size * self.config.unroll_steps))

    @property
    def total_batches(self) -> int:
        """Batches of the whole run."""
        return round(self.config.epochs * self.batches_per_epoch)

    @property
    def learning_rate(self) -> float:
        """That of the next batch: constant, and in the last ``cooldown_epochs`` falling to 0."""
        cooldown = round(self.config.cooldown_epochs * self.batches_per_epoch)
        if not cooldown:
            return self.config.learning_rate
        left = max(0, self.total_batches - self.batches_done)
        return self.config.learning_rate * min(1.0, left / cooldown)

    def run(self) -> dict[str, Perplexity]:
        """
        Train to the last epoch, then :meth:`finish`.

        Returns
        -------
        What :meth:`finish` returns; nothing if the run was stopped by a signal before its end (it is then continued by
        the same call in a new trainer).
        """
        self._resume()
        total = self.total_batches
        self._say(
            f"{self.num_sentences:,} sentences, {self.num_tokens:,} tokens in {len(self.shards)} shards; vocabulary "
            f"{len(self.vocabulary):,}; {total:,} batches of {self.config.batch_size} x {self.config.unroll_steps}; "
            f"{self.batches_done:,} done; on {self.device}" + (", steps recorded" if self._recorded else "")
        )
        if self.config.tensorboard:
            self._log.open_board(self.batches_done + 1)
        try:
            self._train(total)
            if self.stopped:
                self._say(f"stopped after {self.batches_done:,} batches; the same command goes on from here")
                return {}
            return self.finish()
        finally:
            self._log.close_board()
            release_folder(self.folder)

    def finish(self) -> dict[str, Perplexity]:
        """
        Export the weights as they are, and measure perplexity on the held-out files.

        Returns
        -------
        The held-out perplexities by name and state policy, ``name/reset`` and ``name/carry``.
        """
        self._resume()
        export(self.model, self.vocabulary, self.folder, self.config.weights_dtype)
        # Of an end that was reached before.
        self._log.keep(lambda entry: entry["batch"] < self.batches_done or "at_the_end" not in entry)
        results = {}
        for name, path in self.config.heldout.items():
            for policy in ("reset", "carry"):
                results[f"{name}/{policy}"] = measured = perplexity(self.model, self.vocabulary, path, policy)
                self._say(f"{name}: {measured}")
                curve = {f"heldout_perplexity_at_the_end_{policy}/{name}": measured.mean}
                entry = {"heldout": name, "at_the_end": True, **measured.to_dict()}
                self._log.write(self.batches_done, entry, curve)
        return results

    def _resume(self) -> None:
        if self._checkpoint is not None:
            self._restore(self._checkpoint)
            self._checkpoint = None
        elif not self.batches_done:
            torch.set_rng_state(self._random)
        else:
            return
        # What was written behind the checkpoint is done anew.
        self._log.keep(lambda entry: entry["batch"] <= self.batches_done)

    def _train(self, total: int) -> None:
        previous = {number: signal.signal(number, self._request_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        self.model.train()
        started = saved = time.monotonic()
        seconds_before = self._seconds_before
        first = self.batches_done
        losses: list[torch.Tensor] = []
        try:
            with progress_bar(total, first) as advance:
                while self.batches_done < total and not self.stopped:
                    losses.append(self.step())
                    advance()
                    if self.batches_done % self.config.log_every == 0 or self.batches_done == total:
                        elapsed = time.monotonic() - started
                        self._report(losses, total, (self.batches_done - first) / elapsed)
                        losses = []
                    if self.config.evaluate_every and self.batches_done % self.config.evaluate_every == 0:
                        self._evaluate()
                    if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                        self._seconds_before = seconds_before + time.monotonic() - started
                        self._require_finite(losses)
                        self.save()
                        saved = time.monotonic()
            self._seconds_before = seconds_before + time.monotonic() - started
            if self.batches_done > first:
                self._require_finite(losses)
                self.save()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _require_finite(self, losses: list[torch.Tensor]) -> None:
        if losses and not bool(torch.isfinite(torch.stack(losses)).all()):
            raise InputError(
                f"{self.folder}: the loss is no longer a finite number at batch {self.batches_done:,}; lower "
                "learning_rate and begin in another folder."
            )

    def step(self) -> torch.Tensor:
        """One batch: loss, gradient, update. Gives the (sampled) loss per target, in nats."""
        batch, state = next(self.batcher), self._forgetful(self.state)
        if self._recorded is not None:
            loss, self.state = self._recorded(batch, state)
        else:
            loss, self.state = self._gradients(batch.to(self.device), state)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        self.batches_done += 1
        return loss

    def _gradients(self, batch: Batch, state: LSTMState) -> tuple[torch.Tensor, LSTMState]:
        """Loss and final state of a batch; its clipped gradients are left in the parameters."""
        parts = batch.split(self.config.gradient_accumulation)
        self.optimizer.zero_grad(set_to_none=True)
        losses, finals = [], []
        for part, part_state in zip(parts, state.split(len(parts)), strict=True):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"):
                loss, final = self.model(part, part_state)
            # bilm-tf takes the gradient of the loss times the number of steps.
            (loss * (self.config.unroll_steps / len(parts))).backward()
            losses.append(loss.detach())
            finals.append(final)
        clip_gradients(self.model.parameters(), self.config.max_gradient_norm)
        return torch.stack(losses).mean(), LSTMState.join(finals)

    def _forgetful(self, state: LSTMState) -> LSTMState:
        """The state with some rows begun anew, so that the model knows zero states too (docs/findings.md)."""
        if not self.config.state_reset_probability:
            return state
        kept = torch.rand(self.config.batch_size) >= self.config.state_reset_probability
        factor = on_device(kept.to(state.hidden.dtype), self.device).unsqueeze(1)
        return LSTMState(state.hidden * factor, state.cell * factor)

    def save(self) -> None:
        """Write the checkpoint."""
        sampler = self.model.softmax.sampler
        content = {
            "config": self.config.to_dict(),
            "shards": [shard.name for shard in self.shards],
            "fingerprints": self._fingerprints,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "hidden": self.state.hidden,
            "cell": self.state.cell,
            "streams": [stream.state() for stream in self.streams],
            "rows": [direction.rows for direction in self.batcher.directions],
            "sampler": None if sampler is None else sampler.generator.get_state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "batches_done": self.batches_done,
            "num_sentences": self.num_sentences,
            "num_tokens": self.num_tokens,
            "seconds": self._seconds_before,
        }
        write_checkpoint(self.folder, content)

    def _restore(self, content: dict[str, Any]) -> None:
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.state = LSTMState(content["hidden"].to(self.device), content["cell"].to(self.device))
        for stream, state in zip(self.streams, content["streams"], strict=True):
            stream.restore(state)
        for direction, rows in zip(self.batcher.directions, content["rows"], strict=True):
            direction.rows = [list(row) for row in rows]
        if self.model.softmax.sampler is not None:
            self.model.softmax.sampler.generator.set_state(content["sampler"])
        torch.set_rng_state(content["random"])
        if self.device.type == "cuda" and content["random_cuda"] is not None:
            torch.cuda.set_rng_state(content["random_cuda"], self.device)
        self.batches_done = content["batches_done"]
        self._seconds_before = content["seconds"]

    def _read_start(self) -> Start | None:
        """The biLM that a new run begins with, if it is not to begin at random."""
        if self.config.start_from is None:
            return None
        path = Path(self.config.start_from)
        if path.exists() and self.folder.samefile(path):
            raise InputError(f"{self.folder}: output is the folder of start_from, whose files it would replace.")
        if self.continues:
            return None
        start = read_start(path)
        softmax = " and the softmax" if start.softmax is not None else ""
        sums = " and Adagrad's sums" if start.optimizer is not None else ""
        self._say(f"begins with the biLM{softmax}{sums} in {path}" + ("" if softmax else ", the softmax at random"))
        return start

    def _read_corpus(self, start: Start | None) -> Vocabulary:
        """Count the text, and its words where no vocabulary is given; it is read once."""
        written = self.folder / VOCABULARY_NAME
        if self._checkpoint is not None:
            self.num_sentences: int = self._checkpoint["num_sentences"]
            self.num_tokens: int = self._checkpoint["num_tokens"]
            return Vocabulary.from_file(written)
        vocabulary = None if start is None else start.vocabulary
        if vocabulary is None and self.config.vocabulary is not None:
            vocabulary = Vocabulary.from_file(self.config.vocabulary, self.config.vocabulary_size)
        for shard in large_shards(self.shards):
            self._say(f"{shard}: each direction holds a shard in memory; cut this one, for example with split -C 200M")
        words = "" if vocabulary is not None else " and their words"
        self._say(f"counting {len(self.shards)} shards{words}")
        if vocabulary is None:
            self.num_sentences, counts = count_words(self.shards, self._say)
            self.num_tokens = counts.total()
            vocabulary = Vocabulary.from_counts(counts, self.config.vocabulary_size)
        else:
            self.num_sentences, self.num_tokens = count_corpus(self.shards, self._say)
        vocabulary.write(written)
        return vocabulary

    def _request_stop(self, number: int, frame: Any) -> None:
        self.stopped = True

    def _report(self, losses: list[torch.Tensor], total: int, batches_per_second: float) -> None:
        self._require_finite(losses)
        loss = float(torch.stack(losses).mean())
        tokens_per_second = batches_per_second * self.config.batch_size * self.config.unroll_steps
        left = (total - self.batches_done) / batches_per_second
        memory = resident_memory()
        rate = self.optimizer.param_groups[0]["lr"]
        kind = "dropout" if self.model.softmax.sampler is None else "sampled softmax, dropout"
        self._say(
            f"batch {self.batches_done:,} of {total:,} (epoch {self.batches_done / self.batches_per_epoch:.2f}): "
            f"loss {loss:.4f}, perplexity {math.exp(min(loss, 50.0)):.1f} (estimated: {kind}), "
            f"{tokens_per_second:,.0f} tokens/s, {clock(left)} left" + (f", {memory:.1f} GB" if memory else "")
        )
        values = {"loss": loss, "tokens_per_second": tokens_per_second, "learning_rate": rate, "memory_gb": memory}
        known = {name: value for name, value in values.items() if value is not None}
        self._log.write(self.batches_done, known, {f"training/{name}": value for name, value in known.items()})

    def _evaluate(self) -> None:
        for name, path in self.config.heldout.items():
            measured = perplexity(self.model, self.vocabulary, path, "carry", self.config.heldout_sentences)
            self._say(f"{name}, first {self.config.heldout_sentences:,} sentences: {measured}")
            curve = {f"heldout_perplexity/{name}": measured.mean}
            self._log.write(self.batches_done, {"heldout": name, **measured.to_dict()}, curve)


def _device(name: str | None) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise InputError(f"device is {name!r}, expected 'cpu', 'cuda' or 'cuda:NUMBER'.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device is {name!r}, but torch finds no GPU here; take 'cpu' or leave it out.")
    return device
