"""Whether a training may go on from a checkpoint: one process at a time, the same configuration, the same text."""

import fcntl
import hashlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.export import VOCABULARY_NAME
from elmo_tasks.errors import InputError

LOCK_NAME = "training.lock"

# Of a shard its size and so many bytes at both ends are looked at: reading a large corpus takes minutes.
_END_BYTES = 2**20

_held: dict[Path, IO[str]] = {}


def hold_folder(folder: Path) -> None:
    """
    Keep other trainings out of an output folder, until :func:`release_folder` or the end of this process.

    On a disk that knows no locks nothing is kept out.

    Raises
    ------
    InputError
        If another process has it.
    """
    folder = folder.resolve()
    if folder in _held:
        return
    path = folder / LOCK_NAME
    try:
        file = path.open("w")
    except OSError as error:
        raise InputError(f"{path}: the file cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InputError(
            f"{folder}: another process trains in this folder; wait for its end or name another output folder."
        ) from error
    except OSError:
        pass
    # The lock goes with the file, also if the process is killed.
    _held[folder] = file


def release_folder(folder: Path) -> None:
    """Let other processes train there."""
    if file := _held.pop(folder.resolve(), None):
        file.close()


def fingerprint(shard: Path) -> str:
    """
    A hash of a file's size and of its first and last megabyte: another text has another one, almost always.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with shard.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            found = hashlib.blake2b(str(size).encode(), digest_size=16)
            for start in (0, max(0, size - _END_BYTES)):
                file.seek(start)
                found.update(file.read(_END_BYTES))
    except OSError as error:
        raise InputError(f"{shard}: the file cannot be read ({error.strerror}).") from error
    return found.hexdigest()


def check_same_run(
    folder: Path, checkpoint: dict[str, Any], config: TrainingConfig, shards: Sequence[Path], fingerprints: list[str]
) -> None:
    """
    The checkpoint must be of a run with this configuration and text.

    Parameters
    ----------
    folder : the run's, for the sentences.
    fingerprints : one a shard. A checkpoint that is older than they are has none, then the names must do.

    Raises
    ------
    InputError
        With the keys or the shard that differ.
    """
    another = f"{folder}: holds the checkpoint of a run with another"
    remedy = "name another output folder or remove that one"
    if different := config.differences(checkpoint["config"]):
        raise InputError(f"{another} configuration ({', '.join(different)}); {remedy}.")
    names = [shard.name for shard in shards]
    if checkpoint.get("shards", names) != names:
        raise InputError(f"{another} corpus, {len(checkpoint['shards'])} shards, now {len(shards)}; {remedy}.")
    for shard, before, now in zip(shards, checkpoint.get("fingerprints", fingerprints), fingerprints, strict=True):
        if before != now:
            raise InputError(f"{another} text in {shard}; put that back, or {remedy}.")
    if not (folder / VOCABULARY_NAME).exists():
        raise InputError(f"{folder}: has a checkpoint but not its {VOCABULARY_NAME}; put it back, or {remedy}.")


def check_cooldown(folder: Path, checkpoint: dict[str, Any], config: TrainingConfig, batches_per_epoch: int) -> None:
    """
    The batches done must have had the learning rate that the configuration, as it is now, gives them.

    Raises
    ------
    InputError
        With what to change.
    """
    before, now, done = checkpoint["config"], config.to_dict(), checkpoint["batches_done"]
    changed = [key for key in ("epochs", "cooldown_epochs") if before.get(key, 0) != now[key]]
    if changed and done > (full := _batches_before_cooldown(before, batches_per_epoch)):
        key = changed[0]
        raise InputError(
            f"{folder}: the learning rate has been falling since batch {full + 1:,}, so {key} must stay "
            f"{before.get(key, 0)}; to train otherwise, begin in another folder."
        )
    if changed and done > (full := _batches_before_cooldown(now, batches_per_epoch)):
        raise InputError(
            f"{folder}: {done:,} batches are done, and the learning rate would have had to fall from batch "
            f"{full + 1:,} on; raise epochs, or begin in another folder."
        )


def _batches_before_cooldown(config: dict[str, Any], batches_per_epoch: int) -> float:
    """How many batches a configuration gives the full learning rate."""
    cooldown = round(config.get("cooldown_epochs", 0) * batches_per_epoch)
    total = round(config["epochs"] * batches_per_epoch)
    # The first batch of the cooldown has the full one too.
    return max(0, total - cooldown + 1) if cooldown else math.inf
