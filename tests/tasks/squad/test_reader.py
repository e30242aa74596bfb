"""SQuAD's reader: texts, spans and offsets of each question, and what it says of the file."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from allennlp.data import Instance, Token, Tokenizer
from allennlp.data.tokenizers import LettersDigitsTokenizer, WhitespaceTokenizer

from elmo_tasks.errors import InputError
from elmo_tasks.formats.squad import Answer
from elmo_tasks.tasks.squad.reader import SquadReader


@pytest.fixture
def train_file(repository: Path) -> Path:
    return repository / "fixtures" / "squad" / "train.json"


def questions_of(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Each question with its context, in the order of the file."""
    return [
        (paragraph["context"], question)
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


def spans_of(instance: Instance) -> list[tuple[int, int]]:
    return [(span.span_start, span.span_end) for span in instance["spans"]]


def test_every_question_becomes_an_instance(train_file: Path) -> None:
    instances = list(SquadReader().read(train_file))
    expected = questions_of(train_file)
    assert len(instances) == len(expected) == 17
    for instance, (context, question) in zip(instances, expected, strict=True):
        metadata = instance["metadata"].metadata
        assert metadata["id"] == question["id"]
        assert metadata["context"] == context
        assert metadata["question"] == question["question"]
        assert metadata["answers"] == [answer["text"] for answer in question["answers"]]
        words = "".join(token.text for token in instance["question"].tokens)
        assert words == re.sub(r"\s", "", question["question"])
        assert len(metadata["offsets"]) == len(instance["passage"].tokens)
        for answer, (first, last) in zip(question["answers"], spans_of(instance), strict=True):
            covered = context[metadata["offsets"][first][0] : metadata["offsets"][last][1]]
            assert answer["text"] in covered
            start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
            shared = [n for n, (a, b) in enumerate(metadata["offsets"]) if max(a, start) < min(b, end)]
            assert shared == list(range(first, last + 1))


def test_answers_are_told_apart_by_their_places(train_file: Path) -> None:
    by_question = {
        instance["metadata"]["question"]: [
            (first, [token.text for token in instance["passage"].tokens[first : last + 1]])
            for first, last in spans_of(instance)
        ]
        for instance in SquadReader().read(train_file)
    }
    assert by_question["Where does Lake Aru lie?"] == [
        (3, ["in", "the", "north", "of", "Vale"]),
        (4, ["the", "north", "of", "Vale"]),
    ]
    # of curly quotes the paper's program splits those that close
    assert by_question["What was the ferry called?"] == [(2, ["“Heron"])]
    assert by_question["What hangs over the river?"][0] == (1, ["rope", "-", "bridge"])
    assert by_question["In what year was the bridge begun?"] == [(9, ["1903"])]
    first_cup, second_cup = 11, 26
    assert by_question["What did the club win?"] == [(second_cup - 1, ["the", "cup"])]
    passage = next(iter(SquadReader().read({"file": str(train_file), "articles": "2:3"})))["passage"].tokens
    assert [number for number, token in enumerate(passage) if token.text == "cup"] == [first_cup, second_cup]


def test_questions_of_a_paragraph_share_its_field(train_file: Path) -> None:
    instances = list(SquadReader().read(train_file))
    assert len({id(instance["passage"]) for instance in instances}) == 5


def test_answers_that_are_no_whole_tokens_are_kept_and_counted_once(
    train_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.squad.reader"):
        instances = {instance["metadata"]["id"]: instance for instance in SquadReader().read(train_file)}
    (message,) = [record.getMessage() for record in caplog.records if record.name.endswith("squad.reader")]
    assert message == (
        f"{train_file}: 17 questions on 5 paragraphs; of their 22 answers 3 begin or end within a token and are taken "
        "for the whole of it (first 'Heron' of question train005 within '“Heron')."
    )
    assert spans_of(instances["train013"]) == [(0, 0)]
    assert instances["train013"]["metadata"]["answers"] == ["湖"]
    caplog.clear()
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.squad.reader"):
        list(SquadReader().read({"file": str(train_file), "articles": "2:3"}))
    assert "4 questions on 1 paragraphs; each of their 5 answers is whole tokens." in caplog.messages[-1]


def test_another_tokenizer(train_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.squad.reader"):
        instances = list(SquadReader(tokenizer=WhitespaceTokenizer()).read(train_file))
    for instance, (context, _) in zip(instances, questions_of(train_file), strict=True):
        assert [token.text for token in instance["passage"].tokens] == context.split()
    assert "begin or end within a token" in caplog.messages[-1]


def test_questions_without_a_file() -> None:
    reader = SquadReader()
    unlabeled = reader.text_to_instance(" Who? ", "Tom – or not.")
    assert "spans" not in unlabeled.fields
    assert "answers" not in unlabeled["metadata"].metadata
    assert unlabeled["metadata"]["question"] == " Who? "
    assert unlabeled["metadata"]["offsets"] == [(0, 3), (4, 5), (6, 8), (9, 12), (12, 13)]
    labeled = reader.text_to_instance("Who?", "Tom – or not.", [Answer("or no", 6)], "7")
    assert spans_of(labeled) == [(2, 3)]
    assert labeled["metadata"]["id"] == "7"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((" ", "a text"), "a question without any token has no answer: give at least one word"),
        (("Who?", "\n"), "a passage without any token has no answer: give at least one word"),
    ],
)
def test_texts_without_a_word(arguments: tuple[str, str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        SquadReader().text_to_instance(*arguments)


class LettersAlone(LettersDigitsTokenizer):
    def tokenize(self, text: str) -> list[Token]:
        return [token for token in super().tokenize(text) if token.text.isalpha()]


class FirstLower(WhitespaceTokenizer):
    def tokenize(self, text: str) -> list[Token]:
        first, *others = super().tokenize(text)
        return [Token(first.text.lower()), *others]


class QuestionsLower(WhitespaceTokenizer):
    def tokenize(self, text: str) -> list[Token]:
        return [Token(word.lower() if text.endswith("?") else word) for word in text.split()]


@pytest.mark.parametrize(
    ("tokenizer", "sentence"),
    [
        (
            FirstLower(),
            "passage of question 'train001': the tokenizer gives 'lake', which does not stand in the text; ",
        ),
        (QuestionsLower(), "question 'train001': the tokenizer gives 'where', which does not stand in the text; "),
        (LettersAlone(), "question 'train003': no token shares a character with the answer '1896' at 89; "),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_named_with_file_and_question(
    train_file: Path, tokenizer: Tokenizer, sentence: str
) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(f'{train_file}: {sentence}')}"):
        list(SquadReader(tokenizer=tokenizer).read(train_file))


def test_questions_without_their_answers(train_file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    document = json.loads(train_file.read_text(encoding="utf-8"))
    del document["data"][0]["paragraphs"][0]["qas"][0]["answers"]
    unlabelled = tmp_path / "test.json"
    unlabelled.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="question 'train001' .* there is no \"answers\""):
        list(SquadReader().read(unlabelled))
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.squad.reader"):
        instances = list(SquadReader(read_labels=False).read(unlabelled))
    assert caplog.messages[-1] == f"{unlabelled}: 17 questions on 5 paragraphs; no answer was read."
    labelled = SquadReader().read(train_file)
    assert [one["metadata"]["id"] for one in instances] == [one["metadata"]["id"] for one in labelled]
    assert all(set(instance.fields) == {"question", "passage", "metadata"} for instance in instances)
    assert not any("answers" in instance["metadata"].metadata for instance in instances)


def test_an_answer_that_the_tokenizer_leaves_out() -> None:
    with pytest.raises(InputError, match=r"no token shares a character with the answer '!' at 3; the tokenizer leaves"):
        SquadReader(tokenizer=LettersAlone()).text_to_instance("Who?", "Tom!", [Answer("!", 3)])


@pytest.mark.real
def test_real_data(shared_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = shared_folder / "data" / "squad"
    with caplog.at_level(logging.INFO, "elmo_tasks.tasks.squad.reader"):
        instances = list(SquadReader().read(folder / "dev-v1.1.json.xz"))
    assert len(instances) == 10_570
    assert (
        "10,570 questions on 2,067 paragraphs; of their 34,726 answers 166 begin or end within" in caplog.messages[-1]
    )
    drawn = {"file": str(folder / "train-v1.1.subset12k.json.xz"), "articles": "50:59", "questions": "1000"}
    assert sum(1 for _ in SquadReader().read(drawn)) == 1000
