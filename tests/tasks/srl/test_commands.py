"""The `allennlp` command itself, from a folder that is not the repository."""

import json
from pathlib import Path

import numpy as np
import pytest

from elmo_tasks.reproduce.items import read_items
from tests.tasks.commands import OFFICIAL, Commands


def test_train_evaluate_score_and_predict(commands: Commands, repository: Path, tmp_path: Path) -> None:
    # enough for a score that is not zero
    longer = {"trainer.num_epochs": 30, "trainer.optimizer": {"type": "adam", "lr": 0.02}}
    metrics = commands.train("srl", **longer)
    log = commands.log()
    assert "train.gold_conll: 2 documents, 10 sentences, 63 tokens; instances: 12 predicates and 2 sentences" in log
    assert "2 gold arguments have a role, or are longer than any of their role" in log
    assert 0 < metrics["test_f1"] < 1

    data = repository / "fixtures" / "srl" / "dev.gold_conll"
    scores, predictions = commands.evaluate(data)
    f1 = scores["f1"]
    assert f1 == metrics["test_f1"]
    assert "logits" not in json.loads(predictions.read_text(encoding="utf-8").splitlines()[0])
    items = read_items("srl", predictions, data, f1)
    assert items is not None
    gained, possible = items.scores()
    assert len(gained) == 5
    assert gained.sum() / possible.sum() == pytest.approx(f1, abs=1e-9)
    assert np.all(gained <= possible)

    # what srl-eval.pl reads gives the same figure, against props as against the file itself
    _, official = commands.evaluate(data, **OFFICIAL)
    figures = json.loads(commands.score("srl", data, official, "--json"))
    assert (figures["sentences"], figures["propositions"]) == (5, 7)
    assert figures["labels"]["Overall"][-1] / 100 == pytest.approx(f1, abs=1e-4)

    requests = tmp_path / "requests.jsonl"
    requests.write_text('{"sentence": "Anna sold the boat."}\n{"tokens": ["Yes"], "predicates": []}\n', "utf-8")
    answers = commands.predict(requests).read_text(encoding="utf-8").splitlines()
    first, second = [json.loads(line) for line in answers]
    assert [one["word"] for one in first["predicates"]] == ["sold"]
    assert "sold" in first["predicates"][0]["drawing"]
    assert second["predicates"] == []


def test_a_bad_row_ends_training_with_one_sentence(commands: Commands, repository: Path, tmp_path: Path) -> None:
    text = (repository / "fixtures" / "srl" / "train.gold_conll").read_text(encoding="utf-8")
    broken = tmp_path / "train.gold_conll"
    broken.write_text(text.replace("home XX * - - - - * * (ARGM-DIR*)", "home XX * - - - - * * (ARGM-DIR*"), "utf-8")
    sentence = "train.gold_conll:16: column 13 (predicate 'sail' of word 4): the bracket of '(ARGM-DIR*' is not closed"
    assert sentence in commands.refusal("srl", train_data_path=str(broken))
