"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import numpy as np
import pytest

from elmo_tasks.reproduce.items import read_items
from elmo_tasks.scoring.conlleval import score_lines


@pytest.fixture(scope="module")
def environment(tiny_profile: Path) -> dict[str, str]:
    return {"ELMO_TASKS_PROFILE": str(tiny_profile), "ELMO_TASKS_SEED": "7"}


def test_train_evaluate_and_count_items(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run, archive = tmp_path / "run", tmp_path / "run" / "model.tar.gz"
    config = repository / "experiments" / "ner" / "elmo.jsonnet"
    # enough for a score that is not nought
    longer = json.dumps({"trainer.num_epochs": 30, "trainer.optimizer.lr": 0.03, "model.dropout": 0.1})
    options = ["-s", run, "-o", longer]
    trained = run_command("allennlp", "train", config, *options, folder=elsewhere, environment=environment)
    assert trained.returncode == 0, trained.stderr
    log = (run / "out.log").read_text(encoding="utf-8")
    assert log.index("Profile 'tiny' (set by ELMO_TASKS_PROFILE): for tests") < log.index("Beginning training.")
    assert "train.txt: 12 sentences of 3 documents" in log
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert 0 < metrics["test_f1"] < 1

    # without the profile: the archive has everything but the data
    data = repository / "fixtures" / "ner" / "dev.txt"
    scores, predictions = tmp_path / "scores.json", tmp_path / "predictions.json"
    options = ["--output-file", scores, "--predictions-output-file", predictions]
    evaluated = run_command("allennlp", "evaluate", archive, data, *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr
    f1 = json.loads(scores.read_text(encoding="utf-8"))["f1"]
    assert f1 == metrics["test_f1"]
    items = read_items("ner", predictions, data, f1)
    assert items is not None
    gained, possible = items.scores()
    assert len(gained) == 6
    assert gained.sum() / possible.sum() == pytest.approx(f1, abs=1e-9)
    assert np.all(gained <= possible)

    # both commands write what conlleval reads, and that gives the same figure
    official = tmp_path / "official.txt"
    options = ["--predictions-output-file", official, "-o", json.dumps({"evaluation": {"type": "official"}})]
    evaluated = run_command("allennlp", "evaluate", archive, data, *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr
    with official.open("rb") as file:
        scored, warnings = score_lines(enumerate(file, start=1))
    assert not warnings
    assert scored.overall.f1 / 100 == pytest.approx(f1, abs=1e-12)
    predicted = tmp_path / "predicted.txt"
    options = ["--use-dataset-reader", "--predictor", "official", "--output-file", predicted, "--silent"]
    result = run_command("allennlp", "predict", archive, data, *options, folder=elsewhere)
    assert result.returncode == 0, result.stderr
    assert predicted.read_bytes() == official.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_bad_row_ends_training_with_one_sentence(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "train.txt"
    broken.write_text("Anna NNP I-NP I-PER\n" * 16 + "visits VBZ O\n", encoding="utf-8")
    config = repository / "experiments" / "ner" / "baseline.jsonnet"
    overrides = json.dumps({"train_data_path": str(broken)})
    result = run_command("allennlp", "train", config, "-s", tmp_path / "run", "-o", overrides, environment=environment)
    assert result.returncode == 2
    assert "train.txt:17: found 3 columns ('visits VBZ O'), expected 4" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
