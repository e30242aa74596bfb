"""The `allennlp` command itself, from a folder that is not the repository, and the official figures of its files."""

import json
import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def environment(tiny_profile: Path) -> dict[str, str]:
    return {"ELMO_TASKS_PROFILE": str(tiny_profile), "ELMO_TASKS_SEED": "7"}


def test_train_evaluate_predict_and_score(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run, archive = tmp_path / "run", tmp_path / "run" / "model.tar.gz"
    config = repository / "experiments" / "coref" / "elmo.jsonnet"
    # documents that a few epochs suffice for
    sample = (repository / "fixtures" / "sample" / "coref" / "dev.gold_conll").read_text(encoding="utf-8")
    data = tmp_path / "six.gold_conll"
    data.write_text("".join(part + "#end document\n" for part in sample.split("#end document\n")[:6]), encoding="utf-8")
    changes = {f"{part}_data_path": str(data) for part in ("train", "validation", "test")}
    changes |= {
        "trainer.num_epochs": 25,
        "model.spans_per_word": 1.0,
        "model.encoder.hidden_size": 16,
        "model.hidden_dims": [16, 16],
    }
    changes |= {"model.lexical_dropout": 0.1, "model.max_span_width": 3, "trainer.patience": None}
    options = ["-s", run, "-o", json.dumps(changes)]
    trained = run_command("allennlp", "train", config, *options, folder=elsewhere, environment=environment)
    assert trained.returncode == 0, trained.stderr
    log = (run / "out.log").read_text(encoding="utf-8")
    assert log.index("Profile 'tiny' (set by ELMO_TASKS_PROFILE): for tests") < log.index("Beginning training.")
    assert "six.gold_conll: 6 documents, 6 of them without speakers" in log
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert 0 < metrics["test_f1"] <= 1

    # without the profile: the archive has everything but the data; both commands write what the scorer reads
    official, scores = tmp_path / "official.conll", tmp_path / "scores.json"
    evaluation = json.dumps({"evaluation": {"type": "official"}})
    options = ["--output-file", scores, "--predictions-output-file", official, "-o", evaluation]
    evaluated = run_command("allennlp", "evaluate", archive, data, *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr
    f1 = json.loads(scores.read_text(encoding="utf-8"))["f1"]
    assert f1 == metrics["test_f1"]
    scored = run_command("elmo-tasks", "score", "coref", data, official, "--json", folder=elsewhere)
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["conll"] == pytest.approx(100 * f1, abs=1e-9)
    predicted = tmp_path / "predicted.conll"
    options = ["--use-dataset-reader", "--predictor", "official", "--output-file", predicted, "--silent"]
    result = run_command("allennlp", "predict", archive, data, *options, folder=elsewhere)
    assert result.returncode == 0, result.stderr
    assert predicted.read_bytes() == official.read_bytes()

    requests = tmp_path / "requests.jsonl"
    requests.write_text(json.dumps({"document": "Mara sold it. She left."}) + "\n", encoding="utf-8")
    options = ["--predictor", "paper_coref_brackets", "--output-file", tmp_path / "marked.txt", "--silent"]
    result = run_command("allennlp", "predict", archive, requests, *options, folder=elsewhere)
    assert result.returncode == 0, result.stderr
    marked = (tmp_path / "marked.txt").read_text(encoding="utf-8")
    assert re.sub(r"\[|\][0-9]+", "", marked) == "Mara sold it. She left.\n"


def test_a_bad_row_ends_training_with_one_sentence(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "train.gold_conll"
    rows = "a/b 0 0 It XX * - - - - * (0\na/b 0 1 is XX * - - - - * -\n"
    broken.write_text(f"#begin document (a/b); part 000\n{rows}\n#end document\n", encoding="utf-8")
    config = repository / "experiments" / "coref" / "baseline.jsonnet"
    overrides = json.dumps({"train_data_path": str(broken)})
    result = run_command("allennlp", "train", config, "-s", tmp_path / "run", "-o", overrides, environment=environment)
    assert result.returncode == 2
    last = result.stderr.splitlines()[-1]
    assert "train.gold_conll:2: column 12 (coreference): the mention that begins with '(0' does not end in" in last
    assert "Traceback" not in result.stderr
