"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import numpy as np
import pytest

from elmo_tasks.reproduce.items import read_items


@pytest.fixture(scope="module")
def environment(tiny_profile: Path) -> dict[str, str]:
    return {"ELMO_TASKS_PROFILE": str(tiny_profile), "ELMO_TASKS_SEED": "7"}


def test_train_evaluate_score_and_predict(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run, archive = tmp_path / "run", tmp_path / "run" / "model.tar.gz"
    config = repository / "experiments" / "srl" / "elmo.jsonnet"
    # enough for a score that is not nought
    longer = {"trainer.num_epochs": 30, "trainer.optimizer": {"type": "adam", "lr": 0.02}}
    options = ["-s", run, "-o", json.dumps(longer)]
    trained = run_command("allennlp", "train", config, *options, folder=elsewhere, environment=environment)
    assert trained.returncode == 0, trained.stderr
    log = (run / "out.log").read_text(encoding="utf-8")
    assert "train.gold_conll: 2 documents, 10 sentences, 63 tokens; instances: 12 predicates and 2 sentences" in log
    assert "2 gold arguments have a role, or are longer than any of their role" in log
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert 0 < metrics["test_f1"] < 1

    # without the profile: the archive has everything but the data
    data = repository / "fixtures" / "srl" / "dev.gold_conll"
    scores, predictions = tmp_path / "scores.json", tmp_path / "predictions.json"
    options = ["--output-file", scores, "--predictions-output-file", predictions]
    evaluated = run_command("allennlp", "evaluate", archive, data, *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr
    f1 = json.loads(scores.read_text(encoding="utf-8"))["f1"]
    assert f1 == metrics["test_f1"]
    assert "logits" not in json.loads(predictions.read_text(encoding="utf-8").splitlines()[0])
    items = read_items("srl", predictions, data, f1)
    assert items is not None
    gained, possible = items.scores()
    assert len(gained) == 5
    assert gained.sum() / possible.sum() == pytest.approx(f1, abs=1e-9)
    assert np.all(gained <= possible)

    # what srl-eval.pl reads gives the same figure, against props as against the file itself
    official = tmp_path / "official.props"
    options = ["--predictions-output-file", official, "-o", json.dumps({"evaluation": {"type": "official"}})]
    evaluated = run_command("allennlp", "evaluate", archive, data, *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr
    scored = run_command("elmo-tasks", "score", "srl", data, official, "--json")
    assert scored.returncode == 0, scored.stderr
    assert not scored.stderr
    figures = json.loads(scored.stdout)
    assert (figures["sentences"], figures["propositions"]) == (5, 7)
    assert figures["labels"]["Overall"][-1] / 100 == pytest.approx(f1, abs=1e-4)

    requests = tmp_path / "requests.jsonl"
    requests.write_text('{"sentence": "Anna sold the boat."}\n{"tokens": ["Yes"], "predicates": []}\n', "utf-8")
    answers = tmp_path / "answers.jsonl"
    options = ["--output-file", answers, "--silent"]
    asked = run_command("allennlp", "predict", archive, requests, *options, folder=elsewhere)
    assert asked.returncode == 0, asked.stderr
    first, second = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    assert [one["word"] for one in first["predicates"]] == ["sold"]
    assert "sold" in first["predicates"][0]["drawing"]
    assert second["predicates"] == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_bad_row_ends_training_with_one_sentence(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    text = (repository / "fixtures" / "srl" / "train.gold_conll").read_text(encoding="utf-8")
    broken = tmp_path / "train.gold_conll"
    broken.write_text(text.replace("home XX * - - - - * * (ARGM-DIR*)", "home XX * - - - - * * (ARGM-DIR*"), "utf-8")
    config = repository / "experiments" / "srl" / "baseline.jsonnet"
    overrides = json.dumps({"train_data_path": str(broken)})
    result = run_command("allennlp", "train", config, "-s", tmp_path / "run", "-o", overrides, environment=environment)
    assert result.returncode == 2
    sentence = "train.gold_conll:16: column 13 (predicate 'sail' of word 4): the bracket of '(ARGM-DIR*' is not closed"
    assert sentence in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
