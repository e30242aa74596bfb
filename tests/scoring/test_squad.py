"""SQuAD's score of answers and of files: official outputs, an independent reading, and what the script refuses."""

import copy
import json
import lzma
import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elmo_tasks.scoring import squad
from elmo_tasks.scoring.refusal import RefusalError
from elmo_tasks.scoring.squad import QuestionScore, SquadScore, exact_match, f1, normalize, score_answer

FIXTURES = Path(__file__).parents[2] / "fixtures/scoring/squad"
CASES = sorted(path.name.removesuffix(".dataset.json") for path in FIXTURES.glob("*.dataset.json"))
GOLDEN = (
    "case01_first_gold",
    "case02_first3_tokens",
    "case03_articles_punct_case",
    "case04_missing_and_extra_ids",
    "case05_shifted_char_spans",
    "case06_unicode",
    "case07_empty_after_normalising",
    "case08_repeated_and_reordered_tokens",
    "case09_whole_context",
    "case10_punctuation_inside_and_joined_articles",
    "case11_system_logistic_regression",
    "case12_system_match_lstm_ensemble",
    "case13_dataset_version_1.0",
    "case14_synthetic_edge",
)
# So many of so many gold words, and no other, make the answers of `order_of_sums`.
PARTS_OF_GOLD = [(1, 3), (1, 5), (2, 7), (4, 9), (3, 11), (1, 2), (1, 6), (5, 12)]
# What fixtures/scoring/README.md derives by hand: exact matches and sum of F1 of so many questions.
BY_HAND: dict[str, tuple[int, Fraction | int, int]] = {
    "all_missing": (0, Fraction(0), 2),
    "articles": (4, Fraction(4), 5),
    "bare": (1, 1 + Fraction(2, 3), 3),
    "best_gold": (2, Fraction(4, 5) + 1, 4),
    "case_and_punctuation": (4, Fraction(4), 5),
    "exact": (3, Fraction(3), 4),
    "id_twice": (1, Fraction(1), 2),
    "missing": (1, 1 + Fraction(2, 3), 4),
    "nothing_left": (3, Fraction(1), 5),
    "order_of_sums": (0, sum(Fraction(2 * part, part + whole) for part, whole in PARTS_OF_GOLD), 8),
    "other_version": (1, 1 + Fraction(2, 3), 3),
    "repeated_words": (0, Fraction(4, 5) + Fraction(1, 2) + 1 + Fraction(2, 3), 4),
    "shared_words": (0, Fraction(4, 5) + Fraction(2, 3) + Fraction(1, 2), 4),
    "unanswerable": (1, Fraction(1), 2),
    "unicode": (3, 3 + Fraction(1, 2), 10),
    "unknown_ids": (1, Fraction(1), 2),
}


def slow_words(text: str) -> list[str]:
    """The words of the normal form, character by character."""
    kept = [character for character in text.lower() if character.isalnum() or not "!" <= character <= "~"]
    without_articles: list[str] = []
    run: list[str] = []
    for character in [*kept, " "]:
        if character.isalnum() or character == "_":
            run.append(character)
            continue
        without_articles += [" "] if run in (["a"], ["a", "n"], ["t", "h", "e"]) else run
        without_articles.append(character)
        run = []
    words: list[str] = [""]
    for character in without_articles:
        if not character.isspace():
            words[-1] += character
        elif words[-1]:
            words.append("")
    return words[:-1] if not words[-1] else words


def slow_score(prediction: str, golds: list[str]) -> tuple[bool, Fraction]:
    """Exact match and F1, the second as twice the shared words over all words."""
    words = slow_words(prediction)
    best = Fraction()
    for gold in golds:
        left = slow_words(gold)
        total = len(words) + len(left)
        shared = 0
        for word in words:
            if word in left:
                left.remove(word)
                shared += 1
        best = max(best, Fraction(2 * shared, total) if shared else Fraction())
    return words in [slow_words(gold) for gold in golds], best


def load(path: Path) -> Any:
    content = path.read_bytes()
    return json.loads(lzma.decompress(content) if path.suffix == ".xz" else content)


def load_case(case: str) -> tuple[Any, Any]:
    return load(FIXTURES / f"{case}.dataset.json"), load(FIXTURES / f"{case}.predictions.json")


def load_golden(shared_folder: Path, case: str) -> tuple[Any, Any]:
    folder = shared_folder / "data/golden/squad"
    own = folder / f"{case}.dataset.json.xz"
    dataset = load(own if own.exists() else folder / "dataset1000.json.xz")
    if case == "case13_dataset_version_1.0":
        dataset["version"] = "1.0"
    return dataset, load(folder / f"{case}.predictions.json.xz")


def errors(path: Path) -> list[str]:
    """The lines of a file of standard error; there is none where nothing was written."""
    if not path.exists():
        return []
    content = path.read_bytes()
    return (lzma.decompress(content) if path.suffix == ".xz" else content).decode().splitlines()


@pytest.mark.parametrize("case", CASES)
def test_own_cases_are_printed_to_the_byte(case: str) -> None:
    score, warnings = squad.score_documents(*load_case(case))
    assert f"{squad.report(score)}\n" == (FIXTURES / f"{case}.out").read_text(encoding="utf-8")
    assert warnings == errors(FIXTURES / f"{case}.err")


@pytest.mark.parametrize("case", CASES)
def test_own_cases_are_what_was_derived_by_hand(case: str) -> None:
    exact, shared, total = BY_HAND[case]
    printed = load(FIXTURES / f"{case}.out")
    assert printed == {
        "exact_match": pytest.approx(100 * exact / total, rel=1e-14),
        "f1": pytest.approx(float(100 * shared / total), rel=1e-14),
    }
    score, _ = squad.score_documents(*load_case(case))
    assert (sum(question.exact for question in score.questions), score.total) == (exact, total)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 10
    assert sorted(BY_HAND) == CASES


@pytest.mark.parametrize("case", GOLDEN)
def test_official_outputs_are_printed_to_the_byte(shared_folder: Path, case: str) -> None:
    folder = shared_folder / "data/golden/squad"
    score, warnings = squad.score_documents(*load_golden(shared_folder, case))
    assert f"{squad.report(score)}\n" == (folder / f"{case}.out").read_text(encoding="utf-8")
    assert warnings == errors(folder / f"{case}.err.xz")


def test_no_official_output_is_left_out(shared_folder: Path) -> None:
    found = (shared_folder / "data/golden/squad").glob("*.out")
    assert sorted(path.name.removesuffix(".out") for path in found) == sorted(GOLDEN)


@pytest.mark.parametrize("case", GOLDEN[1:11])
def test_the_slow_reference_is_right_itself(shared_folder: Path, case: str) -> None:
    dataset, predictions = load_golden(shared_folder, case)
    scores = [
        slow_score(predictions[question["id"]], [answer["text"] for answer in question["answers"]])
        for article in dataset["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
        if question["id"] in predictions
    ]
    printed = load(shared_folder / f"data/golden/squad/{case}.out")
    assert printed["exact_match"] == 100 * sum(exact for exact, _ in scores) / 1000
    assert printed["f1"] == pytest.approx(float(100 * sum(shared for _, shared in scores) / 1000), rel=1e-13)


def test_official_normal_forms(shared_folder: Path) -> None:
    lines = lzma.decompress((shared_folder / "data/golden/squad/normalize.jsonl.xz").read_bytes()).splitlines()
    assert len(lines) == 77
    for line in lines:
        form = json.loads(line)
        assert normalize(form["raw"]) == form["normalized"]
        assert slow_words(form["raw"]) == form["normalized"].split()


def test_official_scores_of_each_question(shared_folder: Path) -> None:
    path = shared_folder / "data/golden/squad/case14_synthetic_edge.per_question.jsonl.xz"
    official = [json.loads(line) for line in lzma.decompress(path.read_bytes()).splitlines()]
    score, _ = squad.score_documents(*load_golden(shared_folder, "case14_synthetic_edge"))
    assert [(each.id, each.exact, each.f1, each.answered) for each in score.questions] == [
        (each["id"], each["exact_match"] == 1, each["f1"], True) for each in official
    ]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  U.S.\tArmy", "us army"),
        ("the-end of An-Other a", "theend of another"),
        ("‘the’ end – a", "‘ ’ end –"),
        ("el a\u0300 mar", "el \u0300 mar"),
        ("x\u00a0y\u3000z\u200bz", "x y z\u200bz"),
        ("£5 $5 5€", "£5 5 5€"),
        ("the_end _a_", "theend"),
        ("İ ß", "i\u0307 ß"),
        (" an ", ""),
    ],
)
def test_normal_forms(text: str, normal: str) -> None:
    assert normalize(text) == normal


texts = st.lists(
    st.sampled_from(["the", "a", "an", "boat", "red", "Boat.", "the-end", "’", "ë", "e\u0308", "_", "", "\u00a0", "5"])
    | st.text(max_size=2),
    max_size=6,
).flatmap(lambda words: st.sampled_from([" ", "", "-", "\u2003"]).map(lambda blank: blank.join(words)))


@given(texts, st.lists(texts, min_size=1, max_size=4))
@settings(max_examples=300)
@example("the", ["a", "the boat"])
@example("x a\u0301 y", ["x \u0301 y"])
@example("a_b the_", ["ab"])
@example("’the’", [""])
def test_an_answers_score_equals_the_slow_one(prediction: str, golds: list[str]) -> None:
    exact, shared = slow_score(prediction, golds)
    score = score_answer(prediction, golds)
    assert normalize(prediction) == " ".join(slow_words(prediction))
    assert score.exact == exact
    assert score.f1 == pytest.approx(float(shared), rel=1e-14)
    assert score == (max(exact_match(prediction, gold) for gold in golds), max(f1(prediction, gold) for gold in golds))
    assert score == score_answer(prediction, golds[::-1])


@given(texts, texts)
def test_f1_does_not_ask_which_of_the_two_is_gold(one: str, other: str) -> None:
    assert f1(one, other) == pytest.approx(f1(other, one), rel=1e-14)
    assert f1(one, one) == (1 if normalize(one) else 0)
    assert exact_match(one, one)


def test_an_answer_needs_a_gold_one() -> None:
    with pytest.raises(ValueError, match="empty"):
        score_answer("boat", [])


def test_f1_is_summed_in_the_datasets_order_and_not_more_exactly() -> None:
    """The script adds; from Python 3.12 on `sum` does better, and prints another last digit."""
    score, _ = squad.score_documents(*load_case("order_of_sums"))
    values = [question.f1 for question in score.questions]
    assert squad.report(score) == '{"exact_match": 0.0, "f1": 48.27937585290526}'
    assert 100 * math.fsum(values) / 8 == 48.27937585290527
    assert SquadScore(score.questions[::-1]).f1 == 48.27937585290527


def test_values_for_json() -> None:
    score, _ = squad.score_documents(*load_case("unknown_ids"))
    counts = {"total": 2, "answered": 2, "missing": 0, "unknown": 3}
    assert squad.to_dict(score) == {"exact_match": 50.0, "f1": 50.0, **counts}
    score, _ = squad.score_documents(*load_case("missing"))
    assert squad.to_dict(score)["missing"] == 2
    assert score.questions[2:] == (
        QuestionScore("m3", exact=False, f1=0.0, answered=False),
        QuestionScore("m4", exact=False, f1=2 / 3, answered=True),
    )
    assert SquadScore(()).f1 == 0


def dataset() -> dict[str, Any]:
    qas = [{"id": "q1", "answers": [{"text": "boat"}]}, {"id": "q2", "answers": [{"text": "hill"}, {"text": "sail"}]}]
    return {"version": "1.1", "data": [{"paragraphs": []}, {"paragraphs": [{"qas": []}, {"qas": qas}]}]}


def question(document: dict[str, Any]) -> dict[str, Any]:
    """The second question."""
    return document["data"][1]["paragraphs"][1]["qas"][1]


SECOND = "d.json: data[1].paragraphs[1].qas[1]"


@pytest.mark.parametrize(
    ("change", "sentence", "ending"),
    [
        (
            lambda d, p: d.pop("version"),
            'd.json: expected an object with "version" (the dataset comes first, then predictions)',
            "KeyError: 'version'",
        ),
        (lambda d, p: d.update(version=1.1), 'd.json: "version" must be a string', "TypeError: can only concatenate"),
        (lambda d, p: d.pop("data"), 'd.json: expected an object with "data"', "KeyError: 'data'"),
        (lambda d, p: d.update(data=None), 'd.json: "data" must be a list', "TypeError: 'NoneType' object is not it"),
        (lambda d, p: d.update(data=[]), "d.json: there must be a question", "ZeroDivisionError: "),
        (lambda d, p: d.update(data=""), "d.json: there must be a question", "ZeroDivisionError: "),
        (lambda d, p: d.update(data="x"), 'd.json: data[0]: expected an object with "paragraphs"', "TypeError: string"),
        (
            lambda d, p: d["data"][1].pop("paragraphs"),
            'd.json: data[1]: expected an object with "paragraphs"',
            "KeyError: 'paragraphs'",
        ),
        (
            lambda d, p: d["data"][1]["paragraphs"][0].pop("qas"),
            'd.json: data[1].paragraphs[0]: expected an object with "qas"',
            "KeyError: 'qas'",
        ),
        (
            lambda d, p: d["data"][1]["paragraphs"].insert(0, 7),
            'd.json: data[1].paragraphs[0]: expected an object with "qas"',
            "TypeError: 'int' object is not subscriptable",
        ),
        (lambda d, p: question(d).pop("id"), f'{SECOND}: expected an object with "id"', "KeyError: 'id'"),
        (lambda d, p: question(d).update(id=2), f'{SECOND}: "id" must be a string', "TypeError: can only concatenate"),
        (lambda d, p: question(d).update(id=[]), f'{SECOND}: "id" must be a string', "TypeError: unhashable type"),
        (
            lambda d, p: question(d).pop("answers"),
            f'{SECOND}: expected an object with "answers"',
            "KeyError: 'answers'",
        ),
        (
            lambda d, p: question(d).update(answers=[]),
            f'{SECOND}: "answers" must hold at least one, and the "text" of each must be a string',
            "ValueError: max()",
        ),
        (
            lambda d, p: question(d)["answers"][1].pop("text"),
            f'{SECOND}.answers[1]: expected an object with "text"',
            "KeyError: 'text'",
        ),
        (
            lambda d, p: question(d)["answers"][1].update(text=5),
            f'{SECOND}: "answers" must hold at least one, and the "text" of each must be a string',
            "AttributeError: 'int' object has no attribute 'lower'",
        ),
        (
            lambda d, p: p.update(q2=None),
            "p.json: the prediction for 'q2' must be a string",
            "AttributeError: 'NoneType' object has no attribute 'lower'",
        ),
        (
            lambda d, p: p.update(q2=["hill", 0.5]),
            "p.json: the prediction for 'q2' must be a string",
            "AttributeError: 'list' object has no attribute 'lower'",
        ),
    ],
)
def test_what_the_script_refuses(change: Callable[..., object], sentence: str, ending: str) -> None:
    document, predictions = dataset(), {"q1": "boat", "q2": "sail"}
    change(document, predictions)
    with pytest.raises(RefusalError) as refused:
        squad.score_documents(document, predictions, "d.json", "p.json")
    assert str(refused.value).startswith(f"{sentence}; the official script ends with {ending}")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "change",
    [
        lambda d, p: (question(d).pop("answers"), p.pop("q2")),
        lambda d, p: (question(d).update(answers=7), p.pop("q2")),
        lambda d, p: p.update(other=None),
        lambda d, p: d["data"].append({"paragraphs": {}}),
        lambda d, p: d["data"].append({"paragraphs": [{"qas": ""}]}),
    ],
)
def test_what_the_script_does_not_look_at(change: Callable[..., object]) -> None:
    document, predictions = dataset(), {"q1": "boat", "q2": "sail"}
    change(document, predictions)
    score, _ = squad.score_documents(document, predictions)
    assert (score.total, score.exact_match) == (2, 50.0 * len({"q1", "q2"} & predictions.keys()))


@given(st.data())
@settings(max_examples=300)
def test_any_change_of_the_values_has_a_score_or_the_refusal(data: st.DataObject) -> None:
    files = {"d": copy.deepcopy(dataset()), "p": {"q1": "boat", "q2": "sail"}}
    for _ in range(data.draw(st.integers(1, 2))):
        holder: Any = files
        key: Any = data.draw(st.sampled_from("dp"))
        while isinstance(holder[key], dict | list) and holder[key] and (holder is files or data.draw(st.booleans())):
            holder = holder[key]
            key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        holder[key] = data.draw(
            st.sampled_from([None, True, 3, 0.5, "", "q1", [], {}, [[]], [{}], ["q2"], {"id": "q3"}])
        )
    score, refusal = None, ""
    try:
        score, warnings = squad.score_documents(files["d"], files["p"])
    except RefusalError as error:
        refusal = str(error)
    if score is None:
        assert re.match(r"(dataset|predictions): .*; the official script ends with \w+Error: ", refusal)
        assert refusal.isprintable()
        return
    assert 0 <= score.exact_match <= 100 >= score.f1 >= 0
    assert score.answered == score.total - sum(line.startswith("Unanswered question ") for line in warnings)
