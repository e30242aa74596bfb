"""What benchmarks/floors.py gives allennlp-models' readers of SNLI and SQuAD, and which models it uses again."""

import json
import runpy
from pathlib import Path

import pytest

from elmo_tasks.tasks.snli.reader import SNLIReader
from elmo_tasks.tasks.squad.reader import SquadReader

floors = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "floors.py"))


def test_pairs_are_read_back_as_our_reader_has_them(repository: Path, tmp_path: Path) -> None:
    sources = [repository / "fixtures" / "snli" / f"{name}.jsonl" for name in ("train", "more")]
    expected, found = (
        [(instance["metadata"].metadata, instance["label"].label) for instance in SNLIReader().read(source)]
        for source in (sources, floors["write_snli"](sources, tmp_path / "train"))
    )
    assert len(expected) == 19
    assert found == expected


def test_words_of_pairs_are_apart_for_a_reader_that_knows_blanks_alone(repository: Path, tmp_path: Path) -> None:
    source = repository / "fixtures" / "snli" / "train.jsonl"
    written = floors["write_snli"](source, tmp_path / "train")
    rows = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    for row, instance in zip(rows, SNLIReader().read(source), strict=True):
        for key, text in (("sentence1", "premise"), ("sentence2", "hypothesis")):
            assert row[key].split(" ") == [token.text for token in instance[text].tokens]


def test_the_chosen_questions_are_read_back_as_our_reader_has_them(repository: Path, tmp_path: Path) -> None:
    part = {"file": str(repository / "fixtures" / "squad" / "train.json"), "articles": "1:3", "questions": "5"}
    expected, found = (
        [
            (instance["metadata"].metadata, [(span.span_start, span.span_end) for span in instance["spans"]])
            for instance in SquadReader().read(source)
        ]
        for source in (part, floors["write_squad"](part, tmp_path / "train"))
    )
    assert len(expected) == 5
    assert found == expected


def test_a_model_of_another_budget_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    name, budget = floors["run_name"], {"trainer.num_epochs": 5, "model.dropout": 0.2}
    same = name(1, budget, {})
    assert same == name(1, dict(reversed(budget.items())), {})
    others = [
        name(2, budget, {}),
        name(1, {**budget, "trainer.num_epochs": 6}, {}),
        name(1, {"trainer.num_epochs": 5}, {}),
        name(1, budget, {"max_documents": 60}),
    ]
    monkeypatch.setenv("ELMO_TASKS_PROFILE", "open")
    assert len({same, *others, name(1, budget, {})}) == 6
