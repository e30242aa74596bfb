"""Parts of a file: ranges of articles, draws of questions, and what cannot be a part."""

import json
from pathlib import Path
from typing import Any

import pytest

from elmo_tasks.errors import InputError
from elmo_tasks.tasks.squad.part import Part


@pytest.fixture
def train_file(repository: Path) -> Path:
    return repository / "fixtures" / "squad" / "train.json"


def ids(source: Any) -> list[str]:
    return [question.id for paragraph in Part.of(source).paragraphs() for question in paragraph.questions]


def ids_of_articles(path: Path) -> list[list[str]]:
    return [
        [question["id"] for paragraph in article["paragraphs"] for question in paragraph["qas"]]
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
    ]


def test_a_path_is_the_whole_file(train_file: Path) -> None:
    every = [one for article in ids_of_articles(train_file) for one in article]
    assert len(every) == 17
    assert ids(train_file) == ids(str(train_file)) == ids({"file": str(train_file)}) == every


def test_articles_are_counted_from_zero(train_file: Path) -> None:
    first, second, third = ids_of_articles(train_file)
    assert ids({"file": train_file, "articles": "0:1"}) == first
    assert ids({"file": train_file, "articles": "1:3"}) == second + third


def test_questions_are_drawn_by_the_seed_alone_and_stay_in_order(train_file: Path) -> None:
    every = ids(train_file)
    drawn = {seed: ids({"file": train_file, "questions": "6", "seed": seed}) for seed in ("1", "2", "3")}
    assert drawn["1"] == ids({"file": train_file, "questions": "6", "seed": "1"})
    assert len({tuple(one) for one in drawn.values()}) == 3
    for one in drawn.values():
        assert len(set(one)) == 6
        assert sorted(one, key=every.index) == one
    assert ids({"file": train_file, "questions": "17"}) == every
    both = ids({"file": train_file, "articles": "1:2", "questions": "3", "seed": "4"})
    assert len(both) == 3
    assert set(both) < set(ids_of_articles(train_file)[1])


def test_a_paragraph_without_a_chosen_question_is_left_out(train_file: Path) -> None:
    paragraphs = list(Part.of({"file": train_file, "questions": "1"}).paragraphs())
    assert [len(paragraph.questions) for paragraph in paragraphs] == [1]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"articles": "0:1"}, r"keys file, articles, questions, seed \(file is needed\), found articles\."),
        ({"file": "F", "article": "0:1"}, "found file, article"),
        ({}, "found an empty object"),
        ({"file": "F", "articles": "3"}, "articles is '3', expected two numbers such as '0:50'"),
        ({"file": "F", "articles": "2:2"}, r"train\.json: articles is '2:2', but the file has the 3 articles '0:3'"),
        ({"file": "F", "articles": "0:4"}, "articles is '0:4', but the file has the 3 articles '0:3'"),
        ({"file": "F", "questions": "18"}, r"train\.json: questions is '18', but there are 17 to draw from"),
        ({"file": "F", "questions": "0"}, "questions is '0', but there are 17 to draw from"),
        ({"file": "F", "questions": "few"}, "questions is 'few', expected a whole number such as '13'"),
        ({"file": "F", "questions": "1", "seed": "-1"}, "seed is '-1', expected a whole number"),
        ({"file": "no.json"}, "no.json: there is no such file"),
    ],
)
def test_what_is_no_part(train_file: Path, source: dict[str, str], sentence: str) -> None:
    if source.get("file") == "F":
        source = {**source, "file": str(train_file)}
    with pytest.raises(InputError, match=sentence):
        ids(source)
