"""Checkpoints of a training run: one file, complete or not written at all."""

from pathlib import Path
from typing import Any

import torch

from elmo_tasks.bilm.writing import written_aside
from elmo_tasks.errors import InputError

FILE_NAME = "checkpoint.pt"


def write_checkpoint(folder: Path, content: dict[str, Any]) -> None:
    """
    Put ``content`` (tensors and plain types) into the folder's checkpoint; until it is complete the old one stays.

    Raises
    ------
    InputError
        If it cannot be written: a full disk, a folder without permission. The one before is kept, and the sentence
        says so.
    """
    for stale in folder.glob(f"{FILE_NAME}.*.part"):
        # A process that was killed while it wrote could not remove it; no other one trains in this folder.
        stale.unlink(missing_ok=True)
    path = folder / FILE_NAME
    try:
        with written_aside(path) as aside:
            torch.save(content, aside)
    except InputError as error:
        kept = "the checkpoint before it is kept, and the same command goes on from there" if path.exists() else ""
        raise InputError(f"{str(error).rstrip('.')}; {kept or 'there is none before it'}.") from error


def read_checkpoint(folder: Path) -> dict[str, Any] | None:
    """
    The folder's checkpoint, or ``None``. Nothing but tensors and plain types is unpickled.

    Raises
    ------
    InputError
        If the file is damaged or something else.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch's reader raises depends on the bytes it meets
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: the checkpoint is damaged ({reason}); remove it to begin anew.") from error
    if not isinstance(content, dict) or not {"config", "model", "batches_done"} <= content.keys():
        raise InputError(f"{path}: not a checkpoint of this trainer; remove it to begin anew.")
    return content
