"""
setuptools, and one file more: puts the bridge's `.pth` line at the top of every wheel, editable ones included.

Python executes such a line at its start only if the file lies in site-packages itself. setuptools has no setting for
that which works for editable installs too, so the finished wheel gets the file here. What is in a wheel's RECORD,
pip removes again.
"""

import base64
import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  (the other entry points of a build backend)

HOOK = Path(__file__).parent / "elmo_tasks" / "bridge" / "elmo_tasks_bridge.pth"


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Builds the wheel, with the hook in it; returns its name."""
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    add_hook(Path(wheel_directory, name))
    return name


def build_editable(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Builds the editable wheel, with the hook in it; returns its name."""
    name: str = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    add_hook(Path(wheel_directory, name))
    return name


def add_hook(wheel: Path) -> None:
    """Writes the wheel anew with the hook at its top and in its RECORD."""
    content = HOOK.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    line = f"{HOOK.name},sha256={digest},{len(content)}\n".encode()
    aside = wheel.with_suffix(".aside")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr(HOOK.name, content)
        for entry in old.infolist():
            is_record = entry.filename.endswith(".dist-info/RECORD")
            new.writestr(entry, line + old.read(entry) if is_record else old.read(entry))
    os.replace(aside, wheel)
