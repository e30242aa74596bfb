"""From a trained language model to the files that others read."""

import json
from pathlib import Path

import h5py

from elmo_tasks.bilm.training.language_model import BidirectionalLanguageModel
from elmo_tasks.bilm.training.vocabulary import Vocabulary
from elmo_tasks.bilm.writing import written_aside

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
    with written_aside(folder / OPTIONS_NAME) as aside:
        aside.write_text(options, encoding="utf-8")
    vocabulary.write(folder / VOCABULARY_NAME)
    model.bilm.save_weights(folder / WEIGHTS_NAME, dtype)
    packed = {"compression": "gzip", "shuffle": True} if dtype == "float16" else {}
    softmax = {"W": model.softmax.weight.weight, "b": model.softmax.bias.weight.squeeze(1)}
    with written_aside(folder / SOFTMAX_NAME) as aside, h5py.File(aside, "w") as file:
        for name, values in softmax.items():
            file.create_dataset(name, data=values.detach().cpu().numpy().astype(dtype), **packed)
