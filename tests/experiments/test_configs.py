"""The arms of an experiment differ by what the paper changed and by nothing else, and every config can be built."""

import fnmatch
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common import Params
from allennlp.data import DatasetReader
from allennlp.data.batch import Batch
from allennlp.models import Model
from allennlp.training.util import make_vocab_from_params

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TASKS = sorted(path.parent.name for path in EXPERIMENTS.glob("*/baseline.jsonnet"))
CONFIGS = sorted(
    path.relative_to(EXPERIMENTS).as_posix() for task in TASKS for path in (EXPERIMENTS / task).glob("*.jsonnet")
)

ELMO_AT_THE_INPUT = [
    "+dataset_reader.token_indexers.elmo.*",
    "+model.text_field_embedder.token_embedders.elmo.*",
    "+model.regularizer.*",
]
# What elmo.jsonnet may change of baseline.jsonnet: + is new, ~ has another value.
ALLOWED: dict[str, list[str]] = {
    "coref": [*ELMO_AT_THE_INPUT[:2], "+validation_dataset_reader.token_indexers.elmo.*"],
    "ner": ELMO_AT_THE_INPUT,
    "srl": [*ELMO_AT_THE_INPUT, "+validation_dataset_reader.token_indexers.elmo.*"],
    "squad": [*ELMO_AT_THE_INPUT[:2], "+model.elmo_at_output.*"],
    "snli": [*ELMO_AT_THE_INPUT, "+model.elmo_at_output.*", "+model.attention_dropout"],
    "sst5": [
        *ELMO_AT_THE_INPUT,
        "+validation_dataset_reader.token_indexers.elmo.*",
        "+model.elmo_at_output.*",
        "~model.embedding_dropout",
    ],
}
# What elmo_only.jsonnet takes away from elmo.jsonnet.
WORD_VECTORS = [
    "-dataset_reader.token_indexers.tokens.*",
    "-validation_dataset_reader.token_indexers.tokens.*",
    "-model.text_field_embedder.token_embedders.tokens.*",
]

pytestmark = pytest.mark.usefixtures("published_paper_profile")


def evaluated(name: str) -> dict[str, Any]:
    return Params.from_file(EXPERIMENTS / name).as_dict(quiet=True)


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix.removesuffix("."): node}
    return {key: value for name, below in node.items() for key, value in flat(below, f"{prefix}{name}.").items()}


def differences(first: str, second: str) -> list[str]:
    before, after = flat(evaluated(first)), flat(evaluated(second))
    return sorted(
        [f"+{key}" for key in after.keys() - before.keys()]
        + [f"-{key}" for key in before.keys() - after.keys()]
        + [f"~{key}" for key in before.keys() & after.keys() if before[key] != after[key]]
    )


def not_covered(found: list[str], allowed: list[str]) -> list[str]:
    return [change for change in found if not any(fnmatch.fnmatchcase(change, pattern) for pattern in allowed)]


@pytest.mark.parametrize("task", TASKS)
def test_elmo_changes_only_what_the_paper_changed(task: str) -> None:
    found = differences(f"{task}/baseline.jsonnet", f"{task}/elmo.jsonnet")
    assert not_covered(found, ALLOWED[task]) == []
    assert [pattern for pattern in ALLOWED[task] if not fnmatch.filter(found, pattern)] == []


@pytest.mark.parametrize("task", TASKS)
def test_elmo_only_removes_the_word_vectors_and_nothing_else(task: str) -> None:
    found = differences(f"{task}/elmo.jsonnet", f"{task}/elmo_only.jsonnet")
    if task == "coref":  # with words gone, the heads of spans read ELMo
        found.remove("+model.elmo_in_head")
    assert not_covered(found, WORD_VECTORS) == []
    readers = {key.partition(".")[0] for key in flat(evaluated(f"{task}/elmo.jsonnet")) if "token_indexers" in key}
    assert len({change.split(".tokens.")[0] for change in found}) == len(readers) + 1


@pytest.mark.parametrize("task", TASKS)
def test_elmo_is_the_baseline_and_a_block(task: str) -> None:
    text = (EXPERIMENTS / task / "elmo.jsonnet").read_text(encoding="utf-8")
    assert "(import 'baseline.jsonnet') + {" in text
    for size in ("hidden_size", "hidden_dim", "input_dim", "input_size", "num_layers"):
        assert size not in text


@pytest.mark.parametrize("task", TASKS)
def test_test_data_is_scored_once_by_the_best_model_on_development_data(task: str) -> None:
    config = evaluated(f"{task}/baseline.jsonnet")
    assert config["evaluate_on_test"] is True
    assert config["datasets_for_vocab_creation"] == ["train"]
    # SQuAD's test set is not published: under the profile `paper` the development set stands for it
    assert (config["validation_data_path"] == config["test_data_path"]) == (task == "squad")
    assert config["trainer"]["checkpointer"]["type"] == "exact_resume"
    assert {config[f"{name}_seed"] for name in ("random", "numpy", "pytorch")} == {13370}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_can_be_built_and_scores_development_data(name: str, tmp_path: Path) -> None:
    params = Params(evaluated(name))
    vocabulary = make_vocab_from_params(params.duplicate(), tmp_path)
    reader = DatasetReader.from_params(params.pop("validation_dataset_reader", None) or params["dataset_reader"])
    model = Model.from_params(params["model"], vocab=vocabulary)
    batch = Batch(reader.read(params["validation_data_path"]))
    batch.index_instances(vocabulary)
    with torch.no_grad():
        loss = float(model.eval()(**batch.as_tensor_dict())["loss"])
    assert 0 < loss < math.inf


def trainable_numbers(name: str, folder: Path) -> int:
    params = Params(evaluated(name))
    vocabulary = make_vocab_from_params(params.duplicate(), folder)
    model = Model.from_params(params["model"], vocab=vocabulary)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("task", TASKS)
def test_the_widened_baseline_has_as_many_trainable_parameters_as_elmo(task: str, tmp_path: Path) -> None:
    arms = ("baseline", "widened", "elmo")
    baseline, widened, elmo = (trainable_numbers(f"{task}/{arm}.jsonnet", tmp_path / arm) for arm in arms)
    assert baseline < 0.98 * elmo
    assert abs(widened - elmo) < 0.005 * elmo


@pytest.mark.parametrize("task", TASKS)
def test_controls_differ_in_one_thing(task: str) -> None:
    embedder = "~model.text_field_embedder.token_embedders.elmo.weights_file"
    assert differences(f"{task}/elmo.jsonnet", f"{task}/random_bilm.jsonnet") == [embedder]
    assert differences(f"{task}/elmo.jsonnet", f"{task}/shuffled_bilm.jsonnet") == [embedder]
    sizes = ("hidden_size", "hidden_dims", "encoders", "num_filters")
    found = differences(f"{task}/baseline.jsonnet", f"{task}/widened.jsonnet")
    assert all(change.startswith("~model.") and change.endswith(sizes) for change in found)


def test_sst5_has_the_values_of_the_paper() -> None:
    """Those of docs/sst5.md, default column; sizes where the paper is silent from AllenNLP's first port."""
    config = flat(evaluated("sst5/elmo.jsonnet"))
    expected = {
        "dataset_reader.phrases": True,
        "dataset_reader.min_phrase_tokens": 4,
        "dataset_reader.granularity": "5-class",
        "model.encoder.hidden_size": 300,
        "model.integrator.hidden_size": 300,
        "model.pre_encode_feedforward.hidden_dims": 300,
        "model.output.type": "relu",
        "model.output.hidden_dims": [1200, 600],
        "model.output.dropout": 0.2,
        "model.text_field_embedder.token_embedders.tokens.trainable": False,
        "model.text_field_embedder.token_embedders.tokens.embedding_dim": 300,
        "model.regularizer.regexes": [["mix.*weights", {"type": "l2", "alpha": 0.001}]],
        "trainer.optimizer.type": "adam",
        "trainer.optimizer.lr": 0.0001,
        "data_loader.batch_sampler.batch_size": 32,
    }
    assert {key: config.get(key) for key in expected} == expected
    assert "validation_dataset_reader.phrases" not in config


def test_squad_has_the_values_of_the_papers_program() -> None:
    """Those of docs/squad.md, with the size of the runs with ELMo in both arms."""
    config = flat(evaluated("squad/elmo.jsonnet"))
    embedders = "model.text_field_embedder.token_embedders"
    expected = {
        "dataset_reader.token_indexers.tokens.lowercase_fallback": True,
        "dataset_reader.token_indexers.tokens.lowercase_tokens": False,
        "dataset_reader.token_indexers.characters.max_characters": 14,
        "vocabulary.min_count.token_characters": 49,
        f"{embedders}.tokens.embedding_dim": 300,
        f"{embedders}.characters.embedding.embedding_dim": 20,
        f"{embedders}.characters.encoder.num_filters": 100,
        f"{embedders}.characters.encoder.ngram_filter_size": 5,
        f"{embedders}.characters.encoder.dropout": 0.2,
        f"{embedders}.elmo.dropout": 0.5,
        "model.elmo_at_output.dropout": 0.5,
        "model.encoder.type": "gru",
        "model.encoder.hidden_size": 90,
        "model.dropout": 0.2,
        "model.max_answer_length": 17,
        "model.answers": "one",
        "data_loader.batch_sampler.batch_size": 45,
        "data_loader.batch_sampler.sorting_keys": ["passage"],
        "data_loader.batch_sampler.drop_last": True,
        "trainer.optimizer.type": "adadelta",
        "trainer.optimizer.lr": 1.0,
        "trainer.optimizer.rho": 0.95,
        "trainer.optimizer.eps": 1e-8,
        "trainer.moving_average.type": "exponential",
        "trainer.moving_average.decay": 0.999,
        "trainer.num_epochs": 24,
        "trainer.validation_metric": "+f1",
    }
    assert {key: config.get(key) for key in expected} == expected
    # no gradient clipping, no early stopping, no layer norm, lambda 0
    absent = ("trainer.grad_norm", "trainer.grad_clipping", "trainer.patience", "model.regularizer.regexes")
    assert not any(key in config for key in (*absent, f"{embedders}.elmo.do_layer_norm", f"{embedders}.elmo.l2"))


def test_snli_has_the_values_of_the_paper() -> None:
    """Those of docs/snli.md, paper's column; schedule and batch where it is silent from AllenNLP's configuration."""
    config = flat(evaluated("snli/elmo.jsonnet"))
    elmo = "model.text_field_embedder.token_embedders.elmo"
    expected = {
        "model.text_field_embedder.token_embedders.tokens.trainable": False,
        "model.encoder.hidden_size": 300,
        "model.projection_feedforward.hidden_dims": 300,
        "model.inference_encoder.hidden_size": 300,
        "model.output_feedforward.hidden_dims": 300,
        "model.projection_feedforward.activations": "relu",
        "model.output_feedforward.activations": "relu",
        "model.dropout": 0.5,
        "model.output_dropout": 0.5,
        "model.attention_dropout": 0.5,
        f"{elmo}.do_layer_norm": True,
        f"{elmo}.dropout": 0,
        "model.elmo_at_output.do_layer_norm": True,
        "model.elmo_at_output.dropout": 0,
        "trainer.optimizer.type": "adam",
        "trainer.optimizer.lr": 0.0004,
        "trainer.grad_norm": 5.0,
        "trainer.learning_rate_scheduler.factor": 0.5,
        "trainer.learning_rate_scheduler.patience": 0,
        "trainer.learning_rate_scheduler.mode": "max",
        "trainer.num_epochs": 75,
        "trainer.patience": 5,
        "data_loader.batch_sampler.batch_size": 32,
    }
    assert {key: config.get(key) for key in expected} == expected
    assert [regularizer["alpha"] for _, regularizer in config["model.regularizer.regexes"]] == [0.001, 0.0001]
    assert "model.attention_dropout" not in flat(evaluated("snli/baseline.jsonnet"))


def test_coref_has_the_values_of_the_paper() -> None:
    """Those of docs/coref.md; what it leaves open is AllenNLP's."""
    config = flat(evaluated("coref/elmo.jsonnet"))
    embedders = "model.text_field_embedder.token_embedders"
    expected = {
        "dataset_reader.token_indexers.tokens.lowercase_tokens": False,
        "vocabulary.only_include_pretrained_words": True,
        f"{embedders}.tokens.unit_length": True,
        f"{embedders}.tokens.embedding_dim": 300,
        f"{embedders}.characters.embedding.embedding_dim": 8,
        f"{embedders}.characters.encoder.num_filters": 50,
        f"{embedders}.characters.encoder.ngram_filter_sizes": [3, 4, 5],
        f"{embedders}.elmo.dropout": 0,
        "model.encoder.type": "coupled_lstm",
        "model.encoder.hidden_size": 200,
        "model.encoder.recurrent_dropout": 0.2,
        "model.hidden_dims": [150, 150],
        "model.feature_dim": 20,
        "model.lexical_dropout": 0.5,
        "model.dropout": 0.2,
        "model.max_span_width": 10,
        "model.spans_per_word": 0.4,
        "model.max_antecedents": 250,
        "model.max_sentences": 50,
        "data_loader.batch_size": 1,
        "trainer.optimizer.type": "adam",
        "trainer.optimizer.lr": 0.001,
        "trainer.learning_rate_scheduler.type": "staircase",
        "trainer.learning_rate_scheduler.factor": 0.999,
        "trainer.learning_rate_scheduler.every": 100,
        "trainer.grad_norm": 5.0,
        "trainer.num_epochs": 150,
        "trainer.patience": 10,
        "trainer.validation_metric": "+f1",
    }
    assert {key: config.get(key) for key in expected} == expected
    # λ is 0, no layer norm, ELMo not in the heads of spans
    assert not any("regularizer" in key or "do_layer_norm" in key or "elmo_in_head" in key for key in config)


def test_ner_has_the_values_of_the_paper() -> None:
    """Those of docs/ner.md, default column; where the paper is silent those of AllenNLP's configuration."""
    config = flat(evaluated("ner/elmo.jsonnet"))
    embedders = "model.text_field_embedder.token_embedders"
    expected = {
        "dataset_reader.file_scheme": "IOB1",
        f"{embedders}.tokens.trainable": True,
        f"{embedders}.characters.embedding.embedding_dim": 16,
        f"{embedders}.characters.encoder.num_filters": 128,
        f"{embedders}.characters.encoder.ngram_filter_sizes": [3],
        f"{embedders}.elmo.dropout": 0,
        "model.dropout": 0.5,
        "model.regularizer.regexes": [["mix.*weights", {"type": "l2", "alpha": 0.1}]],
        "trainer.optimizer.type": "adam",
        "trainer.optimizer.lr": 0.001,
        "trainer.grad_norm": 5.0,
        "trainer.num_epochs": 75,
        "trainer.patience": 25,
        "trainer.validation_metric": "+f1",
        "data_loader.batch_sampler.batch_size": 64,
    }
    assert {key: config.get(key) for key in expected} == expected
    sizes = [
        (encoder["type"], encoder["hidden_size"], encoder["bidirectional"]) for encoder in config["model.encoders"]
    ]
    assert sizes == [("lstm", 200, True), ("lstm", 100, True)]


def test_srl_has_the_values_of_the_paper() -> None:
    """Those of docs/srl.md, default column; where the paper is silent those of AllenNLP's configuration."""
    config = flat(evaluated("srl/elmo.jsonnet"))
    embedders = "model.text_field_embedder.token_embedders"
    expected = {
        "dataset_reader.token_indexers.tokens.lowercase_tokens": True,
        f"{embedders}.tokens.trainable": True,
        f"{embedders}.elmo.dropout": 0.1,
        "model.predicate_dim": 100,
        "model.encoder.type": "alternating_highway_lstm",
        "model.encoder.hidden_size": 300,
        "model.encoder.num_layers": 8,
        "model.encoder.recurrent_dropout": 0.1,
        "model.encoder.input_bias": False,
        "model.loss": "mean",
        "model.regularizer.regexes": [["mix.*weights", {"type": "l2", "alpha": 0.001}]],
        "trainer.optimizer.type": "adadelta",
        "trainer.optimizer.lr": 1.0,
        "trainer.optimizer.rho": 0.95,
        "trainer.optimizer.eps": 1e-6,
        "trainer.grad_clipping": 1.0,
        "trainer.num_epochs": 500,
        "trainer.patience": 200,
        "trainer.validation_metric": "+f1",
        "data_loader.batch_sampler.batch_size": 80,
    }
    assert {key: config.get(key) for key in expected} == expected
    absent = ("trainer.grad_norm", "model.elmo_at_output.dropout", f"{embedders}.elmo.do_layer_norm")
    assert not any(key in config for key in absent)
    readers = [evaluated("srl/elmo.jsonnet")[f"{part}dataset_reader"] for part in ("", "validation_")]
    assert readers[0] == readers[1]
