"""Training configurations: defaults of the original, paths, and every mistake with its key."""

import json
from pathlib import Path
from typing import Any

import pytest

from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.errors import InputError
from tests.bilm.training.conftest import MODEL, WriteConfig

NAN = float("nan")


def test_defaults_are_those_of_the_original() -> None:
    config = TrainingConfig(corpus=("x",), output="out", model=MODEL)
    assert (config.batch_size, config.unroll_steps, config.negative_samples, config.epochs) == (128, 20, 8192, 10)
    assert (config.dropout, config.learning_rate, config.max_gradient_norm) == (0.1, 0.2, 10.0)
    assert config.state_reset_probability == 0.0


def test_paths_are_taken_from_the_files_folder(write_config: WriteConfig, monkeypatch, tmp_path: Path) -> None:
    path = write_config(vocabulary="words/v.txt", heldout={"a": "heldout.txt"}, corpus=["a-*.txt", "/data/b.txt"])
    folder = str(path.parent)
    config = TrainingConfig.from_file(path)
    assert config.corpus == (f"{folder}/a-*.txt", "/data/b.txt")
    assert config.output == f"{folder}/out"
    assert config.vocabulary == f"{folder}/words/v.txt"
    assert config.heldout == {"a": f"{folder}/heldout.txt"}


def test_jsonnet(write_config: WriteConfig) -> None:
    pytest.importorskip("_jsonnet", reason="Jsonnet is optional in training")
    write_config("base.json")
    path = write_config("wide.jsonnet")
    path.write_text("(import 'base.json') + { local twice = 2, batch_size: 4 * twice, model+: { lstm+: { dim: 32 } } }")
    config = TrainingConfig.from_file(path)
    assert (config.batch_size, config.options.cell_dim, config.options.projection_dim) == (8, 32, 8)
    path.write_text("{ batch_size: }")
    with pytest.raises(InputError, match=r"wide.jsonnet: not valid Jsonnet \(STATIC ERROR"):
        TrainingConfig.from_file(path)


def test_jsonnet_where_it_is_not_installed(write_config: WriteConfig, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "_jsonnet", None)
    with pytest.raises(InputError, match=r"c.jsonnet: Jsonnet is not installed; run 'pip install jsonnet' or write"):
        TrainingConfig.from_file(write_config("c.jsonnet"))
    assert TrainingConfig.from_file(write_config("c.json")).batch_size == 4


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"dropuot": 0.1}, "unknown key 'dropuot'; did you mean 'dropout'?"),
    ({"n_epochs": 3}, "unknown key 'n_epochs'; did you mean 'epochs'?"),
    ({"colour": 3}, "unknown key 'colour'; known keys: corpus, output, model, start_from, vocabulary"),
    ({"corpus": ...}, "the key 'corpus' is missing"),
    ({"output": ...}, "the key 'output' is missing"),
    ({"model": ...}, "the key 'model' is missing"),
    ({"corpus": []}, "corpus is [], expected the name or pattern of the shards, or a list of them"),
    ({"corpus": {"a": 1}}, "corpus is {'a': 1}, expected"),
    ({"corpus": ["a", 3]}, "corpus is ['a', 3], expected"),
    ({"output": 3}, "output is 3, expected the name of a folder"),
    ({"vocabulary": 50000}, "vocabulary is 50000, expected the name of a file"),
    ({"vocabulary_size": "many"}, "vocabulary_size is 'many', expected a whole number of at least 4"),
    ({"vocabulary_size": 3}, "vocabulary_size is 3, expected a whole number of at least 4"),
    ({"dropout": "0.1"}, "dropout is '0.1', expected a number of at least 0 and less than 1"),
    ({"dropout": 1}, "dropout is 1, expected a number of at least 0 and less than 1"),
    ({"learning_rate": NAN}, "learning_rate is nan, expected a number of at least 0"),
    ({"learning_rate": -0.2}, "learning_rate is -0.2, expected"),
    ({"max_gradient_norm": None}, "max_gradient_norm is None, expected"),
    ({"batch_size": 0}, "batch_size is 0, expected a whole number of at least 1"),
    ({"batch_size": 12.5}, "batch_size is 12.5, expected a whole number"),
    ({"unroll_steps": True}, "unroll_steps is True, expected a whole number"),
    ({"state_reset_probability": 1.5}, "state_reset_probability is 1.5, expected a number"),
    ({"negative_samples": -1}, "negative_samples is -1, expected a whole number of at least 0"),
    ({"epochs": float("inf")}, "epochs is inf, expected a number"),
    ({"epochs": "ten"}, "epochs is 'ten', expected a number"),
    ({"seed": "x"}, "seed is 'x', expected a whole number"),
    ({"heldout": "heldout.txt"}, "heldout is 'heldout.txt', expected an object of names and files"),
    ({"heldout": {"a": 3}}, "heldout is {'a': 3}, expected an object of names and files"),
    ({"heldout_sentences": 0}, "heldout_sentences is 0, expected a whole number of at least 1"),
    ({"evaluate_every": 0.5}, "evaluate_every is 0.5, expected a whole number"),
    ({"checkpoint_minutes": "5"}, "checkpoint_minutes is '5', expected a number"),
    ({"log_every": 0}, "log_every is 0, expected a whole number of at least 1"),
    ({"threads": 0}, "threads is 0, expected a whole number of at least 1"),
    ({"device": "gpu"}, "device is 'gpu', expected 'cpu', 'cuda' or 'cuda:NUMBER'"),
    ({"weights_dtype": "bfloat16"}, "weights_dtype is 'bfloat16', expected 'float32' or 'float16'"),
    ({"precision": "float16"}, "precision is 'float16', expected 'float32' or 'bfloat16'"),
    ({"cooldown_epochs": -1}, "cooldown_epochs is -1, expected a number of at least 0"),
    ({"gradient_accumulation": 0}, "gradient_accumulation is 0, expected a whole number of at least 1"),
    ({"gradient_accumulation": 3}, "gradient_accumulation is 3, expected a divisor of batch_size, which is 4"),
    ({"gradient_accumulation": 3, "batch_size": ...}, "expected a divisor of batch_size, which is 128"),
    ({"tensorboard": "yes"}, "tensorboard is 'yes', expected true or false"),
    ({"shuffle_words": 1}, "shuffle_words is 1, expected true or false"),
    ({"model": [1]}, "model: expected a JSON object with 'lstm' and 'char_cnn', found list"),
    ({"model": {**MODEL, "lstm": {**MODEL["lstm"], "dim": -1}}}, "model: lstm.dim is -1, expected a whole number"),
    ({"model": {"lstm": MODEL["lstm"]}}, "model: no 'char_cnn' object"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES, ids=[message[:45] for _, message in MISTAKES])
def test_mistakes_name_file_and_key(changes: dict[str, Any], message: str, write_config: WriteConfig) -> None:
    path = write_config(**changes)
    with pytest.raises(InputError) as caught:
        TrainingConfig.from_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the configuration cannot be read .*No such file"),
        ("[1]", "expected a JSON object, found list"),
        ('{"corpus": "x",\n  oops}', r"config.json:2: not valid JSON"),
        ("", "not valid JSON"),
    ],
)
def test_files_that_are_no_configuration(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=message):
        TrainingConfig.from_file(tmp_path / "config.json")


class TestDifferences:
    """Which keys keep a checkpoint from being continued."""

    def saved(self, config: TrainingConfig) -> dict[str, Any]:
        return json.loads(json.dumps(config.to_dict()))

    def test_none_from_itself_or_in_what_moves_no_weight(self, make_config) -> None:
        saved = self.saved(make_config(epochs=1))
        assert make_config(epochs=1).differences(saved) == []
        free = make_config(
            epochs=9,
            cooldown_epochs=1,
            precision="bfloat16",
            tensorboard=True,
            output="elsewhere",
            heldout={"a": "b"},
            log_every=7,
            weights_dtype="float16",
        )
        assert free.differences(saved) == []

    def test_a_corpus_may_move_but_not_change(self, make_config) -> None:
        saved = self.saved(make_config(corpus=["/old/a.txt", "/old/b.txt"], vocabulary="/old/v.txt"))
        moved = make_config(corpus=["/new/a.txt", "/new/b.txt"], vocabulary="/new/v.txt")
        assert moved.differences(saved) == []
        other = make_config(corpus=["/old/a.txt"], vocabulary="/old/w.txt")
        assert other.differences(saved) == ["corpus", "vocabulary"]

    def test_keys_that_decide_weights(self, make_config) -> None:
        saved = self.saved(make_config())
        model = {**MODEL, "lstm": {**MODEL["lstm"], "dim": 17}}
        assert make_config(seed=2, dropout=0.2, model=model).differences(saved) == ["model", "dropout", "seed"]

    def test_a_key_that_is_younger_than_the_checkpoint(self, make_config) -> None:
        saved = self.saved(make_config())
        del saved["state_reset_probability"]
        assert make_config().differences(saved) == []
        assert make_config(state_reset_probability=0.1).differences(saved) == ["state_reset_probability"]
