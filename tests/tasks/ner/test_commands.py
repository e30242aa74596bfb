"""The `allennlp` command itself, from a folder that is not the repository."""

from pathlib import Path

import numpy as np
import pytest

from elmo_tasks.reproduce.items import read_items
from elmo_tasks.scoring.conlleval import score_lines
from tests.tasks.commands import OFFICIAL, Commands


def test_train_evaluate_and_count_items(commands: Commands, repository: Path) -> None:
    # enough for a score that is not zero
    longer = {"trainer.num_epochs": 30, "trainer.optimizer.lr": 0.03, "model.dropout": 0.1}
    metrics = commands.train("ner", **longer)
    assert "train.txt: 12 sentences of 3 documents" in commands.log()
    assert 0 < metrics["test_f1"] < 1

    data = repository / "fixtures" / "ner" / "dev.txt"
    scores, predictions = commands.evaluate(data)
    f1 = scores["f1"]
    assert f1 == metrics["test_f1"]
    items = read_items("ner", predictions, data, f1)
    assert items is not None
    gained, possible = items.scores()
    assert len(gained) == 6
    assert gained.sum() / possible.sum() == pytest.approx(f1, abs=1e-9)
    assert np.all(gained <= possible)

    # both commands write what conlleval reads, and that gives the same figure
    _, official = commands.evaluate(data, **OFFICIAL)
    with official.open("rb") as file:
        scored, warnings = score_lines(enumerate(file, start=1))
    assert not warnings
    assert scored.overall.f1 / 100 == pytest.approx(f1, abs=1e-12)
    assert commands.predict_official(data).read_bytes() == official.read_bytes()


def test_a_bad_row_ends_training_with_one_sentence(commands: Commands, tmp_path: Path) -> None:
    broken = tmp_path / "train.txt"
    broken.write_text("Anna NNP I-NP I-PER\n" * 16 + "visits VBZ O\n", encoding="utf-8")
    sentence = commands.refusal("ner", train_data_path=str(broken))
    assert "train.txt:17: found 3 columns ('visits VBZ O'), expected 4" in sentence
