"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import pytest

from elmo_tasks.reproduce.items import read_items


@pytest.fixture(scope="module")
def environment(tiny_profile: Path) -> dict[str, str]:
    return {"ELMO_TASKS_PROFILE": str(tiny_profile), "ELMO_TASKS_SEED": "7"}


def test_train_evaluate_predict_and_count_items(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run, archive = tmp_path / "run", tmp_path / "run" / "model.tar.gz"
    config = repository / "experiments" / "snli" / "elmo.jsonnet"
    trained = run_command("allennlp", "train", config, "-s", run, folder=elsewhere, environment=environment)
    assert trained.returncode == 0, trained.stderr
    log = (run / "out.log").read_text(encoding="utf-8")
    assert "train.jsonl: 18 pairs read, 17 instances; skipped: 1 without a label" in log
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))

    # without the profile: the archive has everything but the data
    data = repository / "fixtures" / "snli" / "dev.jsonl"
    scores, predictions = tmp_path / "scores.json", tmp_path / "predictions.json"
    options = ["--output-file", scores, "--predictions-output-file", predictions]
    evaluated = run_command("allennlp", "evaluate", archive, data, *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr
    accuracy = json.loads(scores.read_text(encoding="utf-8"))["accuracy"]
    assert accuracy == metrics["test_accuracy"]
    items = read_items("snli", predictions, data, accuracy)
    assert items is not None
    gained, possible = items.scores()
    assert (len(gained), possible.sum()) == (7, 7)
    assert gained.sum() / 7 == pytest.approx(accuracy)

    # in the official format
    labels = tmp_path / "labels.jsonl"
    options = ["--use-dataset-reader", "--predictor", "official", "--output-file", labels, "--silent"]
    predicted = run_command("allennlp", "predict", archive, data, *options, folder=elsewhere)
    assert predicted.returncode == 0, predicted.stderr
    ids = [json.loads(line)["pairID"] for line in labels.read_text(encoding="utf-8").splitlines()]
    assert ids == [f"dev-{number}" for number in (1, 2, 3, 5, 6, 7, 8)]
    scored = run_command("elmo-tasks", "score", "snli", data, labels, folder=elsewhere)
    assert scored.stdout == f"accuracy: {100 * accuracy:.2f}%  correct: {round(7 * accuracy)} / 7\n"


def test_a_bad_line_ends_training_with_one_sentence(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "train.jsonl"
    lines = (repository / "fixtures" / "snli" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    config = repository / "experiments" / "snli" / "baseline.jsonnet"
    lines[3] = lines[3].replace('"contradiction"', '"contradict"')
    broken.write_text("\n".join(lines), encoding="utf-8")
    overrides = json.dumps({"train_data_path": [str(broken)]})
    result = run_command("allennlp", "train", config, "-s", tmp_path / "run", "-o", overrides, environment=environment)
    assert result.returncode == 2
    assert (
        "train.jsonl:4: \"gold_label\" is 'contradict', expected one of entailment," in result.stderr.splitlines()[-1]
    )
    assert "Traceback" not in result.stderr
