"""The configuration of a biLM's training: a JSON file, or Jsonnet where that is installed."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from elmo_tasks.bilm.options import BiLMOptions
from elmo_tasks.errors import InputError

# What may change between a run and its continuation: it moves no weight.
_FREE_FIELDS = ("output", "epochs", "heldout", "heldout_sentences", "evaluate_every", "checkpoint_minutes", "log_every")
_FREE_FIELDS += ("device", "threads", "weights_dtype")


@dataclass(frozen=True)
class TrainingConfig:
    """
    Everything that a training run depends on; defaults are bilm-tf's (paper.md A.8), but for one GPU.

    Paths are taken from the folder of the configuration file.

    Parameters
    ----------
    corpus : file names or patterns of the shards, one tokenised sentence a line.
    output : folder of checkpoint, log and exported files.
    model : what ``options.json`` says of the biLM.
    vocabulary : file of one word a line; without it the corpus is counted.
    vocabulary_size : at most so many words of it.
    dropout, learning_rate, max_gradient_norm, batch_size, unroll_steps : as in the paper's program.
    state_reset_probability : chance of a row to begin a batch with zero states instead of the carried ones. The paper's
        program has none, 0; a biLM that is to be used with the state policy ``reset`` needs some (docs/findings.md).
    negative_samples : words of the sampled softmax; 0 takes the full softmax.
    epochs : passes over the corpus; may be a fraction.
    seed : of weights, shuffling, sampling and dropout.
    heldout : files to measure perplexity on at the end, by name.
    evaluate_every : batches between measurements during training on the first ``heldout_sentences`` of each held-out
        file; 0 measures at the end only.
    checkpoint_minutes : time between checkpoints.
    log_every : batches between progress lines.
    device : ``cpu`` or ``cuda``; without it a GPU where there is one.
    threads : of torch on the CPU; without it torch decides.
    weights_dtype : ``float32`` or ``float16``, of the exported weights.
    """

    corpus: tuple[str, ...]
    output: str
    model: dict[str, Any]
    vocabulary: str | None = None
    vocabulary_size: int | None = None
    dropout: float = 0.1
    learning_rate: float = 0.2
    max_gradient_norm: float = 10.0
    batch_size: int = 128
    unroll_steps: int = 20
    state_reset_probability: float = 0.0
    negative_samples: int = 8192
    epochs: float = 10
    seed: int = 1
    heldout: dict[str, str] = field(default_factory=dict)
    heldout_sentences: int = 500
    evaluate_every: int = 0
    checkpoint_minutes: float = 10.0
    log_every: int = 100
    device: str | None = None
    threads: int | None = None
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
        for key in ("corpus", "output", "model"):
            if key not in content:
                raise InputError(f"{path}: the key {key!r} is missing.")
        for key, value in content.items():
            _check_type(path, key, value)
        folder = path.parent
        patterns = [content["corpus"]] if isinstance(content["corpus"], str) else content["corpus"]
        content["corpus"] = tuple(str(folder / pattern) for pattern in patterns)
        content["output"] = str(folder / content["output"])
        if content.get("vocabulary") is not None:
            content["vocabulary"] = str(folder / content["vocabulary"])
        content["heldout"] = {name: str(folder / file) for name, file in content.get("heldout", {}).items()}
        return cls(**content)

    def fingerprint(self) -> str:
        """A hash of all that decides the weights; a checkpoint is continued only by a run with the same one."""
        content = {key: value for key, value in asdict(self).items() if key not in _FREE_FIELDS}
        for key in ("corpus", "vocabulary"):
            value = content[key]
            content[key] = (
                [Path(item).name for item in value] if isinstance(value, tuple) else value and Path(value).name
            )
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


_NUMBERS = ("dropout", "state_reset_probability", "learning_rate", "max_gradient_norm", "epochs", "checkpoint_minutes")
_INTEGERS = (
    "batch_size",
    "unroll_steps",
    "negative_samples",
    "seed",
    "heldout_sentences",
    "evaluate_every",
    "log_every",
)


def _check_type(path: Path, key: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if key in _NUMBERS and not (number and value >= 0):
        raise InputError(f"{path}: {key} is {value!r}, expected a number of at least 0.")
    if key in _INTEGERS and not (number and isinstance(value, int) and value >= 0):
        raise InputError(f"{path}: {key} is {value!r}, expected a whole number of at least 0.")
    if key in ("batch_size", "unroll_steps", "log_every") and value == 0:
        raise InputError(f"{path}: {key} is 0, expected at least 1.")
    if key == "dropout" and value >= 1:
        raise InputError(f"{path}: dropout is {value!r}, expected less than 1.")
    if key == "weights_dtype" and value not in ("float32", "float16"):
        raise InputError(f"{path}: weights_dtype is {value!r}, expected 'float32' or 'float16'.")
    if key in ("model", "heldout") and not isinstance(value, dict):
        raise InputError(f"{path}: {key} is {value!r}, expected an object.")


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
