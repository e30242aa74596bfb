"""
Profiles: the one place a user sets where data, word vectors and biLM come from.

``ELMO_TASKS_PROFILE`` names a profile of ``experiments/profiles`` or is the path of the user's own Jsonnet file. The
plugin calls ``publish`` when AllenNLP loads it, that is before AllenNLP reads a config. AllenNLP hands the environment
to Jsonnet, so that ``experiments/profile.libsonnet`` finds there what was published: checked, with absolute paths, and
with a sentence for the user in the place of everything that cannot be used. A config fails only over what it uses.

This module imports neither torch nor allennlp.
"""

import difflib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from elmo_tasks.errors import InputError
from elmo_tasks.formats.files import read_lines

PROFILE_VARIABLE = "ELMO_TASKS_PROFILE"
DATA_VARIABLE = "ELMO_TASKS_DATA"
SEED_VARIABLE = "ELMO_TASKS_SEED"
PUBLISHED_VARIABLE = "ELMO_TASKS_PROFILE_JSON"

DEFAULT_PROFILE = "sample"
DEFAULT_SEED = "13370"

_REPOSITORY = Path(__file__).resolve().parents[2]
_PROFILES = _REPOSITORY / "experiments" / "profiles"
_BILM_ENTRIES = ("bilm", "bilm_random", "bilm_shuffled")
_VECTOR_KEYS = ("file", "dim", "lowercase", "map_treebank_tokens", "where")
_BILM_KEYS = ("options_file", "weights_file", "map_treebank_tokens", "where")
# Every other key of a task is the path of one of its files, under the name that the task's configs use.
_TASK_KEYS = ("where", "sizes", "training")
_TRAINING_KEYS = (
    "dataset_reader",
    "validation_dataset_reader",
    "data_loader",
    "validation_data_loader",
    "trainer",
)
_TOP_KEYS = ("name", "description", "word_vectors", "word_vectors_2", *_BILM_ENTRIES, "tasks")


def publish(profile: str | None = None) -> None:
    """
    Resolve a profile and put it into the environment for Jsonnet; never raises.

    What is wrong with it is published as ``{"error": sentence}`` and shown by the first config that asks for it, so
    that commands without a config are not disturbed. Sets the default of ``ELMO_TASKS_SEED`` too.

    Parameters
    ----------
    profile
        name or path; ``None`` takes ``ELMO_TASKS_PROFILE``, or ``sample`` where that is not set.
    """
    os.environ.setdefault(SEED_VARIABLE, DEFAULT_SEED)
    if profile is not None:
        os.environ[PROFILE_VARIABLE] = profile
    try:
        resolved = resolve(os.environ.get(PROFILE_VARIABLE) or DEFAULT_PROFILE)
    except Exception as error:  # whatever it is, only a config that needs the profile may fail over it
        prefix = "" if isinstance(error, InputError) else f"the profile cannot be resolved: {type(error).__name__}: "
        resolved = {"error": f"{prefix}{error}"}
    os.environ[PUBLISHED_VARIABLE] = json.dumps(resolved)


def resolve(profile: str) -> dict[str, Any]:
    """
    Evaluate a profile and check the files it names.

    Returns
    -------
    ``name``, ``description``, ``file``; ``word_vectors`` (``file``, ``dim``, ``lowercase``, ``map_treebank_tokens``),
    and ``word_vectors_2`` where the profile has it; ``bilm``, ``bilm_random``, ``bilm_shuffled`` (``options``: the
    content of the options file, ``weights_file``, ``map_treebank_tokens``); ``tasks`` (paths of the files, ``sizes``,
    ``training``). An entry that cannot be used is
    ``{"error": sentence}``.

    Raises
    ------
    InputError
        If the profile is unknown, cannot be evaluated or is not shaped like one.
    """
    path = profile_path(profile)
    content = _evaluate(path)
    _check_keys(content, _TOP_KEYS, f"{path}")
    name = str(content.get("name", path.stem))
    resolved: dict[str, Any] = {"name": name, "description": str(content.get("description", "")), "file": str(path)}
    resource = _Resources(name, path)
    resolved["word_vectors"] = resource.checked("word_vectors", content.get("word_vectors"), resource.word_vectors)
    if "word_vectors_2" in content:
        resolved["word_vectors_2"] = resource.checked(
            "word_vectors_2", content["word_vectors_2"], resource.word_vectors
        )
    for entry in _BILM_ENTRIES:
        resolved[entry] = resource.checked(entry, content.get(entry), resource.bilm)
    tasks = content.get("tasks", {})
    if not isinstance(tasks, dict):
        raise InputError(f"{path}: tasks is {tasks!r}, expected an object with one entry a task.")
    resolved["tasks"] = {task: resource.checked(f"tasks.{task}", tasks[task], resource.task) for task in tasks}
    return resolved


def profile_path(profile: str) -> Path:
    """
    The Jsonnet file of a profile's name or path.

    Raises
    ------
    InputError
        If there is none, naming the known ones.
    """
    looks_like_path = os.sep in profile or "/" in profile or profile.endswith((".jsonnet", ".json"))
    if looks_like_path:
        path = Path(profile).expanduser().resolve()
        if not path.is_file():
            raise InputError(f"{PROFILE_VARIABLE} is {profile!r}, but there is no file {path}.")
        return path
    known = sorted(path.stem for path in _PROFILES.glob("*.jsonnet"))
    if profile in known:
        return _PROFILES / f"{profile}.jsonnet"
    if not known:
        raise InputError(
            f"{PROFILE_VARIABLE} is {profile!r}, but this installation has no {_PROFILES}: set it to the path of a "
            "profile's Jsonnet file in a clone of the repository (experiments/profiles)."
        )
    near = difflib.get_close_matches(profile, known, n=1)
    hint = f"did you mean {near[0]!r}? Known" if near else "known"
    raise InputError(
        f"{PROFILE_VARIABLE} is {profile!r}, which is no profile; {hint} are {', '.join(known)}, or give the path of "
        "your own Jsonnet file."
    )


def data_folder() -> Path:
    """``ELMO_TASKS_DATA`` as an absolute path; without it, the folder ``data`` of the repository."""
    given = os.environ.get(DATA_VARIABLE)
    return Path(given).expanduser().resolve() if given else _REPOSITORY / "data"


def vector_dim(path: Path) -> int:
    """
    Size of the vectors of a text file of word vectors, from its first line (the second, if the first is a header).

    Raises
    ------
    InputError
        If these lines do not look like ``word number number ...``.
    """
    first, second = _first_lines(path)
    has_header = len(first.split(" ")) == 2 and all(part.strip().isdigit() for part in first.split(" "))
    numbers = (second if has_header else first).rstrip().split(" ")[1:]
    try:
        floats = [float(number) for number in numbers]
    except ValueError:
        floats = []
    if not floats:
        raise InputError(f"{path}:1: expected a word and its numbers, separated by blanks, found {first[:40]!r}.")
    return len(floats)


def _first_lines(path: Path) -> tuple[str, str]:
    if path.suffix.lower() != ".zip":
        with closing(read_lines(path)) as lines:
            return next(lines, (1, ""))[1], next(lines, (2, ""))[1]
    try:
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as member:
            text = io.TextIOWrapper(member, encoding="utf-8")
            return text.readline(), text.readline()
    except (OSError, zipfile.BadZipFile, IndexError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: the archive of word vectors cannot be read ({error}).") from error


def _evaluate(path: Path) -> dict[str, Any]:
    try:
        from _jsonnet import evaluate_file
    except ImportError as error:
        raise InputError("profiles and configs are Jsonnet; install it: pip install jsonnet") from error
    variables = {key: value for key, value in os.environ.items() if _is_encodable(key) and _is_encodable(value)}
    variables[DATA_VARIABLE] = str(data_folder())
    try:
        content = json.loads(evaluate_file(str(path), ext_vars=variables))
    except RuntimeError as error:
        raise InputError(f"{path}: the profile cannot be evaluated: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: a profile is one object, found {type(content).__name__}.")
    return content


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_keys(content: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
            raise InputError(f"{where}: unknown key {key!r}; {hint}")


def _paths(value: Any) -> list[Any]:
    """The paths in what a task's entry gives: one, a list of several, or an object that says which part of a file."""
    if isinstance(value, dict):
        return [value.get("file")]
    return value if isinstance(value, list) and value else [value]


def _with_paths(value: Any, found: Iterator[str]) -> Any:
    """The same with each path replaced by the next one."""
    if isinstance(value, dict):
        return {**value, "file": next(found)}
    return [next(found) for _ in value] if isinstance(value, list) else next(found)


class _Resources:
    """Turns a profile's entries into checked ones, with sentences that name the profile."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path

    def checked(self, entry: str, content: Any, check: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Any:
        try:
            if content is None:
                raise InputError(f"profile {self._name!r} ({self._path}) has no {entry}; add it there.")
            if not isinstance(content, dict):
                raise InputError(f"{self._path}: {entry} is {content!r}, expected an object.")
            return check(entry, content)
        except InputError as error:
            return {"error": str(error)}

    def word_vectors(self, entry: str, content: dict[str, Any]) -> dict[str, Any]:
        _check_keys(content, _VECTOR_KEYS, f"{self._path}: {entry}")
        (file,) = self._files(entry, content, ("file",))
        dim = vector_dim(Path(file))
        if content.get("dim", dim) != dim:
            raise InputError(f"{self._path}: {entry}.dim is {content['dim']}, but the vectors of {file} have {dim}.")
        lowercase = self._switch(entry, content, "lowercase")
        return {"file": file, "dim": dim, "lowercase": lowercase, **self._mapping(entry, content)}

    def bilm(self, entry: str, content: dict[str, Any]) -> dict[str, Any]:
        _check_keys(content, _BILM_KEYS, f"{self._path}: {entry}")
        options_file, weights_file = self._files(entry, content, ("options_file", "weights_file"))
        try:
            options = json.loads(Path(options_file).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{options_file}: the biLM's options file is not valid JSON ({error}).") from error
        return {"options": options, "weights_file": weights_file, **self._mapping(entry, content)}

    def task(self, entry: str, content: dict[str, Any]) -> dict[str, Any]:
        names = [key for key in content if key not in _TASK_KEYS]
        given = [(name, path) for name in names for path in _paths(content[name])]
        found = iter(self._existing(entry, content, given))
        files = {name: _with_paths(content[name], found) for name in names}
        laid_over = {key: content.get(key, {}) for key in ("sizes", "training")}
        for key, value in laid_over.items():
            if not isinstance(value, dict):
                raise InputError(f"{self._path}: {entry}.{key} is {value!r}, expected an object.")
        _check_keys(laid_over["training"], _TRAINING_KEYS, f"{self._path}: {entry}.training")
        return {**files, **laid_over}

    def _files(self, entry: str, content: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
        return self._existing(entry, content, [(key, content.get(key)) for key in keys])

    def _existing(self, entry: str, content: dict[str, Any], given: list[tuple[str, Any]]) -> list[str]:
        paths = []
        for key, value in given:
            if not isinstance(value, str):
                raise InputError(f"{self._path}: {entry}.{key} is {value!r}, expected a path.")
            paths.append((self._path.parent / Path(value).expanduser()).resolve())
        missing = [path for path in paths if not path.exists()]
        if missing:
            others = f" (and {len(missing) - 1} more of this entry)" if len(missing) > 1 else ""
            where = content.get("where")
            remedy = f" Where to get it: {where}" if where else ""
            raise InputError(
                f"profile {self._name!r} expects {entry} at {missing[0]}{others}, but there is no such file.{remedy} "
                f"(Paths are set in {self._path}; the data folder is {data_folder()}, {DATA_VARIABLE} changes it.)"
            )
        return [str(path) for path in paths]

    def _mapping(self, entry: str, content: dict[str, Any]) -> dict[str, bool]:
        return {"map_treebank_tokens": self._switch(entry, content, "map_treebank_tokens")}

    def _switch(self, entry: str, content: dict[str, Any], key: str) -> bool:
        value = content.get(key, False)
        if not isinstance(value, bool):
            raise InputError(f"{self._path}: {entry}.{key} is {value!r}, expected true or false.")
        return value
