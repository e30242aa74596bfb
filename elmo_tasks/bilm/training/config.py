"""The configuration of a biLM's training: a JSON file, or Jsonnet where that is installed."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from elmo_tasks.bilm.options import BiLMOptions
from elmo_tasks.bilm.training.checkpoint import FILE_NAME, read_checkpoint
from elmo_tasks.bilm.training.export import OPTIONS_NAME, SOFTMAX_NAME
from elmo_tasks.errors import InputError

# What may change between a run and its continuation: it moves no weight.
_FREE_FIELDS = (
    "output",
    "epochs",
    # As long as it has not begun; see `Trainer`.
    "cooldown_epochs",
    "heldout",
    "heldout_sentences",
    "evaluate_every",
    "checkpoint_minutes",
    "log_every",
    "device",
    "threads",
    "precision",
    "tensorboard",
    "weights_dtype",
)


@dataclass(frozen=True)
class TrainingConfig:
    """
    Everything that a training run depends on; defaults are bilm-tf's (docs/training-a-bilm.md), but for one GPU.

    Paths are taken from the folder of the configuration file.

    Parameters
    ----------
    corpus : file names or patterns of the shards, one tokenised sentence a line.
    output : folder of checkpoint, log and exported files.
    model : what ``options.json`` says of the biLM.
    start_from : folder of an exported biLM to begin with, in place of random weights (fine-tuning, Table 7).
        The model is then its own, and with its softmax the vocabulary too. Adagrad's sums begin anew; they too are
        taken from another training's ``checkpoint.pt``, if that file is named.
    vocabulary : file of one word a line; without it the corpus is counted.
    vocabulary_size : at most so many words of it.
    shuffle_words : read every sentence with its words in a random order, always the same: the control that knows the
        words of a text but not their order. Held-out files are read as they are.
    dropout, learning_rate, max_gradient_norm, batch_size, unroll_steps : as in the paper's program.
    state_reset_probability : chance of a row to begin a batch with zero states instead of the carried ones. The paper's
        program has none, 0; a biLM that is to be used with the state policy ``reset`` needs some (docs/findings.md).
    negative_samples : words of the sampled softmax; 0 takes the full softmax.
    gradient_accumulation : parts that a batch's rows are run in, one after the other, before the update; saves memory.
    epochs : passes over the corpus; may be a fraction.
    cooldown_epochs : at the end of them, the learning rate falls linearly to 0 over so many. The paper's program: 0.
    seed : of weights, shuffling, sampling and dropout.
    heldout : files to measure perplexity on at the end, by name.
    evaluate_every : batches between measurements during training on the first ``heldout_sentences`` of each held-out
        file; 0 measures at the end only.
    checkpoint_minutes : time between checkpoints.
    log_every : batches between progress lines.
    device : ``cpu`` or ``cuda``; without it a GPU where there is one.
    threads : of torch on the CPU; without it torch decides.
    precision : ``float32``, or ``bfloat16`` for the products (automatic mixed precision); weights and states stay
        float32. Not part of what must stay the same in a continuation, like the device.
    tensorboard : write losses and held-out perplexities for TensorBoard, where tensorboardX or tensorboard is there.
    weights_dtype : ``float32`` or ``float16``, of the exported weights.
    """

    corpus: tuple[str, ...]
    output: str
    model: dict[str, Any]
    start_from: str | None = None
    vocabulary: str | None = None
    vocabulary_size: int | None = None
    shuffle_words: bool = False
    dropout: float = 0.1
    learning_rate: float = 0.2
    max_gradient_norm: float = 10.0
    batch_size: int = 128
    unroll_steps: int = 20
    state_reset_probability: float = 0.0
    negative_samples: int = 8192
    gradient_accumulation: int = 1
    epochs: float = 10
    cooldown_epochs: float = 0
    seed: int = 1
    heldout: dict[str, str] = field(default_factory=dict)
    heldout_sentences: int = 500
    evaluate_every: int = 0
    checkpoint_minutes: float = 10.0
    log_every: int = 100
    device: str | None = None
    threads: int | None = None
    precision: str = "float32"
    tensorboard: bool = True
    weights_dtype: str = "float32"

    @property
    def options(self) -> BiLMOptions:
        """The model's options, checked."""
        return BiLMOptions.from_dict(self.model, source="model")

    @classmethod
    def from_file(cls, path: str | Path) -> "TrainingConfig":
        """
        Read a configuration file.

        Raises
        ------
        InputError
            Naming the file and the key that is unknown, missing or of a wrong type.
        """
        path = Path(path)
        content = _evaluate(path)
        if not isinstance(content, dict):
            raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}.")
        known = {item.name: item for item in fields(cls)}
        for key in content:
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}."
                raise InputError(f"{path}: unknown key {key!r}{hint}")
        needed = ("corpus", "output") if content.get("start_from") is not None else ("corpus", "output", "model")
        for key in needed:
            if key not in content:
                raise InputError(f"{path}: the key {key!r} is missing.")
        for key, value in content.items():
            _check_type(path, key, value)
        folder = path.parent
        if content.get("start_from") is not None:
            _take_over(path, content)
        BiLMOptions.from_dict(content["model"], source=f"{path}: model")
        rows, parts = (content.get(key, known[key].default) for key in ("batch_size", "gradient_accumulation"))
        if rows % parts:
            raise InputError(
                f"{path}: gradient_accumulation is {parts}, expected a divisor of batch_size, which is {rows}."
            )
        patterns = [content["corpus"]] if isinstance(content["corpus"], str) else content["corpus"]
        content["corpus"] = tuple(str(folder / pattern) for pattern in patterns)
        content["output"] = str(folder / content["output"])
        if content.get("vocabulary") is not None:
            content["vocabulary"] = str(folder / content["vocabulary"])
        content["heldout"] = {name: str(folder / file) for name, file in content.get("heldout", {}).items()}
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """The fields in plain types, for a checkpoint."""
        return json.loads(json.dumps(asdict(self)))

    def differences(self, saved: Mapping[str, Any]) -> list[str]:
        """
        Keys that decide the weights and differ from those of another configuration's :meth:`to_dict`.

        A checkpoint is continued only where there is none. Of files only the names count: a corpus may have moved. A
        key that the other one does not know, being older, had its default value.
        """
        mine = _decisive(self.to_dict())
        defaults = _decisive(type(self)(corpus=(), output="", model={}).to_dict())
        theirs = {**defaults, **_decisive(saved)}
        return [key for key in mine if mine[key] != theirs[key]]


def _decisive(content: Mapping[str, Any]) -> dict[str, Any]:
    decisive = {key: value for key, value in content.items() if key not in _FREE_FIELDS}
    decisive["corpus"] = [Path(name).name for name in decisive["corpus"]]
    for key in ("vocabulary", "start_from"):
        if decisive.get(key) is not None:
            path = Path(decisive[key])
            # All checkpoints have the same name.
            decisive[key] = f"{path.parent.name}/{path.name}" if path.name == FILE_NAME else path.name
    return decisive


def _take_over(path: Path, content: dict[str, Any]) -> None:
    """Complete a configuration by what the biLM that it starts from decides."""
    start = path.parent / content["start_from"]
    content["start_from"] = str(start)
    is_checkpoint = start.name == FILE_NAME
    with_softmax = is_checkpoint or (start / SOFTMAX_NAME).exists()
    decided = ("model", "vocabulary", "vocabulary_size") if with_softmax else ("model",)
    for key in decided:
        if content.get(key) is not None:
            raise InputError(f"{path}: {key} is that of the biLM in start_from ({start}); leave it out.")
    if is_checkpoint:
        checkpoint = read_checkpoint(start.parent)
        if checkpoint is None:
            raise InputError(f"{path}: start_from is {start}, and there is no such file.")
        content["model"] = checkpoint["config"]["model"]
        return
    if not (start / OPTIONS_NAME).exists():
        raise InputError(
            f"{path}: start_from is {start}, expected the folder of an exported biLM (`elmo-tasks bilm export`) or a "
            f"training's {FILE_NAME}; the folder has no {OPTIONS_NAME}."
        )
    content["model"] = BiLMOptions.from_file(start / OPTIONS_NAME).to_dict()


@dataclass(frozen=True)
class _Number:
    """What a number in the configuration must be."""

    minimum: float = 0
    below: float = math.inf
    whole: bool = True
    optional: bool = False

    def accepts(self, value: Any) -> bool:
        if value is None:
            return self.optional
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.minimum <= value < self.below

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} of at least {self.minimum}" + (f" and less than {self.below}" if self.below < math.inf else "")


_NUMBERS = {
    # Three special words and one to predict.
    "vocabulary_size": _Number(4, optional=True),
    "dropout": _Number(below=1, whole=False),
    "learning_rate": _Number(whole=False),
    "max_gradient_norm": _Number(whole=False),
    "batch_size": _Number(1),
    "unroll_steps": _Number(1),
    "state_reset_probability": _Number(below=1, whole=False),
    "negative_samples": _Number(),
    "gradient_accumulation": _Number(1),
    "epochs": _Number(whole=False),
    "cooldown_epochs": _Number(whole=False),
    "seed": _Number(below=2**63),
    "heldout_sentences": _Number(1),
    "evaluate_every": _Number(),
    "checkpoint_minutes": _Number(whole=False),
    "log_every": _Number(1),
    "threads": _Number(1, optional=True),
}

_CHOICES = {"weights_dtype": ("float32", "float16"), "precision": ("float32", "bfloat16")}


def _check_type(path: Path, key: str, value: Any) -> None:
    expected = None
    if key in _NUMBERS:
        expected = None if _NUMBERS[key].accepts(value) else str(_NUMBERS[key])
    elif key == "corpus":
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) for name in names):
            expected = "the name or pattern of the shards, or a list of them"
    elif key == "output":
        expected = None if isinstance(value, str) else "the name of a folder"
    elif key == "start_from":
        fits = value is None or isinstance(value, str)
        expected = None if fits else f"the folder of an exported biLM or a {FILE_NAME}"
    elif key == "vocabulary":
        expected = None if value is None or isinstance(value, str) else "the name of a file"
    elif key == "heldout":
        if not isinstance(value, dict) or not all(isinstance(file, str) for file in value.values()):
            expected = "an object of names and files"
    elif key == "device":
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"cpu|cuda(:\d+)?", value)):
            expected = "'cpu', 'cuda' or 'cuda:NUMBER'"
    elif key in _CHOICES:
        expected = None if value in _CHOICES[key] else " or ".join(repr(choice) for choice in _CHOICES[key])
    elif key in ("tensorboard", "shuffle_words"):
        expected = None if isinstance(value, bool) else "true or false"
    if expected is not None:
        raise InputError(f"{path}: {key} is {value!r}, expected {expected}.")


def _evaluate(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the configuration cannot be read ({error}).") from error
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{error.lineno}: not valid JSON ({error.msg}).") from error
    try:
        import _jsonnet
    except ImportError as error:
        raise InputError(
            f"{path}: Jsonnet is not installed; run 'pip install jsonnet' or write the file as .json."
        ) from error
    try:
        return json.loads(_jsonnet.evaluate_file(str(path)))
    except RuntimeError as error:
        raise InputError(f"{path}: not valid Jsonnet ({str(error).splitlines()[0]}).") from error
