"""Predictions in the official formats; that the commands write them is tested with each task."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.data import DataLoader, Vocabulary
from allennlp.models import BasicClassifier, Model
from allennlp.modules.seq2vec_encoders import BagOfEmbeddingsEncoder
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.modules.token_embedders import Embedding

import elmo_tasks.plugin  # noqa: F401  (registers the models)
from elmo_tasks.errors import InputError
from elmo_tasks.formats.tags import Span, decode
from elmo_tasks.reproduce.official import OfficialEvaluator, with_official_format
from elmo_tasks.tasks.ner.model import CRFTagger
from elmo_tasks.tasks.sst5.model import BiattentiveClassificationNetwork


class Replies(Model):
    """A model whose batches bring their own labels, and one that fails at the label "bad"."""

    official_keys = ("label", "remark")

    def __init__(self) -> None:
        super().__init__(Vocabulary())
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, labels: list[str]) -> dict[str, Any]:
        if "bad" in labels:
            raise RuntimeError("bad")
        return {"label": labels}

    def official_predictions(self, items):
        return (f"{label} {remark}\n" for label, remark in items)


class Batches(DataLoader):
    def __init__(self, *batches: list[str]) -> None:
        self.batches = batches

    def __iter__(self):
        return iter([{"labels": batch} for batch in self.batches])

    def set_target_device(self, device) -> None: ...


def test_batches_become_one_file_item_by_item(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    OfficialEvaluator()(Replies(), Batches(["a", "b"], ["c"]), predictions_output_file=out)
    assert out.read_text(encoding="utf-8") == "a None\nb None\nc None\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_a_failure_leaves_the_older_file(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("older\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="bad"):
        OfficialEvaluator()(Replies(), Batches(["a"], ["bad"]), predictions_output_file=out)
    assert out.read_text(encoding="utf-8") == "older\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_without_an_output_file_the_metrics_are_all_there_is(tmp_path: Path) -> None:
    scores = tmp_path / "scores.json"
    assert OfficialEvaluator()(Replies(), Batches(["a"]), metrics_output_file=scores) == {}
    assert json.loads(scores.read_text(encoding="utf-8")) == {}


def test_a_model_without_an_official_format_is_named() -> None:
    embedder = BasicTextFieldEmbedder({"tokens": Embedding(embedding_dim=2, num_embeddings=3)})
    model = BasicClassifier(Vocabulary(), embedder, BagOfEmbeddingsEncoder(2), num_labels=2)
    with pytest.raises(InputError, match="BasicClassifier has no official format for its predictions"):
        with_official_format(model)


@pytest.mark.parametrize(
    ("write", "items", "expected"),
    [
        (
            CRFTagger.official_predictions,
            [
                (["Ann", "Lee", "Ford"], [["PER", 0, 2], ["PER", 2, 3]], [["PER", 0, 2], ["ORG", 2, 3]]),
                (["Rain"], [], []),
            ],
            "Ann B-PER B-PER\nLee I-PER I-PER\nFord B-ORG B-PER\n\nRain O O\n\n",
        ),
        # of a sentence without gold entities the predicted tags alone
        (CRFTagger.official_predictions, [(["Ann", "ran"], [["PER", 0, 1]], None)], "Ann B-PER\nran O\n\n"),
        (BiattentiveClassificationNetwork.official_predictions, [("3",), ("0",)], "3\n0\n"),
    ],
)
def test_the_formats(write: Callable[..., Any], items: list[tuple[Any, ...]], expected: str) -> None:
    assert "".join(write(None, items)) == expected


def test_what_is_written_codes_the_entities_that_were_found() -> None:
    found = [Span("ORG", 0, 1), Span("ORG", 1, 3), Span("LOC", 4, 5)]
    rows = "".join(CRFTagger.official_predictions(None, [(list("abcde"), found, found)])).split("\n")[:5]
    assert decode([row.split(" ")[2] for row in rows], "IOB2") == found
