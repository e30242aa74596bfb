"""What docs/squad.md says of switches holds: each snippet, taken from the page, gives a model of that kind."""

import json
import os
import re
from functools import partial
from pathlib import Path

import pytest
import spacy
from _jsonnet import evaluate_snippet
from allennlp.common import Params
from allennlp.data import DataLoader, DatasetReader
from allennlp.data.batch import Batch
from allennlp.training.util import make_vocab_from_params

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


def test_weights_without_an_average(repository: Path) -> None:
    config = switched(repository, "the last weights themselves, without an average")
    trainer = {"optimizer", "num_epochs", "validation_metric", "callbacks", "checkpointer"}
    assert set(config["trainer"]) == trainer


def test_another_tokenizer(repository: Path, tmp_path: Path) -> None:
    spacy.blank("en").to_disk(tmp_path / "spacy")
    config = switched(repository, "another tokenizer", "baseline")["dataset_reader"]
    config["tokenizer"]["language"] = str(tmp_path / "spacy")
    instance = DatasetReader.from_params(Params(config)).text_to_instance("Who can't?", "“It” can't. Tom's e-mail")
    expected = ["“", "It", "”", "ca", "n't", ".", "Tom", "'s", "e", "-", "mail"]
    assert [token.text for token in instance["passage"].tokens] == expected
    assert [token.text for token in instance["question"].tokens] == ["Who", "ca", "n't", "?"]


def test_batches_of_a_bounded_number_of_tokens(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "squad.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"^    (data_loader: \{ .*max_tokens: 8000.*)$", page, re.MULTILINE)
    snippet = snippet.replace("8000", "150")
    text = f"(import '{repository}/experiments/squad/baseline.jsonnet') + {{ {snippet} }}"
    config = json.loads(evaluate_snippet("page", text, ext_vars=dict(os.environ)))
    vocabulary = make_vocab_from_params(Params(config).duplicate(), tmp_path)
    reader = DatasetReader.from_params(Params(config["dataset_reader"]))
    loader = DataLoader.from_params(Params(config["data_loader"]), reader=reader, data_path=config["train_data_path"])
    loader.index_with(vocabulary)
    sizes = [batch["passage"]["tokens"]["tokens"].shape for batch in loader]
    assert sum(questions for questions, _ in sizes) == 17
    assert len(sizes) > 1
    assert all(questions * longest <= 150 * 1.1 for questions, longest in sizes)


def test_bidaf_of_allennlp_models_with_elmo(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("allennlp_models", reason="allennlp-models is not installed (docs/allennlp-today.md)")
    import allennlp_models.rc.dataset_readers.squad
    import allennlp_models.rc.models.bidaf  # noqa: F401

    monkeypatch.setenv("ELMO_TASKS_FLOOR_DATA", str(repository / "fixtures" / "squad"))
    params = Params.from_file(repository / "experiments" / "stock" / "squad_elmo.jsonnet")
    instances = list(DatasetReader.from_params(params["dataset_reader"].duplicate()).read(params["train_data_path"]))
    model = built(params.as_dict(quiet=True), tmp_path)
    assert model._highway_layer._module._layers[0].in_features == WORDS + CHARACTERS + ELMO
    batch = Batch(instances[:3])
    batch.index_instances(model.vocab)
    model(**batch.as_tensor_dict())["loss"].backward()
    assert model._text_field_embedder.token_embedder_elmo.mix.weights.grad.abs().max() > 0


def test_the_page_has_no_other_snippets(repository: Path) -> None:
    assert len(snippets("squad", repository)) == 8
