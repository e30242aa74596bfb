"""The switches that a task's page shows: snippets of configs in its tables, evaluated over the task's config."""

import json
import os
import re
from pathlib import Path
from typing import Any

from _jsonnet import evaluate_snippet
from allennlp.common import Params
from allennlp.models import Model
from allennlp.training.util import make_vocab_from_params

_ROW = re.compile(r"^\| (?P<purpose>[^|]+) \| `(?P<snippet>(?:dataset_reader|model|trainer)\+: [^`]+)`", re.MULTILINE)


def snippets(task: str, repository: Path) -> dict[str, str]:
    """The page's snippets by what they are for."""
    page = (repository / "docs" / f"{task}.md").read_text(encoding="utf-8")
    return {match["purpose"]: match["snippet"] for match in _ROW.finditer(page)}


def changed(task: str, repository: Path, purpose: str, arm: str = "elmo") -> dict[str, Any]:
    """The config of an arm with a snippet laid over it."""
    snippet = snippets(task, repository)[purpose].replace(": N }", ": 9 }")
    text = f"(import '{repository}/experiments/{task}/{arm}.jsonnet') + {{ {snippet} }}"
    return dict(json.loads(evaluate_snippet("page", text, ext_vars=dict(os.environ))))


def built(config: dict[str, Any], folder: Path) -> Model:
    """The config's model."""
    params = Params(config)
    vocabulary = make_vocab_from_params(params.duplicate(), folder)
    return Model.from_params(params["model"], vocab=vocabulary)
