"""Checkpoints and the plateau scheduler."""

import inspect
import logging
import os
import pickle
from pathlib import Path
from types import ModuleType

import allennlp.training.checkpointer
import numpy as np
import pytest
import torch
from allennlp.common import Params
from allennlp.training.learning_rate_schedulers import LearningRateScheduler

from elmo_tasks.bridge import training


def plateau(optimizer: torch.optim.Optimizer, **settings: object) -> LearningRateScheduler:
    return LearningRateScheduler.from_params(Params({"type": "reduce_on_plateau", **settings}), optimizer=optimizer)


def test_plateau_lowers_the_rate_when_the_metric_stands_still() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = plateau(optimizer, mode="max", patience=1, factor=0.5, cooldown=0, min_lr=0.2)
    rates = []
    for metric in (0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2):
        scheduler.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.2]


def test_plateau_goes_on_from_its_state() -> None:
    def run(interrupted: bool) -> float:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = plateau(optimizer, patience=2, factor=0.1)
        for metric in (1.0, 2.0, 2.0):
            scheduler.step(metric)
        if interrupted:
            state = scheduler.state_dict()
            scheduler = plateau(optimizer, patience=2, factor=0.1)
            scheduler.load_state_dict(state)
        scheduler.step(2.0)
        return float(optimizer.param_groups[0]["lr"])

    assert run(interrupted=True) == run(interrupted=False) == pytest.approx(0.1)


@pytest.mark.skipif(
    "verbose" in inspect.signature(torch.optim.lr_scheduler.ReduceLROnPlateau).parameters,
    reason="this torch still knows 'verbose'",
)
def test_plateau_says_that_verbose_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    with caplog.at_level(logging.WARNING):
        plateau(optimizer, verbose=True)
    assert "'verbose'" in caplog.text


def test_plateau_is_left_alone_where_torch_knows_verbose(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithVerbose:
        def __init__(self, optimizer: object, verbose: bool = False) -> None: ...

    monkeypatch.setattr(torch.optim.lr_scheduler, "ReduceLROnPlateau", WithVerbose)
    module = ModuleType("schedulers")  # it has no scheduler that could be changed
    with training.plateau_without_verbose(module):
        pass


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "bool"])
def test_numpy_scalars_come_back_from_a_checkpoint(kind: str, tmp_path: Path) -> None:
    assert allennlp.training.checkpointer  # importing it is what allows them
    value = np.dtype(kind).type(1)
    torch.save({"best_validation_metrics": {"accuracy": value}}, tmp_path / "state.th")
    state = torch.load(tmp_path / "state.th", weights_only=True)
    assert state["best_validation_metrics"]["accuracy"] == value


def test_code_in_a_checkpoint_is_still_refused(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'executed'}",)

    torch.save({"weights": Code()}, tmp_path / "state.th")
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        torch.load(tmp_path / "state.th")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("version", "expected"), [("2.4.0+cpu", "1"), ("2.5.1", "1"), ("2.6.0", None), ("2.13.0", None)]
)
def test_older_torch_is_told_to_read_plain_values_only(
    version: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0")
    monkeypatch.delenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    monkeypatch.setattr(torch, "__version__", version)
    with training.weights_only_by_default(ModuleType("allennlp")):
        assert os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD") == expected


def test_who_wants_the_old_way_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0")
    monkeypatch.setattr(torch, "__version__", "2.4.0")
    with training.weights_only_by_default(ModuleType("allennlp")):
        assert os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] == "0"
