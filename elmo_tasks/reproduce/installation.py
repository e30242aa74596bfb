"""
Whether this installation can do what it is for, in sentences.

The work of `elmo-tasks check`, with which `make install` ends. It needs nothing but Python to run, since what it has
to report on may be missing.
"""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import elmo_tasks
from elmo_tasks.extras import ALLENNLP

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
REPAIR = "run `make install` in the project's folder; if that does not help, remove .venv and run it again"

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[^\s;#]+)")
_NAME = re.compile(r"^[A-Za-z0-9_.-]+")
_EXTRA = re.compile(r"""extra == ["'](?P<name>[^"']+)["']""")
_LINES_OF_TRACE = 3


@dataclass(frozen=True)
class Finding:
    """
    One thing that was looked at.

    Parameters
    ----------
    is_well
        Whether it can stay as it is.
    what
        What was found.
    remedy
        What to do about it; empty where nothing is wrong.
    """

    is_well: bool
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = "ok   " if self.is_well else "WRONG"
        return f"{mark}  {self.what}" + (f"\n       To put it right: {self.remedy}." if self.remedy else "")


def check() -> Iterator[Finding]:
    """Looks at everything, cheapest first; each finding is yielded as soon as it is known."""
    yield check_python()
    yield check_versions()
    yield check_hook()
    yield from check_program()


def check_python() -> Finding:
    """Whether this Python is one of those that are supported."""
    what = f"Python {platform.python_version()} in {sys.prefix}"
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        return Finding(True, what)
    return Finding(
        False,
        f"{what}: it has to be 3.{OLDEST_PYTHON[1]} to 3.{NEWEST_PYTHON[1]}",
        "install one of these, remove .venv and run `make install PYTHON=python3.11`",
    )


def needed_packages() -> set[str]:
    """The packages without which this one does not work with AllenNLP, as our metadata names them, and AllenNLP."""
    names = {ALLENNLP.partition("==")[0]}
    for requirement in importlib.metadata.requires("elmo-tasks") or ():
        extra = _EXTRA.search(requirement)
        if extra is None or extra["name"] == "allennlp":
            names.add(_NAME.match(requirement)[0])  # type: ignore[index]  # each begins with a name
    return names


def tested_versions() -> dict[str, str]:
    """The versions that the tests run with, as requirements.txt has them; without a checkout AllenNLP's alone."""
    name, _, version = ALLENNLP.partition("==")
    versions = {name: version}
    requirements = Path(elmo_tasks.__file__).parent.parent / "requirements.txt"
    if requirements.exists():
        for line in requirements.read_text(encoding="utf-8").splitlines():
            if pinned := _PINNED.match(line):
                versions[pinned["name"]] = pinned["version"]
    return versions


def check_versions() -> Finding:
    """Whether every package is installed; versions other than the tested ones are named, and are no fault."""
    needed, tested = needed_packages(), tested_versions()
    missing, others = [], []
    for name in sorted(needed | set(tested)):
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name in needed:
                missing.append(name)
            else:
                others.append(f"no {name}")
            continue
        # A build for CPU or CUDA says so behind a plus sign.
        if name in tested and found.partition("+")[0] != tested[name]:
            others.append(f"{name} {found} (tested: {tested[name]})")
    if missing:
        return Finding(False, f"these packages are not installed: {', '.join(missing)}", REPAIR)
    if others:
        return Finding(True, f"all packages that are needed, but not quite the tested set: {', '.join(others)}")
    return Finding(True, f"{len(tested)} packages, in the tested versions")


def check_hook() -> Finding:
    """Whether the bridge was put in place when this Python started."""
    if any(type(finder).__name__ == "AllenNLPFinder" for finder in sys.meta_path):
        return Finding(True, "the bridge to AllenNLP is in place")
    if os.environ.get("ELMO_TASKS_NO_HOOK") == "1":
        return Finding(
            False, "the bridge to AllenNLP is switched off by ELMO_TASKS_NO_HOOK=1", "unset ELMO_TASKS_NO_HOOK"
        )
    return Finding(False, "the bridge to AllenNLP (elmo_tasks_bridge.pth) did not act when Python started", REPAIR)


def check_program() -> Iterator[Finding]:
    """Whether `allennlp`, started in an empty folder, knows the plugin and can run ELMo; takes some seconds."""
    program = Path(sysconfig.get_path("scripts")) / "allennlp"
    if not program.exists():
        yield Finding(False, f"there is no program {program}", REPAIR)
        return
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [program, "elmo-check", "--inside-allennlp"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        yield Finding(True, "`allennlp` runs, in any folder, and has loaded the plugin")
        for line in done.stdout.splitlines():
            yield Finding(True, line.removeprefix("ok").strip())
        return
    if "invalid choice: 'elmo-check'" in done.stderr:
        yield Finding(False, "`allennlp` runs but has not loaded the plugin elmo_tasks.plugin", REPAIR)
        return
    said = "\n         ".join((done.stdout + done.stderr).strip().splitlines()[-_LINES_OF_TRACE:])
    yield Finding(False, f"`allennlp elmo-check` ended with status {done.returncode}:\n         {said}", REPAIR)


def check_inside_allennlp() -> Iterator[Finding]:
    """One forward pass of a tiny biLM of random weights, from text through AllenNLP's own classes."""
    import torch
    from allennlp.common import Params
    from allennlp.data import TokenIndexer, Vocabulary
    from allennlp.data.batch import Batch
    from allennlp.data.fields import TextField
    from allennlp.data.instance import Instance
    from allennlp.data.tokenizers import WhitespaceTokenizer
    from allennlp.modules.token_embedders import TokenEmbedder

    from elmo_tasks.bilm import BiLM, BiLMOptions

    options = BiLMOptions(
        filters=((1, 4), (2, 4)), character_dim=4, num_highway=1, cell_dim=8, projection_dim=4, num_lstm_layers=2
    )
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder, "weights.hdf5")
        BiLM(options).save_weights(weights)
        embedder = TokenEmbedder.from_params(
            Params({"type": "bilm", "options": options.to_dict(), "weights_file": str(weights)})
        )
    indexer = TokenIndexer.from_params(Params({"type": "bilm_characters"}))
    tokens = WhitespaceTokenizer().tokenize("ELMo reads whole sentences .")
    batch = Batch([Instance({"text": TextField(tokens, {"elmo": indexer})})])
    batch.index_instances(Vocabulary())
    vectors = embedder(**batch.as_tensor_dict()["text"]["elmo"])
    expected = (1, len(tokens), options.layer_dim)
    is_well = tuple(vectors.shape) == expected and bool(torch.isfinite(vectors).all())
    yield Finding(
        is_well,
        f"one forward pass of ELMo gives vectors of shape {tuple(vectors.shape)} (torch {torch.__version__})",
        "" if is_well else f"expected finite numbers of shape {expected}; {REPAIR}",
    )
