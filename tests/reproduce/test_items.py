"""What became of each test item: read back from predictions, and only where all three sources agree."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elmo_tasks.reproduce.items import read_items

# Three sentences, of which the second has no entity: gold, found and correct entities below.
NER = """-DOCSTART- -X- O O

Anna N O I-PER
Vale N O I-PER
visits V O O
Lyon N O I-LOC

Fine J O O

Red N O I-ORG
Hat N O I-ORG
Films N O B-ORG
"""
GOLD = [[["PER", 0, 2], ["LOC", 3, 4]], [], [["ORG", 0, 2], ["ORG", 2, 3]]]
FOUND = [[["PER", 0, 2], ["LOC", 2, 3]], [], [["ORG", 0, 2], ["ORG", 2, 3], ["PER", 0, 2]]]
GAINED, POSSIBLE = [2, 0, 4], [4, 0, 5]
SST5 = "(3 (2 It) (4 works))\n(0 Bad)\n(2 (2 So) (2 so))\n"


def write_predictions(path: Path, batches: list[list[dict[str, Any]]]) -> Path:
    """A line a batch, lists side by side, as `allennlp evaluate` writes them."""
    lines = [json.dumps({key: [item[key] for item in batch] for key in batch[0]}) for batch in batches]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def ner(tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    path = tmp_path / "eng.testb"
    path.write_text(NER, encoding="utf-8")
    words = [["Anna", "Vale", "visits", "Lyon"], ["Fine"], ["Red", "Hat", "Films"]]
    items = zip(words, FOUND, GOLD, strict=True)
    return path, [{"words": one, "entities": found, "gold_entities": gold} for one, found, gold in items]


@pytest.fixture
def sst5(tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    path = tmp_path / "test.txt"
    path.write_text(SST5, encoding="utf-8")
    texts = [["It", "works"], ["Bad"], ["So", "so"]]
    return path, [{"tokens": one, "label": label} for one, label in zip(texts, ["3", "1", "2"], strict=True)]


@pytest.mark.parametrize("sizes", [(3,), (2, 1), (1, 1, 1)])
def test_entities_are_counted_by_sentence_whatever_the_batches(ner, tmp_path: Path, sizes: tuple[int, ...]) -> None:
    path, items = ner
    starts = np.cumsum((0, *sizes))
    batches = [items[start:end] for start, end in itertools.pairwise(starts)]
    predictions = write_predictions(tmp_path / "predictions.json", batches)
    read = read_items("ner", predictions, path, 2 * 3 / (5 + 4))
    assert read is not None
    np.testing.assert_array_equal(read.scores(), [GAINED, POSSIBLE])
    assert read.groups == {}


def test_the_file_may_code_its_entities_in_any_scheme(ner, tmp_path: Path) -> None:
    path, items = ner
    path.write_text(NER.replace("Lyon N O I-LOC", "Lyon N O U-LOC"), encoding="utf-8")
    predictions = write_predictions(tmp_path / "predictions.json", [items])
    read = read_items("ner", predictions, path, 6 / 9)
    assert read is not None
    np.testing.assert_array_equal(read.scores(), [GAINED, POSSIBLE])


def test_roots_are_right_or_wrong(sst5, tmp_path: Path) -> None:
    path, items = sst5
    predictions = write_predictions(tmp_path / "predictions.json", [items[:2], items[2:]])
    read = read_items("sst5", predictions, path, 2 / 3)
    assert read is not None
    np.testing.assert_array_equal(read.scores(), [[1, 0, 1], [1, 1, 1]])


def test_groups_lie_beside_the_test_file(ner, tmp_path: Path) -> None:
    path, items = ner
    predictions = write_predictions(tmp_path / "predictions.json", [items])
    (tmp_path / "eng.ambiguous.txt").write_text("1\n0\n1\n", encoding="utf-8")
    read = read_items("ner", predictions, path, 6 / 9)
    assert read is not None
    assert read.members("ambiguous").tolist() == [True, False, True]
    for flags in ("1\n0\n", "1\n0\n2\n"):
        (tmp_path / "eng.ambiguous.txt").write_text(flags, encoding="utf-8")
        with pytest.raises(ValueError, match=r"eng\.ambiguous\.txt: expected 3 lines of 0 or 1, found [23]"):
            read_items("ner", predictions, path, 6 / 9)


def test_what_does_not_belong_together_is_refused(ner, tmp_path: Path) -> None:
    path, items = ner
    out = tmp_path / "predictions.json"
    with pytest.raises(ValueError, match=r"the predictions' items give 0\.666667, the metric says 0\.700000"):
        read_items("ner", write_predictions(out, [items]), path, 0.7)
    with pytest.raises(ValueError, match="shorter"):
        read_items("ner", write_predictions(out, [items[:2]]), path, 0.5)
    with pytest.raises(ValueError, match="longer"):
        read_items("ner", write_predictions(out, [items, items[:1]]), path, 0.5)
    with pytest.raises(ValueError, match=r"the item for .*eng\.testb:3 is another sentence"):
        read_items("ner", write_predictions(out, [items[::-1]]), path, 6 / 9)


def test_pairs_with_a_label_are_right_or_wrong(tmp_path: Path, repository: Path) -> None:
    """The fourth pair of the file has no label."""
    path = repository / "fixtures" / "snli" / "dev.jsonl"
    gold = ["entailment", "contradiction", "neutral", "contradiction", "neutral", "entailment", "contradiction"]
    ids = [f"dev-{number}" for number in (1, 2, 3, 5, 6, 7, 8)]
    items = [{"pair_id": one, "label": label} for one, label in zip(ids, [*gold[:5], "neutral", gold[6]], strict=True)]
    out = tmp_path / "predictions.json"
    read = read_items("snli", write_predictions(out, [items[:3], items[3:]]), path, 6 / 7)
    assert read is not None
    np.testing.assert_array_equal(read.scores(), [[1, 1, 1, 1, 1, 0, 1], [1] * 7])
    with pytest.raises(ValueError, match=r"the item for .*dev\.jsonl:1 is the pair 'dev-2'"):
        read_items("snli", write_predictions(out, [items[1:]]), path, 6 / 7)


def test_questions_have_the_f1_of_their_answers(tmp_path: Path, repository: Path) -> None:
    path = repository / "fixtures" / "squad" / "dev.json"
    # gold: Port Sol; 9; (when) the railway (came); (Xenia) Quill; 1911
    answers = ["from Port Sol", "9.", "the old railway", "Anna Quill", "in 1911 and 1912"]
    f1 = [1.0, 1.0, 2 / 3, 2 / 3, 2 / 5]
    items = [{"id": f"dev{number:03d}", "best_span_text": text} for number, text in enumerate(answers, start=1)]
    out = tmp_path / "predictions.json"
    read = read_items("squad", write_predictions(out, [items[:3], items[3:]]), path, sum(f1) / 5)
    assert read is not None
    np.testing.assert_array_equal(read.scores(), [f1, [1] * 5])
    with pytest.raises(ValueError, match=r"the item for .*dev\.json: 'dev001' is question 'dev002'"):
        read_items("squad", write_predictions(out, [items[1:]]), path, 0.5)


def test_arguments_are_counted_by_sentence(tmp_path: Path, repository: Path) -> None:
    """Right in all but: one of three missed and a wrong one; arguments without a predicate; a piece missing."""
    path = repository / "fixtures" / "srl" / "dev.gold_conll"
    words = ["Tom sold the boat that he bought .", "No .", "The zyx , she says , left .", "It is such as Anna sold ."]
    words += ["Rex jump - starts it ."]
    answers = [
        (0, 1, [["ARG0", 0, 1], ["V", 1, 2], ["ARG1", 2, 4]]),
        (0, 6, [["ARG1", 2, 4], ["R-ARG0", 4, 5], ["ARG0", 5, 6], ["V", 6, 7]]),
        (1, -1, [["ARG0", 0, 1]]),
        (2, 4, [["ARG1", 0, 2], ["ARG0", 3, 4], ["V", 4, 5]]),
        (2, 6, [["ARG0", 0, 2], ["V", 6, 7]]),
        (3, 5, [["ARG1", 0, 1], ["R-ARGM-ADJ", 2, 4], ["ARG0", 4, 5]]),
        (4, 1, []),
        (4, 3, [["ARG0", 0, 1], ["V", 1, 2], ["C-V", 3, 4], ["ARG1", 4, 5]]),
    ]
    items = [
        {"words": words[sentence].split(" "), "predicate": predicate, "arguments": spans}
        for sentence, predicate, spans in answers
    ]
    gained, possible = [8, 0, 4, 6, 4], [10, 0, 6, 6, 6]
    out = tmp_path / "predictions.json"
    read = read_items("srl", write_predictions(out, [items[:3], items[3:]]), path, sum(gained) / sum(possible))
    assert read is not None
    np.testing.assert_array_equal(read.scores(), [gained, possible])
    for wrong in (items[1:], items[:-1], [items[1], items[0], *items[2:]]):
        with pytest.raises(ValueError, match=r"the item for .*dev\.gold_conll:\d+ is another sentence, or predicate"):
            read_items("srl", write_predictions(out, [wrong]), path, 0.5)
    with pytest.raises(ValueError, match=r"there are more items than .*dev\.gold_conll has predicates"):
        read_items("srl", write_predictions(out, [items, items[:1]]), path, 0.5)


def test_another_sentence_is_refused_for_trees_too(sst5, tmp_path: Path) -> None:
    path, items = sst5
    predictions = write_predictions(tmp_path / "predictions.json", [[items[0], items[2], items[1]]])
    with pytest.raises(ValueError, match=r"the item for .*test\.txt:2 is another sentence"):
        read_items("sst5", predictions, path, 2 / 3)


def test_nothing_found_and_nothing_to_find_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "eng.testb"
    path.write_text("Fine J O O\n", encoding="utf-8")
    predictions = write_predictions(
        tmp_path / "predictions.json", [[{"words": ["Fine"], "entities": [], "gold_entities": []}]]
    )
    read = read_items("ner", predictions, path, 0.0)
    assert read is not None
    np.testing.assert_array_equal(read.scores(), [[0], [0]])


@pytest.mark.parametrize("task", ["another", "coref"])
def test_a_task_without_items_has_none(task: str, tmp_path: Path) -> None:
    assert read_items(task, tmp_path / "no.json", tmp_path / "no.txt", 0.5) is None
