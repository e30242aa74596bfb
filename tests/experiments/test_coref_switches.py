"""What docs/coref.md says of switches holds: each snippet, taken from the page, gives a model of that kind."""

import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from _jsonnet import evaluate_snippet
from allennlp.common import Params
from allennlp.data import DatasetReader
from allennlp.data.batch import Batch

from elmo_tasks.reproduce import profile as profiles
from tests.experiments.switches import built, changed, snippets

pytestmark = pytest.mark.usefixtures("published_paper_profile")

switched = partial(changed, "coref")

WORDS, CHARACTERS, ELMO = 300, 150, 96


def test_what_heads_read(repository: Path, tmp_path: Path) -> None:
    model = built(switched(repository, "ELMo in the heads of spans too"), tmp_path / "with")
    assert len(model._in_head) == WORDS + CHARACTERS + ELMO
    assert model.spans.get_output_dim() == 4 * 200 + 20 + WORDS + CHARACTERS + ELMO
    plain = built(changed("coref", repository, "less memory"), tmp_path / "without")
    assert len(plain._in_head) == WORDS + CHARACTERS
    assert plain.encoder.get_input_dim() == WORDS + CHARACTERS + ELMO
    assert plain.pairs.block_size == 8


def test_the_last_layer_alone(repository: Path, tmp_path: Path) -> None:
    model = built(switched(repository, "the biLM's last layer alone"), tmp_path)
    mix = model.text_field_embedder.token_embedder_elmo.mix
    assert mix.weights is None
    assert mix.gamma.requires_grad


def test_lengths_of_word_vectors(repository: Path, tmp_path: Path) -> None:
    of_unit_length = built(config_of(repository, "elmo"), tmp_path / "1")
    as_they_are = built(switched(repository, "word vectors of their own length, not 1"), tmp_path / "2")
    weights = [model.text_field_embedder.token_embedder_tokens.weight[2:] for model in (of_unit_length, as_they_are)]
    lengths = weights[1].norm(dim=1, keepdim=True)
    assert (lengths - 1).abs().max() > 0.1
    torch.testing.assert_close(weights[0] * lengths, weights[1])


def test_sizes(repository: Path, tmp_path: Path) -> None:
    fewer = built(switched(repository, "fewer kept spans"), tmp_path / "1")
    assert (fewer._spans_per_word, fewer._max_spans) == (0.3, 500)
    assert built(switched(repository, "fewer antecedents, as AllenNLP's"), tmp_path / "2").pairs.max_antecedents == 100
    assert built(switched(repository, "the whole document in training"), tmp_path / "3")._max_sentences == 100000


@pytest.mark.parametrize("in_config", [True, False])
def test_a_budget_is_of_training_alone(repository: Path, in_config: bool) -> None:
    file = repository / "experiments" / "coref" / "elmo.jsonnet"
    if in_config:
        budget = "{ dataset_reader+: { max_documents: 4, genre_part: 1 } }"
        config = json.loads(evaluate_snippet("budget", f"(import '{file}') + {budget}", ext_vars=dict(os.environ)))
    else:
        config = Params.from_file(file, {"dataset_reader.max_documents": 4}).as_dict(quiet=True)
    assert config["dataset_reader"]["max_documents"] == 4
    assert config["validation_dataset_reader"] == {**config["dataset_reader"], "max_documents": None}


def test_genres_of_ontogum(repository: Path) -> None:
    config = switched(repository, "genres of OntoGUM", "baseline")
    for key in ("dataset_reader", "validation_dataset_reader"):
        reader = DatasetReader.from_params(Params(config[key]))
        assert {instance["genre"].label for instance in reader.read(config["train_data_path"])} == {"harbour", "tide"}


def test_a_second_table_of_vectors(repository: Path, tmp_path: Path, published_paper_profile: Path) -> None:
    page = (repository / "docs" / "coref.md").read_text(encoding="utf-8")
    line = re.search(
        r"is a line in the profile .*\n\n {4}\(import 'experiments/profiles/paper.jsonnet'\) \+ (.*)\n", page
    )
    assert line is not None
    vectors = repository / "fixtures" / "sst5" / "vectors.txt"
    added = line[1].replace("turian.50d.txt", str(vectors))
    profile = tmp_path / "two_tables.jsonnet"
    # beside the profile's folder, since its paths count from there
    profile.write_text(f"(import '{published_paper_profile}/with_controls.jsonnet') + {added}", encoding="utf-8")
    profiles.publish(str(profile))

    config = config_of(repository, "baseline")
    model = built(config, tmp_path / "baseline")
    assert model.encoder.get_input_dim() == WORDS + 6 + CHARACTERS
    assert len(model._in_head) == WORDS + 6 + CHARACTERS
    weight = model.text_field_embedder.token_embedder_tokens_2.weight
    assert not weight.requires_grad
    assert not weight[:2].any()
    torch.testing.assert_close(weight[2:].norm(dim=1), torch.ones(len(weight) - 2))
    reader = DatasetReader.from_params(Params(config["dataset_reader"]))
    batch = Batch(reader.read(config["train_data_path"]))
    batch.index_instances(model.vocab)
    assert torch.isfinite(model(**batch.as_tensor_dict())["loss"])

    with_elmo = built(config_of(repository, "elmo"), tmp_path / "elmo")
    assert with_elmo.encoder.get_input_dim() == WORDS + 6 + CHARACTERS + ELMO
    alone = built(config_of(repository, "elmo_only"), tmp_path / "elmo_only")
    assert alone.encoder.get_input_dim() == CHARACTERS + ELMO
    trained, widened = (
        sum(parameter.numel() for parameter in each.parameters() if parameter.requires_grad)
        for each in (with_elmo, built(config_of(repository, "widened"), tmp_path / "widened"))
    )
    assert abs(widened - trained) < 0.005 * trained


def config_of(repository: Path, arm: str) -> dict[str, Any]:
    file = repository / "experiments" / "coref" / f"{arm}.jsonnet"
    return dict(json.loads(evaluate_snippet("arm", f"import '{file}'", ext_vars=dict(os.environ))))


def test_the_page_has_no_other_snippets(repository: Path) -> None:
    assert len(snippets("coref", repository)) == 8
