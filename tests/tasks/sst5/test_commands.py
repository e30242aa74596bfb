"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def environment(tiny_profile: Path) -> dict[str, str]:
    return {"ELMO_TASKS_PROFILE": str(tiny_profile), "ELMO_TASKS_SEED": "7"}


def test_train_evaluate_and_predict_from_any_folder(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run, archive = tmp_path / "run", tmp_path / "run" / "model.tar.gz"
    config = repository / "experiments" / "sst5" / "elmo.jsonnet"
    trained = run_command("allennlp", "train", config, "-s", run, folder=elsewhere, environment=environment)
    assert trained.returncode == 0, trained.stderr
    assert "elmo_tasks uses the profile tiny: for tests" in trained.stderr
    log = (run / "out.log").read_text(encoding="utf-8")
    assert log.index("Profile 'tiny' (set by ELMO_TASKS_PROFILE): for tests") < log.index("Beginning training.")
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert json.loads((run / "config.json").read_text(encoding="utf-8"))["pytorch_seed"] == 7

    # without the profile: the archive has everything but the data
    data = repository / "fixtures" / "sst5" / "dev.txt"
    scores, predictions = tmp_path / "scores.json", tmp_path / "predictions.json"
    options = ["--output-file", scores, "--predictions-output-file", predictions]
    evaluated = run_command("allennlp", "evaluate", archive, data, *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(scores.read_text(encoding="utf-8"))["accuracy"] == metrics["test_accuracy"]
    written = [json.loads(line) for line in predictions.read_text(encoding="utf-8").splitlines()]
    labels = [
        label
        for batch in written
        for label in (batch["label"] if isinstance(batch["label"], list) else [batch["label"]])
    ]
    roots = [line[1] for line in data.read_text(encoding="utf-8").splitlines()]
    hits = sum(label == root for label, root in zip(labels, roots, strict=True))
    assert hits / len(roots) == pytest.approx(metrics["test_accuracy"])


def test_a_broken_tree_on_line_17_ends_training_with_one_sentence(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "train.txt"
    broken.write_text("(3 (2 a) (2 b))\n" * 16 + "(3 (2 a) (2 b)\n", encoding="utf-8")
    config = repository / "experiments" / "sst5" / "baseline.jsonnet"
    overrides = json.dumps({"train_data_path": str(broken)})
    result = run_command("allennlp", "train", config, "-s", tmp_path / "run", "-o", overrides, environment=environment)
    assert result.returncode == 2
    assert "train.txt:17: column 15: expected a closing bracket" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


def test_an_unknown_profile_ends_training_with_one_sentence(run_command, repository: Path, tmp_path: Path) -> None:
    config = repository / "experiments" / "sst5" / "baseline.jsonnet"
    unknown = {"ELMO_TASKS_PROFILE": "sampel"}
    result = run_command("allennlp", "train", config, "-s", tmp_path / "run", environment=unknown)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: ELMO_TASKS_PROFILE is 'sampel', which is no profile;")
    assert not (tmp_path / "run").exists()
