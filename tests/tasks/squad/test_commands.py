"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import pytest

from elmo_tasks.scoring.squad import score_documents
from tests.tasks.commands import OFFICIAL, Commands


def test_train_evaluate_and_score(commands: Commands, repository: Path) -> None:
    fixtures = repository / "fixtures" / "squad"
    # parts of a file, and batches of a bounded number of tokens, as docs/squad.md has them
    changes = {
        "train_data_path": {"file": str(fixtures / "train.json"), "articles": "0:2", "questions": "10", "seed": "3"},
        "data_loader.batch_sampler": {"type": "max_tokens_sampler", "max_tokens": 150, "sorting_keys": ["passage"]},
    }
    metrics = commands.train("squad", **changes)
    assert "train.json: 10 questions on " in commands.log()
    assert 0 < metrics["test_f1"] < 1

    # what the official script reads, and its figures
    data = fixtures / "dev.json"
    scores, official = commands.evaluate(data, **OFFICIAL)
    assert scores["f1"] == pytest.approx(metrics["test_f1"], abs=1e-12)
    answers = json.loads(official.read_text(encoding="utf-8"))
    scored, warnings = score_documents(json.loads(data.read_text(encoding="utf-8")), answers)
    assert not warnings
    assert scored.f1 / 100 == pytest.approx(scores["f1"], abs=1e-12)

    # a test file without answers gives the same predictions, and no figures
    document = json.loads(data.read_text(encoding="utf-8"))
    for article in document["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                del question["answers"]
    unlabelled = commands.folder / "test.json"
    unlabelled.write_text(json.dumps(document), encoding="utf-8")
    scores, official = commands.evaluate(unlabelled, **OFFICIAL, **{"dataset_reader.read_labels": False})
    assert scores == {}
    assert json.loads(official.read_text(encoding="utf-8")) == answers


def test_a_bad_answer_ends_training_with_one_sentence(commands: Commands, repository: Path, tmp_path: Path) -> None:
    text = (repository / "fixtures" / "squad" / "train.json").read_text(encoding="utf-8")
    broken = tmp_path / "train.json"
    broken.write_text(text.replace('"answer_start": 14', '"answer_start": 15', 1), encoding="utf-8")
    sentence = commands.refusal("squad", train_data_path=str(broken))
    assert (
        "train.json: question 'train001' (data[0].paragraphs[0].qas[0]): answers[0]: \"answer_start\" is 15" in sentence
    )
