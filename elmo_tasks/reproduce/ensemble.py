"""Makes one archive of several: an ensemble that AllenNLP's own commands evaluate and predict with."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from allennlp.common import Params
from allennlp.common.meta import META_NAME, Meta
from allennlp.common.plugins import import_plugins
from allennlp.models import Model, archival
from allennlp.models.model import remove_weights_related_keys_from_params

from elmo_tasks.errors import InputError
from elmo_tasks.nn.ensemble import EnsembleMember

_VOCABULARY = "vocabulary"
_NAMESPACES = "non_padded_namespaces.txt"
_CONFIG = "config.json"
_WEIGHTS = "weights.th"
# What an ensemble has of its members' configs, and what of it must be the same in all of them. The rest is training.
_EQUAL = ("dataset_reader", "validation_dataset_reader")
_OF_THE_FIRST = (*_EQUAL, "data_loader", "validation_data_loader")
_OF_THE_VOCABULARY = ("type", "padding_token", "oov_token")


@dataclass(frozen=True)
class Made:
    """
    What an ensemble's archive holds.

    Attributes
    ----------
    model
        The members' registered name.
    members
        How many there are.
    numbers
        How many numbers their weights are.
    stored
        How many of these are stored: what is equal in several members, a frozen biLM, is stored once.
    """

    model: str
    members: int
    numbers: int
    stored: int

    def __str__(self) -> str:
        return (
            f"{self.members} models of type '{self.model}', {self.numbers:,} numbers, of which "
            f"{self.numbers - self.stored:,} are shared"
        )


@dataclass(frozen=True)
class _Member:
    path: Path
    config: dict[str, Any]
    vocabulary: dict[str, bytes]
    weights: dict[str, torch.Tensor]

    @property
    def model(self) -> str:
        return str(self.config["model"].get("type"))


def make_ensemble(archives: Sequence[Path], output: Path, overwrite: bool = False) -> Made:
    """
    Write the archive of an ensemble.

    Parameters
    ----------
    archives
        The members' archives (``model.tar.gz``), two or more.
    output
        The file to write. It appears when it is complete.
    overwrite
        Whether it may be there already.

    Raises
    ------
    InputError
        If there is only one archive, one cannot be read, or one differs from the first in its kind of model, its
        dataset readers or its vocabulary; if the output is there already, or has no folder.
    """
    if len(archives) < 2:
        raise InputError(f"an ensemble needs two archives or more, found {len(archives)}.")
    if output.exists() and not (overwrite and output.is_file()):
        raise InputError(f"{output} is there already; name another file, or say --force to replace a file.")
    if not output.parent.is_dir():
        raise InputError(f"{output.parent}: there is no such folder.")
    configs: list[dict[str, Any]] = []
    state = _SharedState()
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as aside:
        folder = Path(aside)
        first: _Member | None = None
        for number, path in enumerate(archives):
            member = _read_member(path)
            if first is None:
                first = member
                _check_kind(member)
                (folder / _VOCABULARY).mkdir()
                for name, content in member.vocabulary.items():
                    (folder / _VOCABULARY / name).write_bytes(content)
            else:
                _check_alike(first, member)
            configs.append(_without_sources(member.config["model"]))
            state.add(f"members.{number}.", member.weights)
        assert first is not None
        config = {key: first.config[key] for key in _OF_THE_FIRST if key in first.config}
        vocabulary = first.config.get("vocabulary", {})
        config["vocabulary"] = {key: vocabulary[key] for key in _OF_THE_VOCABULARY if key in vocabulary}
        config["model"] = {"type": "ensemble", "members": configs}
        (folder / _CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
        Meta.new().to_file(folder / META_NAME)
        torch.save(state.tensors, folder / _WEIGHTS)
        archival.archive_model(folder, weights=_WEIGHTS, archive_path=folder / "archive.tar.gz")
        os.replace(folder / "archive.tar.gz", output)
    return Made(first.model, len(configs), state.numbers, state.stored)


class _SharedState:
    """Weights of all members, where tensors of one name and content are one tensor, which torch saves once."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self.numbers = 0
        self.stored = 0
        self._different: dict[str, list[torch.Tensor]] = {}

    def add(self, prefix: str, weights: Mapping[str, torch.Tensor]) -> None:
        for name, tensor in weights.items():
            known = self._different.setdefault(name, [])
            same = next((other for other in known if _are_equal(other, tensor)), None)
            if same is None:
                known.append(tensor)
                self.stored += tensor.numel()
            self.numbers += tensor.numel()
            self.tensors[prefix + name] = tensor if same is None else same


def _are_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(one, other)


def _read_member(path: Path) -> _Member:
    if path.is_dir():
        raise InputError(f"{path}: this is a folder, expected an archive; that of a training is model.tar.gz in there.")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    # Of the module, where the bridge has put one that unpacks into its folder alone.
    with archival.extracted_archive(path) as unpacked:
        folder = Path(unpacked)
        for name in (_CONFIG, _WEIGHTS, _VOCABULARY):
            if not (folder / name).exists():
                raise InputError(f"{path}: this is no archive of a model, there is no {name} in it.")
        try:
            config = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
            kind = config["model"]["type"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: the archive's {_CONFIG} is no config of a model ({error}).") from error
        try:
            weights = torch.load(folder / _WEIGHTS, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever its readers and unpicklers raise
            first_line = next(iter(str(error).splitlines()), type(error).__name__)
            raise InputError(f"{path}: the archive's {_WEIGHTS} cannot be read ({first_line}).") from error
        files = [file for file in (folder / _VOCABULARY).iterdir() if not file.name.startswith(".")]
        vocabulary = {file.name: file.read_bytes() for file in files}
        if _NAMESPACES in vocabulary:
            # A set, which each process writes in an order of its own.
            vocabulary[_NAMESPACES] = b"".join(sorted(vocabulary[_NAMESPACES].splitlines(keepends=True)))
    assert kind
    return _Member(path, config, vocabulary, weights)


def _check_kind(member: _Member) -> None:
    # As the `allennlp` command does: models of any plugin count, ours among them.
    import_plugins()
    known = Model.list_available()
    if member.model not in known:
        raise InputError(f"{member.path}: its model is of type '{member.model}', which is not registered here.")
    kind, _ = Model.resolve_class_name(member.model)
    if not issubclass(kind, EnsembleMember):
        possible = [name for name in known if issubclass(Model.resolve_class_name(name)[0], EnsembleMember)]
        raise InputError(
            f"{member.path}: its model is of type '{member.model}', expected one that can be averaged: "
            f"{', '.join(possible)}."
        )


def _check_alike(first: _Member, other: _Member) -> None:
    if first.model != other.model:
        raise InputError(
            f"{other.path}: its model is of type '{other.model}', but that of {first.path} is of type '{first.model}'."
        )
    for section in _EQUAL:
        for key, values in _differences(first.config.get(section), other.config.get(section), section):
            raise InputError(
                f"{other.path}: {key} is {_shown(values[1])}, but in {first.path} it is {_shown(values[0])}; the "
                "members of an ensemble read the same."
            )
    if first.vocabulary != other.vocabulary:
        names = sorted(first.vocabulary.keys() | other.vocabulary.keys())
        name = next(name for name in names if first.vocabulary.get(name) != other.vocabulary.get(name))
        raise InputError(
            f"{other.path}: its vocabulary is not that of {first.path}, {_VOCABULARY}/{name} differs; train all "
            "members with the same data and word vectors."
        )


def _differences(one: Any, other: Any, key: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Where two configs differ: dotted keys, and both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from _differences(one.get(name), other.get(name), f"{key}.{name}")
    elif one != other:
        yield key, (one, other)


def _shown(value: Any) -> str:
    text = "not there" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _without_sources(model: dict[str, Any]) -> dict[str, Any]:
    """The config without what a saved model does not need: files of vectors, and initial values."""
    params = Params(model)
    remove_weights_related_keys_from_params(params)
    config: dict[str, Any] = params.as_dict(quiet=True)
    return config
