"""From a trained language model to the files that others read, and back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from elmo_tasks.bilm.model import BiLM
from elmo_tasks.bilm.options import BiLMOptions
from elmo_tasks.bilm.training.checkpoint import FILE_NAME, read_checkpoint
from elmo_tasks.bilm.training.language_model import BidirectionalLanguageModel
from elmo_tasks.bilm.training.softmax import Softmax
from elmo_tasks.bilm.training.vocabulary import Vocabulary
from elmo_tasks.bilm.writing import make_folder, written_aside
from elmo_tasks.errors import InputError

OPTIONS_NAME = "options.json"
WEIGHTS_NAME = "weights.hdf5"
SOFTMAX_NAME = "softmax.hdf5"
VOCABULARY_NAME = "vocabulary.txt"


@dataclass(frozen=True)
class Start:
    """What a training begins with; softmax, vocabulary and optimizer's state are None where they are not there."""

    bilm: BiLM
    softmax: Softmax | None = None
    vocabulary: Vocabulary | None = None
    optimizer: dict[str, Any] | None = None


def export(model: BidirectionalLanguageModel, vocabulary: Vocabulary, folder: Path, dtype: str = "float32") -> None:
    """
    Write ``options.json`` (262 characters, for prediction), ``weights.hdf5``, ``vocabulary.txt`` and ``softmax.hdf5``.

    The softmax's data sets are ``W`` ``(V, projection_dim)`` and ``b`` ``(V,)``; it is needed for fine-tuning and
    perplexity only.
    """
    options = json.dumps(model.bilm.options.to_dict(), indent=2) + "\n"
    with written_aside(folder / OPTIONS_NAME) as aside:
        aside.write_text(options, encoding="utf-8")
    vocabulary.write(folder / VOCABULARY_NAME)
    model.bilm.save_weights(folder / WEIGHTS_NAME, dtype)
    packed = {"compression": "gzip", "shuffle": True} if dtype == "float16" else {}
    softmax = {"W": model.softmax.weight.weight, "b": model.softmax.bias.weight.squeeze(1)}
    with written_aside(folder / SOFTMAX_NAME) as aside, h5py.File(aside, "w") as file:
        for name, values in softmax.items():
            file.create_dataset(name, data=values.detach().cpu().numpy().astype(dtype), **packed)


def export_checkpoint(folder: str | Path, output: str | Path, dtype: str = "float32") -> int:
    """
    Write to ``output`` what :func:`export` writes, from the checkpoint in a training's folder.

    The training may be running, the corpus may be gone; the folder is left as it is.

    Returns
    -------
    Batches that the checkpoint's training has done.

    Raises
    ------
    InputError
        If the folder has no checkpoint or not its vocabulary, or ``output`` cannot be written or is the same folder.
    """
    folder, output = Path(folder), Path(output)
    content = read_checkpoint(folder)
    if content is None:
        raise InputError(f"{folder / FILE_NAME}: no such file; expected the output folder of a biLM's training.")
    model, vocabulary = _model_of(content, folder)
    if make_folder(output).samefile(folder):
        raise InputError(f"{output}: is the training's own folder; name another one to export to.")
    export(model, vocabulary, output, dtype)
    return content["batches_done"]


def read_export(folder: str | Path) -> tuple[BidirectionalLanguageModel, Vocabulary]:
    """
    The language model and its vocabulary from the files of :func:`export`, float32, in evaluation mode.

    The vocabulary may be packed, ``vocabulary.txt.xz`` or ``vocabulary.txt.gz``.

    Raises
    ------
    InputError
        With the file that is missing or damaged, or does not fit the others.
    """
    folder = Path(folder)
    bilm = BiLM.from_files(folder / OPTIONS_NAME, folder / WEIGHTS_NAME)
    vocabulary = _read_vocabulary(folder)
    path = folder / SOFTMAX_NAME
    weight, bias = _read_softmax(path)
    dim = bilm.options.projection_dim
    if weight.shape[1:] != (dim,) or bias.shape != weight.shape[:1]:
        raise InputError(
            f"{path}: W and b have the shapes {weight.shape} and {bias.shape}, expected (words, {dim}) and (words,); "
            "options and softmax are of different models."
        )
    _check_size(path, len(weight), folder / VOCABULARY_NAME, vocabulary)
    softmax = Softmax(len(vocabulary), dim)
    with torch.no_grad():
        softmax.weight.weight.copy_(torch.from_numpy(weight))
        softmax.bias.weight.copy_(torch.from_numpy(bias).unsqueeze(1))
    return BidirectionalLanguageModel(bilm, softmax).eval(), vocabulary


def read_start(path: Path) -> Start:
    """
    What a training can begin with: an exported biLM, weights without a softmax as the released ones are, a checkpoint.

    Parameters
    ----------
    path : the folder of the files; or the checkpoint, whose vocabulary lies beside it.

    Raises
    ------
    InputError
        As :func:`read_export`, :func:`read_checkpoint` and :func:`export_checkpoint`.
    """
    folder = path
    if path.is_file() and (content := read_checkpoint(path.parent)) is not None:
        model, vocabulary = _model_of(content, path.parent)
        return Start(model.bilm, model.softmax, vocabulary, content["optimizer"])
    if (folder / SOFTMAX_NAME).exists():
        model, vocabulary = read_export(folder)
        return Start(model.bilm, model.softmax, vocabulary)
    return Start(BiLM.from_files(folder / OPTIONS_NAME, folder / WEIGHTS_NAME))


def _model_of(checkpoint: dict[str, Any], folder: Path) -> tuple[BidirectionalLanguageModel, Vocabulary]:
    path, vocabulary = folder / FILE_NAME, _read_vocabulary(folder)
    weights: dict[str, Any] = checkpoint["model"]
    _check_size(path, len(weights["softmax.weight.weight"]), folder / VOCABULARY_NAME, vocabulary)
    options = BiLMOptions.from_dict(checkpoint["config"]["model"], source=f"{path}: model")
    model = BidirectionalLanguageModel(BiLM(options), Softmax(len(vocabulary), options.projection_dim))
    model.load_state_dict(weights)
    return model, vocabulary


def _read_vocabulary(folder: Path) -> Vocabulary:
    names = [VOCABULARY_NAME + ending for ending in ("", ".xz", ".gz")]
    return Vocabulary.from_file(next((folder / name for name in names if (folder / name).exists()), folder / names[0]))


def _read_softmax(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not path.exists():
        raise InputError(
            f"{path}: no such file; a perplexity needs the softmax, which `elmo-tasks bilm export` writes too."
        )
    try:
        with h5py.File(path, "r") as file:
            weight, bias = (file[name][...].astype(np.float32) for name in ("W", "b"))
    except (OSError, RuntimeError, KeyError, AttributeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0].strip('"')
        raise InputError(f"{path}: not a softmax of this trainer, or damaged ({reason}); export it again.") from error
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise InputError(f"{path}: holds numbers that are not finite (NaN or infinite).")
    return weight, bias


def _check_size(path: Path, size: int, vocabulary_path: Path, vocabulary: Vocabulary) -> None:
    if size != len(vocabulary):
        raise InputError(
            f"{path}: the softmax is over {size:,} words, but {vocabulary_path.name} has {len(vocabulary):,}; they are "
            "of different models."
        )
