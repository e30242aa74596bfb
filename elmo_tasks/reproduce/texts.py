"""The texts of a task's data as its biLM reads them, for training or measuring a biLM on them."""

import json
import os
from pathlib import Path
from typing import Any

from allennlp.common import Params
from allennlp.common.plugins import import_plugins
from allennlp.data import DatasetReader

from elmo_tasks.bilm.writing import make_folder, written_aside
from elmo_tasks.embedding.precompute import bilm_texts
from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.identity import evaluate_config
from elmo_tasks.reproduce.profile import publish

SPLITS = {"train": "train_data_path", "dev": "validation_data_path", "test": "test_data_path"}


def write_texts(config_file: Path, output: Path, split: str = "train", overrides: str | None = None) -> str:
    """
    Write the texts of a config's data, one a line, tokens separated by spaces, each text once.

    A token that has white space within becomes several.

    Parameters
    ----------
    config_file : of a training with ELMo.
    output : file to write.
    split : ``train``, ``dev`` or ``test``.
    overrides : a JSON object of dotted keys and their values.

    Returns
    -------
    A line that says how many texts and tokens there are.

    Raises
    ------
    InputError
        If the config cannot be evaluated, names no such data or has no indexer of a biLM, or nothing can be written.
    """
    import_plugins()
    publish()
    config = evaluate_config(config_file, os.environ, _parsed(overrides))
    path = config.get(SPLITS[split])
    if path is None:
        raise InputError(f"{config_file}: has no {SPLITS[split]}, so there is no text of '{split}'.")
    described = config.get("dataset_reader")
    if split != "train":
        described = config.get("validation_dataset_reader", described)
    if described is None:
        raise InputError(f"{config_file}: has no dataset_reader.")
    make_folder(output.parent)
    instances = DatasetReader.from_params(Params(described)).read(path)
    texts = dict.fromkeys(" ".join(" ".join(words).split()) for words in bilm_texts(instances))
    texts.pop("", None)
    if not texts:
        raise InputError(
            f"{config_file}: no text of '{split}' has the token indexer 'bilm_characters', so no biLM reads any; take "
            "a config with ELMo, such as elmo.jsonnet."
        )
    with written_aside(output) as aside:
        aside.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8", newline="\n")
    tokens = sum(text.count(" ") + 1 for text in texts)
    return f"{output}: {len(texts):,} different texts, {tokens:,} tokens"


def _parsed(overrides: str | None) -> dict[str, Any]:
    try:
        parsed = json.loads(overrides or "{}")
    except json.JSONDecodeError as error:
        raise InputError(f"--overrides is not valid JSON ({error.msg}): {overrides}") from error
    if not isinstance(parsed, dict):
        raise InputError(f"--overrides is {overrides}, expected a JSON object of dotted keys and values.")
    return parsed
