"""The floor of coreference: the words that our model reads, and scores by the reference scorer's reckoning."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from elmo_tasks.formats.conll2012 import Mention, plain_document, read_documents, write_documents
from elmo_tasks.scoring.coref import CorefScorer

floors = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "floors.py"))
coref_reading, score_clusters, write_coref = (
    floors[name] for name in ("coref_reading", "score_clusters", "write_coref")
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    words = [["“", "Mara", "”", "-LRB-", "she", "-RRB-", "–", "and", "I", "/."], ["It\u2019s", "her", "ferry", "\\/"]]
    document = plain_document("a/b", 0, words, [["x"] * len(sentence) for sentence in words])
    clusters = {"3": [Mention(0, 1, 2), Mention(0, 4, 5), Mention(1, 1, 2)], "7": [Mention(1, 1, 3)]}
    nothing = plain_document("a/c", 0, [], [])
    path = tmp_path / "source.gold_conll"
    write_documents(path, [document.with_clusters(clusters), nothing])
    return path


def profile(plain: bool) -> dict[str, Any]:
    training = {"dataset_reader": {"genre_part": 1, "plain_typography": True}} if plain else {}
    return {"tasks": {"coref": {"training": training}}, "word_vectors": {"map_treebank_tokens": plain}}


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        (True, [['"', "Mara", '"', "(", "she", ")", "-", "and", "I", "."], ["It's", "her", "ferry", "/"]]),
        (False, [["“", "Mara", "”", "-LRB-", "she", "-RRB-", "–", "and", "I", "."], ["It’s", "her", "ferry", "\\/"]]),
    ],
)
def test_its_reader_gets_the_words_that_our_model_reads(
    source: Path, tmp_path: Path, plain: bool, words: list[list[str]]
) -> None:
    written, nothing = read_documents(write_coref(source, tmp_path / "test", **coref_reading(profile(plain))))
    assert [list(sentence.words) for sentence in written.sentences] == words
    original = next(read_documents(source))
    assert list(written.clusters().values()) == list(original.clusters().values())
    assert written.sentences[0].speakers == original.sentences[0].speakers
    assert nothing.sentences == ()


def test_clusters_are_scored_as_the_command_does_it(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its mentions are counted through the document and have their last words; words 8 to 10 cross 9 to 11."""
    predictions, response = tmp_path / "predictions.json", tmp_path / "response.conll"
    batches = [[[[1, 1], [4, 4], [7, 8], [8, 9], [10, 10]], [[11, 12], [12, 13]]], []]
    predictions.write_text("".join(json.dumps({"clusters": [one]}) + "\n" for one in batches), encoding="utf-8")
    found = score_clusters(predictions, source, response)
    clusters = list(next(read_documents(response)).clusters().values())
    assert clusters == [
        [Mention(0, 1, 2), Mention(0, 4, 5), Mention(0, 7, 9), Mention(1, 0, 1)],
        [Mention(1, 1, 3)],
    ]
    scorer = CorefScorer()
    scorer.add_document(next(read_documents(source)).clusters().values(), clusters)
    assert found == scorer.score().conll > 0
    assert capsys.readouterr().err == f"{response}: 2 mentions left out that cross another one of their cluster\n"


def test_its_reader_reads_what_is_written(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("allennlp_models", reason="allennlp-models is not installed (docs/allennlp-today.md)")
    from allennlp_models.coref.dataset_readers.conll import ConllCorefReader

    with_words = tmp_path / "with_words.gold_conll"  # which its reader asks for
    write_documents(with_words, [next(read_documents(source))])
    (instance,) = ConllCorefReader(10).read(write_coref(with_words, tmp_path / "test", True, plain_typography=True))
    assert [token.text for token in instance["text"].tokens][:4] == ['"', "Mara", '"', "("]
    assert [len(cluster) for cluster in instance["metadata"]["clusters"]] == [3, 1]
