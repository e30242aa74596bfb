"""SQuAD's files: articles, paragraphs, questions, answers at their characters, and a mistake named with its place."""

import copy
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.formats.files import read_lines
from elmo_tasks.formats.squad import (
    Answer,
    Article,
    Dataset,
    Paragraph,
    Question,
    read_dataset,
    read_object,
    write_predictions,
)

CONTEXT = "Zoë 𝄞 sings.\nThe  boat, the boat!"
DATASET = Dataset(
    "1.1",
    (
        Article(
            "Songs",
            (
                Paragraph(
                    CONTEXT,
                    (
                        Question("q1", " What lies there? ", (Answer("boat", 18), Answer("the boat!", 24))),
                        Question("q2", "Who?", (Answer("Zoë 𝄞", 0),)),
                    ),
                ),
                Paragraph("Nothing is asked.", ()),
            ),
        ),
        Article("", ()),
        Article("Hills", (Paragraph("x", (Question("", "?", (Answer("x", 0),)),)),)),
    ),
)


def document_of(dataset: Dataset) -> dict[str, Any]:
    """The JSON of a dataset."""
    return {
        "data": [
            {
                "title": article.title,
                "paragraphs": [
                    {
                        "context": paragraph.context,
                        "qas": [
                            {
                                "answers": [{"answer_start": each.start, "text": each.text} for each in asked.answers],
                                "question": asked.text,
                                "id": asked.id,
                            }
                            for asked in paragraph.questions
                        ],
                    }
                    for paragraph in article.paragraphs
                ],
            }
            for article in dataset.articles
        ],
        "version": dataset.version,
    }


GOOD = document_of(DATASET)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "squad.json"


def read(path: Path, document: object, **options: bool) -> Dataset:
    path.write_text(json.dumps(document), encoding="utf-8")
    return read_dataset(path, **options)


def changed(change: Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], object]) -> dict[str, Any]:
    """The good document after a change of it, of its first paragraph or of that one's first question."""
    document = copy.deepcopy(GOOD)
    paragraph = document["data"][0]["paragraphs"][0]
    change(document, paragraph, paragraph["qas"][0])
    return document


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("suffix", "compress"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)], ids=["plain", "gz", "xz"]
)
def test_a_file_is_read(tmp_path: Path, suffix: str, compress, indent: int | None) -> None:
    path = tmp_path / f"squad.json{suffix}"
    path.write_bytes(compress(json.dumps(GOOD, indent=indent, ensure_ascii=indent is None).encode()))
    assert read_dataset(path) == DATASET
    for article in DATASET.articles:
        for paragraph in article.paragraphs:
            for question in paragraph.questions:
                for answer in question.answers:
                    assert paragraph.context[answer.start :].startswith(answer.text)


def test_keys_of_other_versions_are_ignored(path: Path) -> None:
    document = changed(
        lambda document, paragraph, question: (
            document.update(version="v2.0", source="ours"),
            paragraph.update(number=3),
            question.update(is_impossible=False, plausible_answers=[]),
        )
    )
    assert read(path, document) == Dataset("v2.0", DATASET.articles)


def test_questions_without_answers_can_be_wanted(path: Path) -> None:
    for change in (
        lambda _document, _paragraph, question: question.update(answers=[], is_impossible=True),
        lambda _document, _paragraph, question: question.pop("answers"),
        lambda _document, _paragraph, question: question.update(answers="none"),
    ):
        questions = read(path, changed(change), read_answers=False).articles[0].paragraphs[0].questions
        assert questions[0] == Question("q1", " What lies there? ", ())
        assert [question.id for question in questions[1:]] == [DATASET.articles[0].paragraphs[0].questions[1].id]
        assert not any(question.answers for question in questions)


FIRST = "squad.json: question 'q1' (data[0].paragraphs[0].qas[0])"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d, p, q: d.pop("version"), "squad.json: there is no \"version\" among the keys 'data'."),
        (lambda d, p, q: d.pop("data"), "squad.json: there is no \"data\" among the keys 'version'."),
        (lambda d, p, q: d.update(version=1.1), 'squad.json: "version" must be a string, found 1.1.'),
        (lambda d, p, q: d.update(data={}), 'squad.json: "data" must be a list, found an object.'),
        (lambda d, p, q: d.update(data=[]), "squad.json: there is no question in this file."),
        (lambda d, p, q: d["data"].insert(0, 3), 'squad.json: data[0]: expected an object with "title", found 3.'),
        (lambda d, p, q: d["data"][2].pop("title"), 'squad.json: data[2]: there is no "title" among the keys \'para'),
        (lambda d, p, q: d["data"][1].pop("paragraphs"), 'squad.json: data[1]: there is no "paragraphs" among the '),
        (lambda d, p, q: p.pop("context"), 'squad.json: data[0].paragraphs[0]: there is no "context" among the '),
        (lambda d, p, q: p.update(context=" \n"), 'squad.json: data[0].paragraphs[0]: "context" is empty, expected a'),
        (lambda d, p, q: p.pop("qas"), 'squad.json: data[0].paragraphs[0]: there is no "qas" among the keys \'con'),
        (lambda d, p, q: q.pop("id"), 'squad.json: data[0].paragraphs[0].qas[0]: there is no "id" among the keys'),
        (lambda d, p, q: q.update(id=7), 'squad.json: data[0].paragraphs[0].qas[0]: "id" must be a string, found 7.'),
        (
            lambda d, p, q: q.update(id=""),
            "squad.json: question '' (data[2].paragraphs[0].qas[0]): data[0].paragraphs[0].qas[0] has the same id; "
            "every question needs its own.",
        ),
        (lambda d, p, q: q.pop("question"), f'{FIRST}: there is no "question" among the keys'),
        (lambda d, p, q: q.update(question=" \u00a0"), f'{FIRST}: "question" is empty, expected a text.'),
        (lambda d, p, q: q.pop("answers"), f'{FIRST}: there is no "answers" among the keys'),
        (lambda d, p, q: q.update(answers="boat"), f"{FIRST}: \"answers\" must be a list, found the string 'boat'."),
        (lambda d, p, q: q.update(answers=[]), f"{FIRST}: there is no answer, expected at least one."),
        (
            lambda d, p, q: q.update(answers=[], is_impossible=True),
            f"{FIRST}: SQuAD 2.0 marks this question as unanswerable, expected one with an answer; remove such quest",
        ),
        (lambda d, p, q: q["answers"][1].pop("text"), f'{FIRST}: answers[1]: there is no "text" among the keys'),
        (lambda d, p, q: q["answers"][0].update(text=""), f'{FIRST}: answers[0]: "text" is empty, expected a text.'),
        (lambda d, p, q: q["answers"][0].pop("answer_start"), f'{FIRST}: answers[0]: there is no "answer_start" amo'),
        (
            lambda d, p, q: q["answers"][0].update(answer_start="18"),
            f"{FIRST}: answers[0]: \"answer_start\" must be a whole number, found the string '18'.",
        ),
        (
            lambda d, p, q: q["answers"][0].update(answer_start=True),
            f'{FIRST}: answers[0]: "answer_start" must be a whole number, found true.',
        ),
        (
            lambda d, p, q: q["answers"][1].update(answer_start=33),
            f'{FIRST}: answers[1]: "answer_start" is 33 in a context of 33 characters; the text stands at 24 '
            "(characters count, not bytes).",
        ),
        (
            lambda d, p, q: q["answers"][0].update(answer_start=-4),
            f'{FIRST}: answers[0]: "answer_start" is -4 in a context of 33 characters; the text stands at 18 ',
        ),
        # What a count of bytes gives.
        (
            lambda d, p, q: q["answers"][0].update(answer_start=22),
            f"{FIRST}: answers[0]: \"answer_start\" is 22, where the context has ', th', expected 'boat'; the text sta",
        ),
        (
            lambda d, p, q: q["answers"][1].update(text="Boat", answer_start=32),
            f"{FIRST}: answers[1]: \"answer_start\" is 32, where the context has '!', expected 'Boat'; the text is "
            "nowhere in it.",
        ),
        (
            lambda d, p, q: p.update(context="Zoe\u0308 𝄞 boat"),
            f'{FIRST}: answers[0]: "answer_start" is 18 in a context of 11 characters; the text stands at 7 (char',
        ),
    ],
)
def test_what_is_refused_with_its_place(path: Path, change: Callable[..., object], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        read(path, changed(change))
    assert str(refused.value).removeprefix(f"{path.parent}/").startswith(sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "squad.json: the file is empty, expected a JSON object."),
        (b" \n", "squad.json: the file is empty"),
        (b"[]", "squad.json: expected a JSON object, found a list."),
        (b'{"version": "1.1",\n "data": [', "squad.json:2: column 11: this is not JSON (Expecting value); is the file"),
        (b'{"version": "1.1",\n\n "data": [] 1}', "squad.json:3: column 13: this is not JSON (Exp"),
        (b'{"version":\n "\xe9"}', "squad.json:2: byte 3 of the line (0xe9) is not UTF-8"),
        (b"\xef\xbb\xbf{}", "squad.json:1: the file starts with a byte order mark"),
        (b'{"version": "1.1", "version": "1.1"}', "squad.json: the key 'version' stands twice in one JSON object"),
        (b'{"a":' * 90_000, "squad.json: the brackets of this JSON are nested too deeply"),
    ],
    ids=range(9),
)
def test_what_is_no_json_object_is_named(path: Path, content: bytes, sentence: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_dataset(path)
    assert str(refused.value).removeprefix(f"{path.parent}/").startswith(sentence)


BYTES = json.dumps(GOOD, ensure_ascii=False, indent=1).encode()


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    begin=st.integers(0, len(BYTES)),
    length=st.integers(0, 30),
    inserted=st.lists(
        st.sampled_from([b"", b" ", b'"', b"[", b"]", b"{", b"}", b",", b":", b"\\", b"1", b"-", b"\xe9", b"\n", b"x"]),
        max_size=2,
    ).map(b"".join),
)
@example(begin=0, length=0, inserted=b"")
@example(begin=BYTES.index(b"18"), length=2, inserted=b"28")
def test_mutated_bytes_are_read_right_or_refused_with_the_file(
    path: Path, begin: int, length: int, inserted: bytes
) -> None:
    content = BYTES[:begin] + inserted + BYTES[begin + length :]
    path.write_bytes(content)
    dataset, refusal = None, ""
    try:
        dataset = read_dataset(path)
    except InputError as error:
        refusal = str(error)
    if dataset is None:
        assert refusal.startswith(f"{path}:")
        assert refusal.isprintable()
        return
    assert without_further_keys(json.loads(content)) == document_of(dataset)
    for article in dataset.articles:
        for paragraph in article.paragraphs:
            for question in paragraph.questions:
                assert all(paragraph.context[one.start :].startswith(one.text) for one in question.answers)


def without_further_keys(value: Any) -> Any:
    """A document with the official keys alone."""
    if isinstance(value, list):
        return [without_further_keys(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: without_further_keys(each) for key, each in value.items() if f'"{key}":' in json.dumps(GOOD)}


def test_predictions_are_written_as_one_object(tmp_path: Path) -> None:
    answers = {"q2": "Zoë\n𝄞", "q1": "", "\ud800": '"'}
    for name in ("predictions.json", "predictions.json.gz"):
        path = tmp_path / name
        write_predictions(path, answers)
        found = read_object(read_lines(path), str(path))
        assert list(found.items()) == list(answers.items())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["predictions.json", "predictions.json.gz"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("dev-v1.1", (48, 2_067, 10_570, 34_726)),
        ("train-v1.1.subset12k", (59, 2_664, 12_082, 12_082)),
        ("train-v1.1.full-rebuilt", (442, 18_896, 87_599, 87_599)),
    ],
)
def test_real_files_have_their_published_counts(shared_folder: Path, name: str, counts: tuple[int, ...]) -> None:
    path = shared_folder / f"data/squad/{name}.json.xz"
    dataset = read_dataset(path)
    paragraphs = [paragraph for article in dataset.articles for paragraph in article.paragraphs]
    questions = [question for paragraph in paragraphs for question in paragraph.questions]
    answers = [answer for question in questions for answer in question.answers]
    assert (len(dataset.articles), len(paragraphs), len(questions), len(answers)) == counts
    assert document_of(dataset) == json.loads(lzma.decompress(path.read_bytes()))
