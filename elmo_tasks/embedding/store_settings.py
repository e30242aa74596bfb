"""Where the layers of frozen biLMs are kept, and how much of them."""

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from elmo_tasks.bilm.store import STORE_DTYPES
from elmo_tasks.errors import InputError

FOLDER_VARIABLE = "ELMO_TASKS_STORE"
"""The environment variable that names the folder of all stores; `off` is none, unless a config demands one."""

_KEYS = ("folder", "dtype", "max_gigabytes")


@dataclass(frozen=True)
class StoreSettings:
    """
    What a configuration says of the store.

    Parameters
    ----------
    wanted : ``True``: it must be; ``False``: it must not be; ``None``: where it can be.
    root : folder of all stores; without one in the configuration that of the environment variable ``ELMO_TASKS_STORE``,
        and without that one of the user's cache.
    dtype : ``float16`` or ``float32``.
    max_bytes : what all stores of the folder may take together.
    """

    wanted: bool | None
    root: Path
    dtype: str = "float16"
    max_bytes: float = 20e9

    @classmethod
    def from_config(cls, value: bool | dict[str, Any] | None) -> "StoreSettings":
        """
        From the embedder's ``store``.

        Raises
        ------
        InputError
            Naming the key that is unknown or has a value of another kind.
        """
        folder = os.environ.get(FOLDER_VARIABLE) or _cache()
        if not isinstance(value, dict):
            if value is None and folder == "off":
                value = False
            return cls(value, Path(_cache() if folder == "off" else folder))
        for key in value:
            if key not in _KEYS:
                near = get_close_matches(key, _KEYS, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected {', '.join(_KEYS)}."
                raise InputError(f"The embedder 'bilm' has the unknown key store.{key}; {hint}")
        dtype, gigabytes = value.get("dtype", cls.dtype), value.get("max_gigabytes", cls.max_bytes / 1e9)
        if dtype not in STORE_DTYPES:
            raise InputError(f"store.dtype is {dtype!r}, expected {' or '.join(map(repr, STORE_DTYPES))}.")
        if isinstance(gigabytes, bool) or not isinstance(gigabytes, int | float) or gigabytes < 0:
            raise InputError(f"store.max_gigabytes is {gigabytes!r}, expected a number of at least 0.")
        root = value.get("folder", _cache() if folder == "off" else folder)
        if not isinstance(root, str):
            raise InputError(f"store.folder is {root!r}, expected the name of a folder.")
        return cls(True, Path(root).expanduser(), dtype, 1e9 * gigabytes)


def _cache() -> str:
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "elmo_tasks", "layers")
