"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import pytest

from elmo_tasks.reproduce.items import read_items
from tests.tasks.commands import OFFICIAL, Commands


def test_train_evaluate_predict_and_count_items(commands: Commands, repository: Path) -> None:
    metrics = commands.train("snli")
    assert "train.jsonl: 18 pairs read, 17 instances; skipped: 1 without a label" in commands.log()

    data = repository / "fixtures" / "snli" / "dev.jsonl"
    scores, predictions = commands.evaluate(data)
    accuracy = scores["accuracy"]
    assert accuracy == metrics["test_accuracy"]
    items = read_items("snli", predictions, data, accuracy)
    assert items is not None
    gained, possible = items.scores()
    assert (len(gained), possible.sum()) == (7, 7)
    assert gained.sum() / 7 == pytest.approx(accuracy)

    labels = commands.predict_official(data)
    ids = [json.loads(line)["pairID"] for line in labels.read_text(encoding="utf-8").splitlines()]
    assert ids == [f"dev-{number}" for number in (1, 2, 3, 5, 6, 7, 8)]
    printed = f"accuracy: {100 * accuracy:.2f}%  correct: {round(7 * accuracy)} / 7\n"
    assert commands.score("snli", data, labels) == printed

    # pairs without a label are judged too, where labels are not read, and there are no figures
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    unlabelled = commands.folder / "test.jsonl"
    unlabelled.write_text(
        "".join(json.dumps({key: row[key] for key in row if key != "gold_label"}) + "\n" for row in rows),
        encoding="utf-8",
    )
    scores, judged = commands.evaluate(unlabelled, **OFFICIAL, **{"dataset_reader.read_labels": False})
    assert scores == {}
    assert [json.loads(line)["pairID"] for line in judged.read_text(encoding="utf-8").splitlines()] == [
        row["pairID"] for row in rows
    ]
    assert commands.score("snli", data, judged).endswith(" / 7\n")


def test_a_bad_line_ends_training_with_one_sentence(commands: Commands, repository: Path, tmp_path: Path) -> None:
    broken = tmp_path / "train.jsonl"
    lines = (repository / "fixtures" / "snli" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace('"contradiction"', '"contradict"')
    broken.write_text("\n".join(lines), encoding="utf-8")
    sentence = commands.refusal("snli", train_data_path=[str(broken)])
    assert "train.jsonl:4: \"gold_label\" is 'contradict', expected one of entailment," in sentence
