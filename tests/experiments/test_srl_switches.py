"""What docs/srl.md says of switches holds: each snippet, taken from the page, gives a model of that kind."""

import json
import os
import re
from functools import partial
from pathlib import Path

import pytest
from _jsonnet import evaluate_snippet

from tests.experiments.switches import built, changed, snippets

pytestmark = pytest.mark.usefixtures("published_paper_profile")

switched = partial(changed, "srl")

WORDS, PREDICATE, ELMO, HIDDEN = 300, 100, 96, 300


def test_places_of_elmo(repository: Path, tmp_path: Path) -> None:
    places = {
        "ELMo at the output alone": (WORDS + PREDICATE, HIDDEN + ELMO),
        "ELMo at the input and the output": (WORDS + ELMO + PREDICATE, HIDDEN + ELMO),
    }
    for purpose, sizes in places.items():
        model = built(switched(repository, purpose), tmp_path / purpose)
        assert (model.encoder.get_input_dim(), model.tag_projection.in_features) == sizes, purpose
        assert model.elmo_at_output.dropout.p == 0.1


def test_mixes_of_elmo(repository: Path, tmp_path: Path) -> None:
    mix = built(
        switched(repository, "the biLM's last layer alone"), tmp_path / "top"
    ).text_field_embedder.token_embedder_elmo.mix
    assert mix.weights is None
    assert mix.gamma.requires_grad
    penalised = built(switched(repository, "λ = 1 of the paper's Table 2"), tmp_path / "lambda")
    penalised.text_field_embedder.token_embedder_elmo.mix.weights.data.fill_(2.0)
    assert float(penalised.get_regularization_penalty().detach()) == pytest.approx(1.0 * 3 * 4)


def test_switches_of_the_network(repository: Path, tmp_path: Path) -> None:
    assert built(switched(repository, "He et al.'s loss"), tmp_path / "1")._loss == "sum"
    assert built(switched(repository, "the F1 of every role"), tmp_path / "2")._role_metrics
    purpose = "AllenNLP's decoding, the greatest sum of probabilities"
    assert not built(switched(repository, purpose), tmp_path / "3")._decodes_logarithms
    for arm, purpose in (("biased", "AllenNLP's bias on the input's product"), ("plain", "He et al.'s loss")):
        encoder = built(switched(repository, purpose, "baseline"), tmp_path / arm).encoder
        assert all((layer.input_bias is not None) == (arm == "biased") for layer in encoder.layers)
        assert len(encoder.layers) == 8


def test_switches_of_the_reader_are_of_training_alone(repository: Path) -> None:
    for purpose, key, value in (
        ("a budget of N predicates", "max_predicates", 9),
        ("training without the sentences that have no predicate", "keep_without_predicate", False),
    ):
        config = switched(repository, purpose)
        assert config["dataset_reader"][key] == value
        assert key not in config["validation_dataset_reader"]


def test_predicates_without_a_verb_are_skipped_in_every_set(repository: Path) -> None:
    config = switched(repository, "official OntoNotes: skip predicates whose column has no `V`")
    assert config["dataset_reader"]["skip_without_verb"] is True
    assert config["validation_dataset_reader"]["skip_without_verb"] is True


def test_the_norm_in_place_of_the_numbers(repository: Path) -> None:
    page = (repository / "docs" / "srl.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"`(trainer\+: [^`]+)`", page)
    text = f"(import '{repository}/experiments/srl/elmo.jsonnet') + {{ {snippet} }}"
    trainer = json.loads(evaluate_snippet("page", text, ext_vars=dict(os.environ)))["trainer"]
    assert trainer["grad_norm"] == 1.0
    assert "grad_clipping" not in trainer


def test_the_page_has_no_other_snippets(repository: Path) -> None:
    assert len(snippets("srl", repository)) == 11
