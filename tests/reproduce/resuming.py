"""A small training run that can be stopped at any point, and what it leaves behind."""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.common.util import prepare_environment
from allennlp.data import DatasetReader, Instance, Token
from allennlp.data.fields import LabelField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from allennlp.training.callbacks import TrainerCallback

from elmo_tasks.reproduce.run_state import capture_generators
from elmo_tasks.reproduce.trainer import ExactResumeTrainer

BATCHES_PER_EPOCH = 10

# What no two runs have in common, even uninterrupted ones.
_OF_THE_MACHINE = ("duration", "memory_MB")

# In the place of a batch's number.
IN_VALIDATION = 0
AFTER_TRAINING = -1


class KilledError(BaseException):
    """The end of a process, as far as training code can tell."""


@DatasetReader.register("resuming_words")
class WordsReader(DatasetReader):
    """Forty short made-up sentences in two classes; the path is the seed."""

    def _read(self, file_path: str) -> Iterable[Instance]:
        dice = Random(int(file_path))
        for number in range(40):
            words = [f"w{dice.randrange(12)}" for _ in range(dice.randrange(2, 9))]
            tokens = TextField([Token(word) for word in words], {"tokens": SingleIdTokenIndexer()})
            yield Instance({"tokens": tokens, "label": LabelField(str(number % 2))})


@TrainerCallback.register("resuming_stop")
class Stop(TrainerCallback):
    """
    Ends the process in an epoch: after a training batch, before anything is saved for it; in the first batch of
    validation; or after training, before metrics are written.
    """

    def __init__(self, serialization_dir: str, epoch: int, batch: int) -> None:
        super().__init__(serialization_dir)
        self._epoch = epoch
        self._batch = batch

    def on_batch(
        self,
        trainer: Any,
        batch_inputs: Any,
        batch_outputs: Any,
        batch_metrics: Any,
        epoch: int,
        batch_number: int,
        is_training: bool,
        **kwargs: Any,
    ) -> None:
        if epoch == self._epoch and self._batch == (batch_number if is_training else IN_VALIDATION):
            raise KilledError

    def on_end(self, trainer: Any, metrics: Any = None, epoch: int | None = None, **kwargs: Any) -> None:
        if epoch == self._epoch and self._batch == AFTER_TRAINING:
            raise KilledError


def config(**changes: Any) -> dict[str, Any]:
    """The run's configuration; ``trainer__num_epochs=1`` changes ``trainer.num_epochs``."""
    content: dict[str, Any] = {
        "dataset_reader": {"type": "resuming_words"},
        "train_data_path": "1",
        "validation_data_path": "2",
        "model": {
            "type": "basic_classifier",
            "text_field_embedder": {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 6}}},
            "seq2vec_encoder": {"type": "lstm", "input_size": 6, "hidden_size": 5},
            "dropout": 0.5,
        },
        "data_loader": {"batch_sampler": {"type": "bucket", "batch_size": 4, "padding_noise": 0.5}},
        "trainer": {
            "optimizer": {"type": "adam", "lr": 0.02},
            "num_epochs": 3,
            "cuda_device": -1,
            "checkpointer": {"type": "exact_resume", "save_every_num_batches": 3},
            "callbacks": [],
        },
    }
    for path, value in changes.items():
        *folders, name = path.split("__")
        place = content
        for folder in folders:
            place = place[folder]
        place[name] = value
    return content


@dataclass
class Run:
    """What a run that came to its end has left."""

    trainer: ExactResumeTrainer
    weights: dict[str, torch.Tensor]
    best: dict[str, torch.Tensor] | None
    metrics: dict[str, Any]
    epochs: list[dict[str, Any]]
    generators: dict[str, Any]


def train(content: dict[str, Any], folder: Path, stop: tuple[int, int] | None = None) -> Run:
    """Train from where the folder's checkpoints say, to the end or to ``stop``: epoch and batch (see :class:`Stop`)."""
    content = json.loads(json.dumps(content))
    if stop is not None:
        epoch, batch = stop
        content["trainer"]["callbacks"].append({"type": "resuming_stop", "epoch": epoch, "batch": batch})
    folder.mkdir(exist_ok=True)
    params = Params(content)
    prepare_environment(params)
    logging.disable(logging.INFO)
    try:
        loop = TrainModel.from_params(params=params, serialization_dir=str(folder), local_rank=0)
        metrics = loop.run()
    finally:
        logging.disable(logging.NOTSET)
    best = folder / "best.th"
    return Run(
        trainer=loop.trainer,
        weights=dict(loop.model.state_dict()),
        best=torch.load(best, weights_only=True) if best.exists() else None,
        metrics=_comparable(metrics),
        epochs=[_comparable(json.loads(file.read_text())) for file in sorted(folder.glob("metrics_epoch_*.json"))],
        generators=capture_generators(),
    )


def differences(first: Run, second: Run) -> list[str]:
    """Everything in which two runs are not the same, bit for bit."""
    return sorted(_differences("", _states(first), _states(second)))


def _states(run: Run) -> dict[str, Any]:
    trainer = run.trainer
    return {
        "weights": run.weights,
        "best": run.best,
        "metrics": run.metrics,
        "epochs": run.epochs,
        "generators": run.generators,
        "optimizer": trainer.optimizer.state_dict(),
        "tracker": trainer._metric_tracker.state_dict(),
        "steps": trainer._total_batches_completed,
        "average": trainer._moving_average._shadows if trainer._moving_average is not None else None,
    }


def _differences(place: str, first: Any, second: Any) -> Iterator[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        for key in first.keys() | second.keys():
            yield from _differences(f"{place}/{key}", first.get(key), second.get(key))
    elif isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)) and len(first) == len(second):
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from _differences(f"{place}/{index}", one, other)
    elif isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        if not torch.equal(first, second):
            yield f"{place}: tensors"
    elif first != second:
        yield f"{place}: {first!r}, {second!r}"


def _comparable(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if not name.endswith(_OF_THE_MACHINE)}
