"""What docs/squad.md says of switches holds: each snippet, taken from the page, gives a model of that kind."""

from functools import partial
from pathlib import Path

import pytest
import spacy
from allennlp.common import Params
from allennlp.data import DatasetReader

from tests.experiments.switches import built, changed, snippets

pytestmark = pytest.mark.usefixtures("published_paper_profile")

switched = partial(changed, "squad")

WORDS, CHARACTERS, ELMO = 300, 100, 96


def test_places_of_elmo(repository: Path, tmp_path: Path) -> None:
    places = {
        "ELMo at the input alone": (WORDS + CHARACTERS + ELMO, 4 * 180),
        "ELMo at the output alone": (WORDS + CHARACTERS, 4 * (180 + ELMO)),
    }
    for purpose, sizes in places.items():
        model = built(switched(repository, purpose), tmp_path / purpose)
        assert (model.encoder.get_input_dim(), model.bi_attention.get_output_dim()) == sizes, purpose


def test_mixes_of_elmo(repository: Path, tmp_path: Path) -> None:
    top = built(switched(repository, "the biLM's last layer alone"), tmp_path / "top")
    for mix in (top.text_field_embedder.token_embedder_elmo.mix, top.elmo_at_output.mix):
        assert mix.weights is None
        assert mix.gamma.requires_grad
    penalised = built(switched(repository, "λ of the paper's Table 2"), tmp_path / "lambda")
    mixes = [penalised.text_field_embedder.token_embedder_elmo.mix.weights, penalised.elmo_at_output.mix.weights]
    for mix in mixes:
        mix.data.fill_(1.0)
    assert float(penalised.get_regularization_penalty().detach()) == pytest.approx(0.001 * 2 * 3)


def test_the_program_without_elmo(repository: Path, tmp_path: Path) -> None:
    model = built(
        switched(repository, "any of several answers, as the program without ELMo", "baseline"), tmp_path / "1"
    )
    assert model._answers == "all"
    model = built(switched(repository, "the size of the program without ELMo", "baseline"), tmp_path / "2")
    assert model.match.out_features == model.self_attention.merge.out_features == 200


def test_another_tokenizer(repository: Path, tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "spacy")
    config = switched(repository, "another tokenizer", "baseline")["dataset_reader"]
    config["tokenizer"]["language"] = str(tmp_path / "spacy")
    instance = DatasetReader.from_params(Params(config)).text_to_instance("Who can't?", "“It” can't. Tom's e-mail")
    expected = ["“", "It", "”", "ca", "n't", ".", "Tom", "'s", "e", "-", "mail"]
    assert [token.text for token in instance["passage"].tokens] == expected
    assert [token.text for token in instance["question"].tokens] == ["Who", "ca", "n't", "?"]


def test_the_page_has_no_other_snippets(repository: Path) -> None:
    assert len(snippets("squad", repository)) == 7
