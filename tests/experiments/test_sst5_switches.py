"""What docs/sst5.md says of switches holds: each snippet, taken from the page, gives a model of that kind."""

from functools import partial
from pathlib import Path

import pytest
from allennlp.modules.maxout import Maxout

from tests.experiments.switches import built, changed, snippets

pytestmark = pytest.mark.usefixtures("published_paper_profile")

switched = partial(changed, "sst5")


def test_switches_of_the_reader(repository: Path) -> None:
    assert switched(repository, "all subtrees, as AllenNLP")["dataset_reader"]["min_phrase_tokens"] == 1
    budget = switched(repository, "a budget: all roots and N other phrases")
    assert budget["dataset_reader"]["max_phrases"] == 9
    assert "max_phrases" not in budget["validation_dataset_reader"]


def test_a_granularity_is_said_once(repository: Path, tmp_path: Path) -> None:
    config = switched(repository, "positive against negative, or three classes")
    assert {config[part]["granularity"] for part in ("dataset_reader", "validation_dataset_reader", "model")} == {
        "2-class"
    }
    assert built(config, tmp_path).class_names == ("negative", "positive")


def test_switches_of_the_network(repository: Path, tmp_path: Path) -> None:
    maxout = built(
        switched(repository, "the maxout network of AllenNLP's configuration", "baseline"), tmp_path / "maxout"
    )
    assert isinstance(maxout.output._layers, Maxout)
    places = {
        "ELMo at the input alone": (300 + 96, 3 * 600, 4 * 600),
        "ELMo at the output alone": (300, 3 * 1200, 4 * 600),
        # with 1024 numbers of the released ELMo in the place of 96, the last is 6496, as in that port
        "ELMo beside the integrator, as the first port": (300 + 96, 3 * 600, 4 * (600 + 96)),
    }
    for purpose, sizes in places.items():
        model = built(switched(repository, purpose), tmp_path / purpose)
        modules = (model.pre_encode_feedforward, model.integrator, model.output._layers[0])
        assert tuple(module.get_input_dim() for module in modules) == sizes, purpose


def test_the_page_has_no_other_snippets(repository: Path) -> None:
    assert len(snippets("sst5", repository)) == 7
