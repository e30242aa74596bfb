"""What docs/sst5.md says of switches holds: each snippet, taken from the page, gives a model of that kind."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from _jsonnet import evaluate_snippet
from allennlp.common import Params
from allennlp.models import Model
from allennlp.modules.maxout import Maxout
from allennlp.training.util import make_vocab_from_params

pytestmark = pytest.mark.usefixtures("published_paper_profile")

ROW = re.compile(r"^\| (?P<purpose>[^|]+) \| `(?P<snippet>(?:dataset_reader|model)\+: [^`]+)`", re.MULTILINE)


def snippets(repository: Path) -> dict[str, str]:
    page = (repository / "docs" / "sst5.md").read_text(encoding="utf-8")
    return {match["purpose"]: match["snippet"] for match in ROW.finditer(page)}


def changed(repository: Path, purpose: str, arm: str = "elmo") -> dict[str, Any]:
    snippet = snippets(repository)[purpose].replace(": N }", ": 9 }")
    text = f"(import '{repository}/experiments/sst5/{arm}.jsonnet') + {{ {snippet} }}"
    return dict(json.loads(evaluate_snippet("page", text, ext_vars=dict(os.environ))))


def built(config: dict[str, Any], folder: Path) -> Model:
    params = Params(config)
    vocabulary = make_vocab_from_params(params.duplicate(), folder)
    return Model.from_params(params["model"], vocab=vocabulary)


def test_switches_of_the_reader(repository: Path) -> None:
    assert changed(repository, "all subtrees, as AllenNLP")["dataset_reader"]["min_phrase_tokens"] == 1
    budget = changed(repository, "a budget: all roots and N other phrases")
    assert budget["dataset_reader"]["max_phrases"] == 9
    assert "max_phrases" not in budget["validation_dataset_reader"]


def test_a_granularity_is_said_once(repository: Path, tmp_path: Path) -> None:
    config = changed(repository, "positive against negative, or three classes")
    assert {config[part]["granularity"] for part in ("dataset_reader", "validation_dataset_reader", "model")} == {
        "2-class"
    }
    assert built(config, tmp_path).class_names == ("negative", "positive")


def test_switches_of_the_network(repository: Path, tmp_path: Path) -> None:
    maxout = built(
        changed(repository, "the maxout network of AllenNLP's configuration", "baseline"), tmp_path / "maxout"
    )
    assert isinstance(maxout.output._layers, Maxout)
    places = {
        "ELMo at the input alone": (300 + 96, 3 * 600, 4 * 600),
        "ELMo at the output alone": (300, 3 * 1200, 4 * 600),
        # with 1024 numbers of the released ELMo in the place of 96, the last is 6496, as in that port
        "ELMo beside the integrator, as the first port": (300 + 96, 3 * 600, 4 * (600 + 96)),
    }
    for purpose, sizes in places.items():
        model = built(changed(repository, purpose), tmp_path / purpose)
        modules = (model.pre_encode_feedforward, model.integrator, model.output._layers[0])
        assert tuple(module.get_input_dim() for module in modules) == sizes, purpose


def test_the_page_has_no_other_snippets(repository: Path) -> None:
    assert len(snippets(repository)) == 7
