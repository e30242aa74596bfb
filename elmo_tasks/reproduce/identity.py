"""What a run is: its evaluated config and the files it reads, in one key that tells equal runs from changed ones."""

import ast
import copy
import hashlib
import io
import json
import os
import sys
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import elmo_tasks
from elmo_tasks.errors import InputError
from elmo_tasks.user_mistakes import user_mistake

_KEY_LENGTH = 16
_RESULT_PACKAGES = ("bilm", "bridge", "embedding", "formats", "nn", "scoring")
"""The packages whose code can change what a model learns or scores; a task's own folder comes on top."""
_NO_RESULT = ("bilm/training",)
"""Of these, what no run of a task calls: a biLM comes as a file, whose digest is part of the run."""


@dataclass(frozen=True)
class Identity:
    """
    What a run is.

    Attributes
    ----------
    key
        Changes with the evaluated config (seed, budget and profile included), the content of any file that the config
        names, and the version of this package; not with the place where the repository lies.
    config
        The evaluated config.
    files
        The files that the config names, with their size in bytes and their sha256.
    """

    key: str
    config: dict[str, Any]
    files: dict[str, dict[str, Any]]


def evaluate_config(
    config_file: Path, environment: Mapping[str, str], overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """
    The config that AllenNLP will see, without AllenNLP.

    Parameters
    ----------
    config_file
        The Jsonnet file.
    environment
        What Jsonnet gets as external variables: AllenNLP hands it the whole environment.
    overrides
        Dotted keys and the values to put there.

    Raises
    ------
    InputError
        If the file is not valid or says no (an assertion of a profile), or an override has no place to go.
    """
    import _jsonnet

    variables = {name: value for name, value in environment.items() if _is_encodable(value)}
    try:
        with _without_traces():
            config = json.loads(_jsonnet.evaluate_file(str(config_file), ext_vars=variables))
    except RuntimeError as error:
        # The profile's own sentences need no config's name: they say which file is meant.
        raise InputError(user_mistake(error) or f"{config_file}: {_jsonnet_message(str(error))}") from None
    for key, value in (overrides or {}).items():
        _put(config, key, value, config_file)
    return config


def identify(config: dict[str, Any], profile: str, folder: Path) -> Identity:
    """
    The identity of a run.

    Parameters
    ----------
    config
        Its evaluated config.
    profile
        Name of the profile it ran under.
    folder
        What relative paths in the config are relative to.
    """
    files = {}
    for text in sorted(set(_texts(config))):
        path = folder / text
        # A bare word is a name of something, even where a file happens to be called the same.
        if "/" in text and path.is_file():
            files[text] = {"bytes": path.stat().st_size, "sha256": _file_digest(path)}
    content = {
        "config": _with_digests(config, files),
        "profile": profile,
        "version": elmo_tasks.__version__,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return Identity(digest[:_KEY_LENGTH], config, files)


def changed_files(identity: Identity, folder: Path) -> list[str]:
    """The files of a run whose content is no longer what it was when the run was identified, or that are gone."""
    return [
        text
        for text, facts in identity.files.items()
        if not (folder / text).is_file() or _file_digest(folder / text) != facts["sha256"]
    ]


@lru_cache
def code_fingerprint(task: str) -> str:
    """
    A digest of the code that a result of this task comes from.

    It is recorded, but is no part of a run's key: not every change of code changes a result, and a table that asks for
    hours of training after each of them helps nobody. The table says where results come from other code. Comments,
    docstrings and blank lines are no code.
    """
    package = Path(elmo_tasks.__file__).parent
    folders = [package / name for name in _RESULT_PACKAGES] + [package / "tasks" / task]
    digest = hashlib.sha256()
    left_out = tuple(package / name for name in _NO_RESULT)
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        if any(path.is_relative_to(folder) for folder in left_out):
            continue
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
        digest.update(_without_words(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:_KEY_LENGTH]


def _without_words(source: str) -> str:
    """A module without comments, docstrings and blank lines."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        # a string that stands by itself does nothing, wherever it is
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


@contextmanager
def _without_traces() -> Iterator[None]:
    """
    Keeps what Jsonnet's `std.trace` says off the terminal: the profile announces itself with every config.

    Jsonnet writes it to the process's standard error itself, past `sys.stderr`. Its errors come as exceptions.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _is_encodable(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _jsonnet_message(message: str) -> str:
    """What Jsonnet says, without the stack of files it adds."""
    lines = [line for line in message.splitlines() if not line.startswith("\t")]
    return " ".join(" ".join(lines).split()).removeprefix("RUNTIME ERROR: ")


def _put(config: Any, key: str, value: Any, config_file: Path) -> None:
    """Puts a value at a dotted key, as `allennlp train --overrides` does: all but the last name must be there."""
    *parents, last = key.split(".")
    place = config
    for name in parents:
        place = _entry(place, name, key, config_file)
    if isinstance(place, list):
        place[_position(place, last, key, config_file)] = copy.deepcopy(value)
    elif isinstance(place, dict):
        place[last] = copy.deepcopy(value)
    else:
        raise InputError(f"{config_file}: override {key!r} has no place to go: {'.'.join(parents)} is a single value")


def _entry(place: Any, name: str, key: str, config_file: Path) -> Any:
    if isinstance(place, list):
        return place[_position(place, name, key, config_file)]
    if not isinstance(place, dict) or name not in place:
        raise InputError(f"{config_file}: override {key!r} has no place to go: the config has no {name!r} there")
    return place[name]


def _position(place: list[Any], name: str, key: str, config_file: Path) -> int:
    if not name.isdecimal() or int(name) >= len(place):
        raise InputError(f"{config_file}: override {key!r} has no place to go: {name!r} is no position in that list")
    return int(name)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _texts(entry)


def _with_digests(value: Any, files: Mapping[str, Mapping[str, Any]]) -> Any:
    """The config with each file's name replaced by its content's digest, so that a moved repository stays the same."""
    if isinstance(value, str):
        return {"sha256": files[value]["sha256"]} if value in files else value
    if isinstance(value, list):
        return [_with_digests(entry, files) for entry in value]
    if isinstance(value, dict):
        return {key: _with_digests(entry, files) for key, entry in value.items()}
    return value


def _file_digest(path: Path) -> str:
    stat = path.stat()
    return _digest_of(os.fspath(path), stat.st_size, stat.st_mtime_ns)


@cache
def _digest_of(path: str, _size: int, _changed: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
