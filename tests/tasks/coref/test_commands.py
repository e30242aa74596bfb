"""The `allennlp` command itself, from a folder that is not the repository, and the official figures of its files."""

import json
import re
from pathlib import Path

import pytest

from tests.tasks.commands import OFFICIAL, Commands


def test_train_evaluate_predict_and_score(commands: Commands, repository: Path, tmp_path: Path) -> None:
    # documents that a few epochs suffice for
    sample = (repository / "fixtures" / "sample" / "coref" / "dev.gold_conll").read_text(encoding="utf-8")
    data = tmp_path / "six.gold_conll"
    data.write_text("".join(part + "#end document\n" for part in sample.split("#end document\n")[:6]), encoding="utf-8")
    changes = {f"{part}_data_path": str(data) for part in ("train", "validation", "test")}
    changes |= {
        "trainer.num_epochs": 25,
        "trainer.patience": None,
        "model.spans_per_word": 1.0,
        "model.encoder.hidden_size": 16,
        "model.hidden_dims": [16, 16],
        "model.lexical_dropout": 0.1,
        "model.max_span_width": 3,
    }
    metrics = commands.train("coref", **changes)
    assert "six.gold_conll: 6 documents, 0 of them without sentences, 6 without speakers" in commands.log()
    assert 0 < metrics["test_f1"] <= 1

    # both commands write what the scorer reads
    scores, official = commands.evaluate(data, **OFFICIAL)
    assert scores["f1"] == metrics["test_f1"]
    scored = json.loads(commands.score("coref", data, official, "--json"))
    assert scored["conll"] == pytest.approx(100 * scores["f1"], abs=1e-9)
    assert commands.predict_official(data).read_bytes() == official.read_bytes()

    requests = tmp_path / "requests.jsonl"
    requests.write_text(json.dumps({"document": "Mara sold it. She left."}) + "\n", encoding="utf-8")
    marked = commands.predict(requests, "--predictor", "paper_coref_brackets").read_text(encoding="utf-8")
    assert re.sub(r"\[|\][0-9]+", "", marked) == "Mara sold it. She left.\n"


def test_a_bad_row_ends_training_with_one_sentence(commands: Commands, tmp_path: Path) -> None:
    broken = tmp_path / "train.gold_conll"
    rows = "a/b 0 0 It XX * - - - - * (0\na/b 0 1 is XX * - - - - * -\n"
    broken.write_text(f"#begin document (a/b); part 000\n{rows}\n#end document\n", encoding="utf-8")
    sentence = commands.refusal("coref", train_data_path=str(broken))
    assert "train.gold_conll:2: column 12 (coreference): the mention that begins with '(0' does not end in" in sentence
