"""Checkpoints of a training run: one file, complete or not written at all."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from elmo_tasks.errors import InputError

FILE_NAME = "checkpoint.pt"


def write_checkpoint(folder: Path, content: dict[str, Any]) -> None:
    """
    Put ``content`` (tensors and plain types) into the folder's checkpoint; until it is complete the old one stays.

    Raises
    ------
    InputError
        If it cannot be written: a full disk, a folder without permission.
    """
    path = folder / FILE_NAME
    aside = folder / f"{FILE_NAME}.part"
    try:
        with open(aside, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except (OSError, RuntimeError) as error:
        aside.unlink(missing_ok=True)
        raise InputError(f"{path}: the checkpoint cannot be written ({error}); the one before is kept.") from error


def read_checkpoint(folder: Path) -> dict[str, Any] | None:
    """
    The folder's checkpoint, or ``None``. Nothing but tensors and plain types is unpickled.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: not a checkpoint of this trainer ({error}); remove it to begin anew.") from error
