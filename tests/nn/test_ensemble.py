"""The ensemble itself, with members of one number each."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.predictors import Predictor

from elmo_tasks.errors import InputError
from elmo_tasks.nn.ensemble import Ensemble, EnsembleMember, Scores


class Scale(EnsembleMember):
    """Multiplies what it gets by a number; has a frozen table too."""

    default_predictor = "scale_for_tests"
    official_keys = ("product",)

    def __init__(self, vocab: Vocabulary, factor: float, table: float = 7.0) -> None:
        super().__init__(vocab)
        self.factor = torch.nn.Parameter(torch.tensor(factor, dtype=torch.float64))
        self.table = torch.nn.Parameter(torch.full((100,), table), requires_grad=False)
        self.seen = 0

    def scores(self, number: torch.Tensor, **_: Any) -> Scores:
        return {"product": self.factor * number}

    @staticmethod
    def average(members: list[Scores]) -> Scores:
        return {"product": torch.stack([member["product"] for member in members]).mean(dim=0)}

    def answer(self, scores: Scores, name: str = "", **_: Any) -> dict[str, Any]:
        self.seen += len(scores["product"])
        return {**scores, "name": name}

    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        return {"seen": float(self.seen)}

    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        return {**output_dict, "readable": True}

    def official_predictions(self, items: Iterable[tuple[Any, ...]]) -> Iterator[str]:
        yield from (f"{item}\n" for (item,) in items)


class OtherScale(Scale):
    pass


class NoMember(Model):
    def forward(self, **_: Any) -> dict[str, Any]:
        return {}


@Predictor.register("scale_for_tests", exist_ok=True)
class ScalePredictor(Predictor):
    pass


def members(*factors: float) -> list[Model]:
    return [Scale(Vocabulary(), factor) for factor in factors]


def test_a_member_alone_is_its_two_halves() -> None:
    (model,) = members(3.0)
    answer = model(number=torch.tensor([2.0]), name="two")
    assert (answer["product"].tolist(), answer["name"]) == ([6.0], "two")


def test_an_ensemble_answers_with_the_average_and_its_first_member_counts() -> None:
    ensemble = Ensemble(Vocabulary(), members(3.0, 4.0, 8.0))
    answer = ensemble(number=torch.tensor([2.0, -1.0]), name="pair")
    assert (answer["product"].tolist(), answer["name"]) == ([10.0, -5.0], "pair")
    assert ensemble.get_metrics() == {"seen": 2.0}
    assert [member.seen for member in ensemble.members] == [2, 0, 0]
    assert ensemble.make_output_human_readable({})["readable"]
    assert ensemble.official_keys == ("product",)
    assert list(ensemble.official_predictions([(1,), (2,)])) == ["1\n", "2\n"]


def test_the_order_of_members_does_not_matter() -> None:
    factors = [0.1, 0.7, -3.3, 1e3]
    answers = [
        Ensemble(Vocabulary(), members(*order))(number=torch.tensor([0.3], dtype=torch.float64))["product"].item()
        for order in (factors, factors[::-1])
    ]
    np.testing.assert_allclose(*answers, rtol=1e-14)


def test_the_members_own_predictor_is_the_ensembles() -> None:
    ensemble = Ensemble(Vocabulary(), members(1.0, 2.0))
    build = Predictor.by_name(Ensemble.default_predictor)
    predictor = build(ensemble, DatasetReader())
    assert type(predictor) is ScalePredictor
    assert predictor._model is ensemble


def test_what_is_shared_in_a_state_stays_shared() -> None:
    one, other = members(1.0, 2.0)
    state = {f"members.0.{name}": value for name, value in one.state_dict().items()}
    state |= {f"members.1.{name}": value for name, value in other.state_dict().items()}
    state["members.1.table"] = state["members.0.table"]
    ensemble = Ensemble(Vocabulary(), members(5.0, 6.0))
    ensemble.load_state_dict(state)
    first, second = ensemble.members
    assert [member.factor.item() for member in ensemble.members] == [1.0, 2.0]
    assert first.table.data_ptr() == second.table.data_ptr()
    assert [parameter.requires_grad for parameter in second.parameters()] == [True, False]


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        ([], r"model\.members are none; expected two or more models of one kind\."),
        (members(1.0), r"model\.members are Scale; expected two or more models of one kind\."),
        (
            [*members(1.0), OtherScale(Vocabulary(), 2.0)],
            r"model\.members are Scale, OtherScale; expected two or more models of one kind\.",
        ),
        (
            [NoMember(Vocabulary()), NoMember(Vocabulary())],
            r"model\.members: NoMember is no model that an ensemble can average\.",
        ),
    ],
)
def test_members_that_do_not_belong_together(models: list[Model], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Ensemble(Vocabulary(), models)
