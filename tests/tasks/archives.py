"""What an archive must do, whatever the task: predict as the model that was trained."""

import shutil
from pathlib import Path

import numpy as np
from allennlp.models import Model, load_archive


def assert_predicts_alike(
    model: Model,
    folder: Path,
    texts: tuple[str | tuple[str, ...], ...],
    keys: tuple[str, ...],
    tokenised: bool = True,
) -> None:
    """
    The archive of the training in `folder / "run"`, moved from there, holds the model's weights and gives its outputs.

    `texts` are split at their blanks, unless the reader tokenises, and come in pairs where the task's do; `keys` are
    the outputs that must be equal.
    """
    moved = shutil.move(folder / "run" / "model.tar.gz", folder / "model.tar.gz")
    shutil.rmtree(folder / "run")
    archive = load_archive(moved)
    for name, parameter in model.state_dict().items():
        np.testing.assert_array_equal(archive.model.state_dict()[name], parameter, err_msg=name)
    reader = archive.validation_dataset_reader
    instances = [
        reader.text_to_instance(
            *(part.split(" ") if tokenised else part for part in ((text,) if isinstance(text, str) else text))
        )
        for text in texts
    ]
    for instance in instances:
        reader.apply_token_indexers(instance)
    both = (trained.eval().forward_on_instances(instances) for trained in (model, archive.model))
    for trained, loaded in zip(*both, strict=True):
        for key in keys:
            np.testing.assert_array_equal(trained[key], loaded[key], err_msg=key)
