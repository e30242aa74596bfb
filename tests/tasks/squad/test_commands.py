"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import pytest

from elmo_tasks.scoring.squad import score_documents


@pytest.fixture(scope="module")
def environment(tiny_profile: Path) -> dict[str, str]:
    return {"ELMO_TASKS_PROFILE": str(tiny_profile), "ELMO_TASKS_SEED": "7"}


def test_train_evaluate_and_score(run_command, environment: dict[str, str], repository: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run, archive = tmp_path / "run", tmp_path / "run" / "model.tar.gz"
    config = repository / "experiments" / "squad" / "elmo.jsonnet"
    fixtures = repository / "fixtures" / "squad"
    # parts of a file, and batches of a bounded number of tokens, as docs/squad.md has them
    changes = {
        "train_data_path": {"file": str(fixtures / "train.json"), "articles": "0:2", "questions": "10", "seed": "3"},
        "data_loader.batch_sampler": {"type": "max_tokens_sampler", "max_tokens": 150, "sorting_keys": ["passage"]},
    }
    options = ["-s", run, "-o", json.dumps(changes)]
    trained = run_command("allennlp", "train", config, *options, folder=elsewhere, environment=environment)
    assert trained.returncode == 0, trained.stderr
    log = (run / "out.log").read_text(encoding="utf-8")
    assert log.index("Profile 'tiny' (set by ELMO_TASKS_PROFILE): for tests") < log.index("Beginning training.")
    assert "train.json: 10 questions on " in log
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert 0 < metrics["test_f1"] < 1

    # without the profile: the archive has everything but the data
    data = fixtures / "dev.json"
    # what the official script reads, and its figures
    scores, official = tmp_path / "scores.json", tmp_path / "official.json"
    options = ["--output-file", scores, "--predictions-output-file", official]
    options += ["-o", json.dumps({"evaluation": {"type": "official"}})]
    evaluated = run_command("allennlp", "evaluate", archive, data, *options, folder=elsewhere)
    assert evaluated.returncode == 0, evaluated.stderr
    f1 = json.loads(scores.read_text(encoding="utf-8"))["f1"]
    assert f1 == pytest.approx(metrics["test_f1"], abs=1e-12)
    answers = json.loads(official.read_text(encoding="utf-8"))
    scored, warnings = score_documents(json.loads(data.read_text(encoding="utf-8")), answers)
    assert not warnings
    assert scored.f1 / 100 == pytest.approx(f1, abs=1e-12)


def test_a_bad_answer_ends_training_with_one_sentence(
    run_command, environment: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    text = (repository / "fixtures" / "squad" / "train.json").read_text(encoding="utf-8")
    broken = tmp_path / "train.json"
    broken.write_text(text.replace('"answer_start": 14', '"answer_start": 15', 1), encoding="utf-8")
    config = repository / "experiments" / "squad" / "baseline.jsonnet"
    overrides = json.dumps({"train_data_path": str(broken)})
    result = run_command("allennlp", "train", config, "-s", tmp_path / "run", "-o", overrides, environment=environment)
    assert result.returncode == 2
    assert (
        "train.json: question 'train001' (data[0].paragraphs[0].qas[0]): answers[0]: \"answer_start\" is 15"
        in (result.stderr.splitlines()[-1])
    )
    assert "Traceback" not in result.stderr
