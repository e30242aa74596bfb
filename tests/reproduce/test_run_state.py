"""What is captured from a run comes back as it was, through a file."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.data import Vocabulary
from allennlp.training.metrics import (
    Average,
    BooleanAccuracy,
    CategoricalAccuracy,
    F1Measure,
    FBetaMeasure,
    Metric,
    PearsonCorrelation,
    SpanBasedF1Measure,
)
from torch import nn

from elmo_tasks.reproduce.run_state import (
    capture_generators,
    capture_metrics,
    restore_generators,
    restore_metrics,
    without_numpy_scalars,
)


def through_file(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    torch.save(state, folder / "state.th")
    return torch.load(folder / "state.th", weights_only=True)


def draw() -> list[Any]:
    # A normal draw from Python and from numpy leaves a second one behind, which is part of their state.
    legacy = np.random.mtrand._rand
    return [random.random(), random.gauss(0, 1), legacy.rand(), legacy.randn(), torch.rand(3).tolist(), torch.randn(1)]


def test_generators_go_on_where_they_were(tmp_path: Path) -> None:
    for _ in range(3):
        draw()
    state = through_file(capture_generators(), tmp_path)
    expected = [draw(), draw()]
    random.seed(5)
    np.random.mtrand._rand.seed(5)
    torch.manual_seed(5)
    assert draw() != expected[0]
    restore_generators(state)
    assert [draw(), draw()] == expected


def test_capturing_draws_nothing() -> None:
    first = capture_generators()
    second = capture_generators()
    assert torch.equal(first["python"]["internal"], second["python"]["internal"])
    assert torch.equal(first["torch"], second["torch"])


class Counters:
    """Counts in an object of their own, as coreference scorers have them."""

    def __init__(self) -> None:
        self.hits = 0
        self.by_kind: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])


class NestedMetric(Metric):
    """A metric with counts in all kinds of places, and configuration that must stay."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.function = len
        self.scorers = [Counters(), Counters()]
        self.seen: set[str] = set()
        self.pair = (1, 2.0)
        self.array = np.zeros(2)
        self.itself = self
        self.inner = CategoricalAccuracy()
        self.table: defaultdict[str, defaultdict[int, float]] = defaultdict(lambda: defaultdict(float))

    def __call__(self, predictions: Any, gold_labels: Any, mask: Any = None) -> None:
        self.inner(torch.eye(3), torch.tensor([0, 1, 1]))
        for number, scorer in enumerate(self.scorers):
            scorer.hits += 1 + number
            scorer.by_kind["name"][1] += 1
        self.seen.add(str(len(self.seen)))
        self.pair = (self.pair[0] + 1, self.pair[1])
        self.array += np.float64(1.5)
        self.table["row"][3] += np.float32(0.5)

    def get_metric(self, reset: bool = False) -> dict[str, Any]:
        return {
            "inner": self.inner.get_metric(),
            "scorers": [(scorer.hits, dict(scorer.by_kind)) for scorer in self.scorers],
            "seen": self.seen,
            "pair": self.pair,
            "array": self.array.tolist(),
            "table": {row: dict(cells) for row, cells in self.table.items()},
        }

    def reset(self) -> None:
        self.__init__(self.vocabulary)  # type: ignore[misc]


def vocabulary() -> Vocabulary:
    return Vocabulary(non_padded_namespaces=["labels"], tokens_to_add={"labels": ["O", "B-PER", "I-PER"]})


METRICS = {
    "Average": (Average, lambda metric: metric(0.3)),
    "BooleanAccuracy": (BooleanAccuracy, lambda metric: metric(torch.tensor([1, 0, 1]), torch.tensor([1, 1, 1]))),
    "CategoricalAccuracy": (CategoricalAccuracy, lambda metric: metric(torch.eye(3), torch.tensor([0, 1, 1]))),
    "F1Measure": (lambda: F1Measure(1), lambda metric: metric(torch.eye(3), torch.tensor([0, 1, 1]))),
    "FBetaMeasure": (FBetaMeasure, lambda metric: metric(torch.eye(3), torch.tensor([0, 1, 1]))),
    "PearsonCorrelation": (PearsonCorrelation, lambda metric: metric(torch.rand(5), torch.rand(5))),
    "SpanBasedF1Measure": (
        lambda: SpanBasedF1Measure(vocabulary(), "labels"),
        lambda metric: metric(torch.eye(3)[None], torch.tensor([[0, 1, 1]])),
    ),
    "NestedMetric": (lambda: NestedMetric(vocabulary()), lambda metric: metric(None, None)),
}


class Holder(nn.Module):
    """A model that holds metrics as models do: directly, in a dictionary, in a list, in a part."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.one = make()
        self.several = {"a": make(), "b": make()}
        self.part = nn.Linear(1, 1)
        self.part.metrics = [make()]

    def metrics(self) -> list[Metric]:
        return [self.one, self.several["a"], self.several["b"], *self.part.metrics]


@pytest.mark.parametrize(("make", "count"), METRICS.values(), ids=METRICS.keys())
def test_metrics_count_on(make: Any, count: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = Holder(make)
    for times, metric in enumerate(whole.metrics()):
        for _ in range(times + 1):
            count(metric)
    state = through_file(capture_metrics(whole), tmp_path)
    recovered = Holder(make)
    restore_metrics(recovered, state)
    for _ in range(2):
        assert [metric.get_metric() for metric in recovered.metrics()] == [
            metric.get_metric() for metric in whole.metrics()
        ]
        # Both go on, which needs the right kinds of containers and not only the right values in them.
        for metrics in zip(whole.metrics(), recovered.metrics(), strict=True):
            for metric in metrics:
                torch.manual_seed(1)
                count(metric)


def test_captured_counts_do_not_change_with_the_metric() -> None:
    model = Holder(CategoricalAccuracy)
    METRICS["CategoricalAccuracy"][1](model.one)
    state = capture_metrics(model)
    expected = model.one.get_metric()
    METRICS["CategoricalAccuracy"][1](model.one)
    model.one(torch.eye(3), torch.tensor([2, 2, 1]))
    restore_metrics(model, state)
    assert model.one.get_metric() == expected


class ListOfObjects(Metric):
    def __init__(self) -> None:
        self.found: list[Counters] = []

    def __call__(self, predictions: Any, gold_labels: Any, mask: Any = None) -> None:
        self.found.append(Counters())

    def get_metric(self, reset: bool = False) -> int:
        return len(self.found)

    def reset(self) -> None:
        self.found = []


def test_counts_that_cannot_come_back_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    whole = Holder(ListOfObjects)
    whole.one(None, None)
    restore_metrics(Holder(ListOfObjects), capture_metrics(whole))
    assert "the counts of the metric at .one (ListOfObjects) could not be restored" in caplog.text


def test_numpy_scalars_become_numbers() -> None:
    tensor = torch.ones(2)
    plain = without_numpy_scalars({"a": [np.float32(0.5), (np.int64(2), "b")], "t": tensor, 3: np.bool_(True)})
    assert plain == {"a": [0.5, (2, "b")], "t": tensor, 3: True}
    assert type(plain["a"][1][0]) is int
    assert type(plain[3]) is bool
