"""What docs/snli.md says of switches holds: each snippet, taken from the page, gives a model of that kind."""

from functools import partial
from pathlib import Path

import pytest
import torch
from allennlp.common import Params
from allennlp.data import DatasetReader

from tests.experiments.switches import built, changed, snippets

pytestmark = pytest.mark.usefixtures("published_paper_profile")

switched = partial(changed, "snli")

WORDS, ELMO = 300, 96
ALLENNLP = "AllenNLP's configuration with ELMo, over `elmo_only.jsonnet`"
NO_LAYER_NORM = "probabilities that depend on the pair alone: no layer norm"


def test_words_of_the_parses(repository: Path) -> None:
    config = switched(repository, "the words of SNLI's parses, as the original program", "baseline")
    reader = DatasetReader.from_params(Params(config["dataset_reader"]))
    instances = list(reader.read(str(repository / "fixtures" / "snli" / "train.jsonl")))
    assert instances[6]["metadata"]["premise"][3:7] == ["-LRB-", "from", "Lyon", "-RRB-"]


def test_switches_of_the_network(repository: Path, tmp_path: Path) -> None:
    learned = built(
        switched(repository, "word vectors that learn, as AllenNLP and the original program", "baseline"),
        tmp_path / "1",
    )
    assert learned.text_field_embedder.token_embedder_tokens.weight.requires_grad
    tanh = built(switched(repository, "tanh in the classifier, as the original program", "baseline"), tmp_path / "2")
    assert isinstance(tanh.output_feedforward._activations[0], torch.nn.Tanh)
    assert isinstance(tanh.projection_feedforward._activations[0], torch.nn.ReLU)
    places = {
        "ELMo at the input alone": (WORDS + ELMO, 4 * 600),
        "ELMo at the output alone": (WORDS, 4 * (600 + ELMO)),
        NO_LAYER_NORM: (WORDS + ELMO, 4 * (600 + ELMO)),
    }
    for purpose, sizes in places.items():
        model = built(switched(repository, purpose), tmp_path / purpose[:20])
        assert (model.encoder.get_input_dim(), model.projection_feedforward.get_input_dim()) == sizes, purpose
    assert not model.text_field_embedder.token_embedder_elmo.mix.do_layer_norm
    assert not model.elmo_at_output.mix.do_layer_norm


def test_allennlps_configuration(repository: Path, tmp_path: Path) -> None:
    config = switched(repository, ALLENNLP, "elmo_only")
    assert config["trainer"]["grad_norm"] == 10.0
    model = built(config, tmp_path)
    assert (model.encoder.get_input_dim(), model.projection_feedforward.get_input_dim()) == (ELMO, 4 * 600)
    assert model._attention_dropout.p == 0.0
    assert model.get_regularization_penalty() in (None, 0.0)
    assert not model.text_field_embedder.token_embedder_elmo.mix.do_layer_norm


def test_the_page_has_no_other_snippets(repository: Path) -> None:
    assert len(snippets("snli", repository)) == 7
