"""The texts of a task's data as its biLM reads them, for training or measuring a biLM on them."""

from pathlib import Path
from typing import Any

from allennlp.common import Params
from allennlp.common.plugins import import_plugins
from allennlp.data import DatasetReader, TokenIndexer
from allennlp.data.data_loaders import SimpleDataLoader

from elmo_tasks.bilm.writing import make_folder, written_aside
from elmo_tasks.embedding.indexer import BiLMCharacterIndexer
from elmo_tasks.embedding.precompute import _texts as texts_for_a_bilm
from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.profile import publish

SPLITS = {"train": "train_data_path", "dev": "validation_data_path", "test": "test_data_path"}


def write_texts(config_file: Path, output: Path, split: str = "train", overrides: str = "") -> str:
    """
    Write the texts of a config's data, one a line, tokens separated by spaces, each text once.

    A token that has white space within becomes several.

    Parameters
    ----------
    config_file : of a training with ELMo.
    output : file to write.
    split : ``train``, ``dev`` or ``test``.
    overrides : JSON, as for ``allennlp train --overrides``.

    Returns
    -------
    A line that says how many texts and tokens there are.

    Raises
    ------
    InputError
        If the config names no such data or has no indexer of a biLM, or nothing can be written.
    """
    import_plugins()
    publish()
    if not config_file.is_file():
        raise InputError(f"{config_file}: there is no such config.")
    params = Params.from_file(str(config_file), overrides).as_dict(quiet=True)
    path = params.get(SPLITS[split])
    if path is None:
        raise InputError(f"{config_file}: has no {SPLITS[split]}, so there is no text of '{split}'.")
    described = params["dataset_reader"]
    if split != "train":
        described = params.get("validation_dataset_reader", described)
    indexers = [TokenIndexer.from_params(Params(dict(entry))) for entry in described.get("token_indexers", {}).values()]
    sizes = {indexer.max_characters_per_token for indexer in indexers if isinstance(indexer, BiLMCharacterIndexer)}
    if not sizes:
        raise InputError(
            f"{config_file}: its reader has no token indexer 'bilm_characters', so no biLM reads its texts; take a "
            "config with ELMo, such as elmo.jsonnet."
        )
    instances = list(DatasetReader.from_params(Params(described)).read(path))
    seen: dict[str, None] = {}
    for size in sorted(sizes):
        loader: Any = SimpleDataLoader(instances, batch_size=1)
        for words in texts_for_a_bilm([loader], size):
            seen[" ".join(" ".join(words).split())] = None
    seen.pop("", None)
    make_folder(output.parent)
    with written_aside(output) as aside:
        aside.write_text("".join(f"{text}\n" for text in seen), encoding="utf-8", newline="\n")
    tokens = sum(text.count(" ") + 1 for text in seen)
    return f"{output}: {len(seen):,} different texts, {tokens:,} tokens"
