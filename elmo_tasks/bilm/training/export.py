"""From a trained language model to the files that others read."""

import json
import os
from pathlib import Path

import h5py

from elmo_tasks.bilm.training.language_model import BidirectionalLanguageModel
from elmo_tasks.bilm.training.vocabulary import Vocabulary

OPTIONS_NAME = "options.json"
WEIGHTS_NAME = "weights.hdf5"
SOFTMAX_NAME = "softmax.hdf5"
VOCABULARY_NAME = "vocabulary.txt"


def export(model: BidirectionalLanguageModel, vocabulary: Vocabulary, folder: Path, dtype: str = "float32") -> None:
    """
    Write ``options.json`` (262 characters, for prediction), ``weights.hdf5``, ``vocabulary.txt`` and ``softmax.hdf5``.

    The softmax's data sets are ``W`` ``(V, projection_dim)`` and ``b`` ``(V,)``; it is needed for fine-tuning and
    perplexity only.
    """
    options = json.dumps(model.bilm.options.to_dict(), indent=2) + "\n"
    (folder / OPTIONS_NAME).write_text(options, encoding="utf-8")
    vocabulary.write(folder / VOCABULARY_NAME)
    model.bilm.save_weights(folder / WEIGHTS_NAME, dtype)
    aside = folder / f"{SOFTMAX_NAME}.part"
    with h5py.File(aside, "w") as file:
        file.create_dataset("W", data=model.softmax.weight.weight.detach().cpu().numpy().astype(dtype))
        file.create_dataset("b", data=model.softmax.bias.weight.detach().squeeze(1).cpu().numpy().astype(dtype))
    os.replace(aside, folder / SOFTMAX_NAME)
