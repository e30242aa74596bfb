"""Says in the log of a training run which profile it uses, and refuses to go on with a run under another profile."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allennlp.training import util as training_util
from allennlp.training.callbacks import TrainerCallback
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.profile import PROFILE_VARIABLE

logger = logging.getLogger(__name__)

_REGISTERED_NAME = "announce_profile"


@TrainerCallback.register(_REGISTERED_NAME)
class ProfileAnnouncement(TrainerCallback):
    """
    Logs the profile before training starts.

    Its arguments stand in the archived config, which so remembers the profile it was made from.

    Parameters
    ----------
    serialization_dir
        AllenNLP's.
    profile
        name of the profile.
    description
        what the profile says about itself.
    """

    def __init__(self, serialization_dir: str, profile: str, description: str = "") -> None:
        super().__init__(serialization_dir)
        self._profile = profile
        self._description = description

    @overrides(check_signature=False)
    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        """Log it, as a warning so that no log level hides it."""
        super().on_start(trainer, is_primary=is_primary, **kwargs)
        if is_primary:
            logger.warning("Profile %r (set by %s): %s", self._profile, PROFILE_VARIABLE, self._description)


def announced_profile(config: Mapping[str, Any]) -> str | None:
    """The profile that a config was evaluated with, or ``None`` if it does not say."""
    trainer = config.get("trainer")
    callbacks = trainer.get("callbacks") if isinstance(trainer, Mapping) else None
    for callback in callbacks if isinstance(callbacks, list) else []:
        if isinstance(callback, Mapping) and callback.get("type") == _REGISTERED_NAME:
            return str(callback.get("profile"))
    return None


def check_recovery(config: Mapping[str, Any], serialization_dir: str) -> None:
    """
    Compare a config with the one a run was started with.

    Raises
    ------
    InputError
        If both name a profile and the two are different.
    """
    try:
        started = json.loads((Path(serialization_dir) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # AllenNLP has its own sentence for a folder that is no run
    was, now = announced_profile(started), announced_profile(config)
    if was is not None and now is not None and was != now:
        raise InputError(
            f"{serialization_dir}: this run was started with profile {was!r}, now it is {now!r}; recover it with "
            f"{PROFILE_VARIABLE}={was}."
        )


def install_recovery_check() -> None:
    """
    Let AllenNLP's own check of ``--recover`` begin with ``check_recovery``; does nothing the second time.

    AllenNLP would list every path that differs and then say that the configs do not match.
    """
    original = training_util.create_serialization_dir
    if getattr(original, "checks_profile", False):
        return

    def create_serialization_dir(params: Any, serialization_dir: Any, recover: bool, force: bool) -> None:
        if recover:
            check_recovery(params.as_dict(quiet=True), str(serialization_dir))
        original(params, serialization_dir, recover, force)

    create_serialization_dir.checks_profile = True  # type: ignore[attr-defined]
    training_util.create_serialization_dir = create_serialization_dir


install_recovery_check()
