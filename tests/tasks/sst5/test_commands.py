"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import pytest

from tests.conftest import RunCommand
from tests.tasks.commands import Commands


def test_train_evaluate_and_predict_from_any_folder(commands: Commands, repository: Path) -> None:
    metrics = commands.train("sst5")
    assert json.loads((commands.run / "config.json").read_text(encoding="utf-8"))["pytorch_seed"] == 7

    data = repository / "fixtures" / "sst5" / "dev.txt"
    scores, predictions = commands.evaluate(data)
    assert scores["accuracy"] == metrics["test_accuracy"]
    written = [json.loads(line) for line in predictions.read_text(encoding="utf-8").splitlines()]
    labels = [
        label
        for batch in written
        for label in (batch["label"] if isinstance(batch["label"], list) else [batch["label"]])
    ]
    roots = [line[1] for line in data.read_text(encoding="utf-8").splitlines()]
    hits = sum(label == root for label, root in zip(labels, roots, strict=True))
    assert hits / len(roots) == pytest.approx(metrics["test_accuracy"])


def test_a_broken_tree_on_line_17_ends_training_with_one_sentence(commands: Commands, tmp_path: Path) -> None:
    broken = tmp_path / "train.txt"
    broken.write_text("(3 (2 a) (2 b))\n" * 16 + "(3 (2 a) (2 b)\n", encoding="utf-8")
    sentence = commands.refusal("sst5", train_data_path=str(broken))
    assert "train.txt:17: column 15: expected a closing bracket" in sentence


def test_an_unknown_profile_ends_training_with_one_sentence(
    run_command: RunCommand, repository: Path, tmp_path: Path
) -> None:
    config = repository / "experiments" / "sst5" / "baseline.jsonnet"
    unknown = {"ELMO_TASKS_PROFILE": "sampel"}
    result = run_command("allennlp", "train", config, "-s", tmp_path / "run", environment=unknown)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: ELMO_TASKS_PROFILE is 'sampel', which is no profile;")
    assert not (tmp_path / "run").exists()
