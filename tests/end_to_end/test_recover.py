"""`allennlp train --recover` after kill -9, in the middle of an epoch, against a run that was left alone."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.end_to_end.components.self_killing import KILL_VARIABLE
from tests.end_to_end.conftest import World, read_json

OF_THE_MACHINE = ("duration", "memory_MB")
OVERRIDES = {
    "trainer.num_epochs": 3,
    "trainer.callbacks": [{"type": "self_killing"}],
    "trainer.checkpointer.save_every_num_batches": 5,
}
TWO_PROCESSES = {
    **OVERRIDES,
    "distributed": {"cuda_devices": [-1, -1]},
    "data_loader.batch_sampler.batch_size": 2,
    "trainer.num_epochs": 2,
}


def train(world: World, folder: str, overrides: dict[str, Any], *more: str, **keywords: Any) -> Any:
    return world.run(
        "allennlp", "train", world.config(), "-s", folder, "-o", json.dumps(overrides),
        "--include-package", "self_killing", *more, **keywords,
    )  # fmt: skip


def metrics(path: Path) -> dict[str, Any]:
    return {name: value for name, value in read_json(path).items() if not name.endswith(OF_THE_MACHINE)}


def assert_same(whole: Path, recovered: Path) -> None:
    for name in ("metrics.json", *(path.name for path in whole.glob("metrics_epoch_*.json"))):
        assert metrics(recovered / name) == metrics(whole / name), name
    kept = sorted(path.name for path in whole.glob("*_state_*.th"))
    assert sorted(path.name for path in recovered.glob("*_state_*.th")) == kept
    for name in ("best.th", *(name for name in kept if name.startswith("model_state"))):
        expected = torch.load(whole / name, weights_only=True)
        found = torch.load(recovered / name, weights_only=True)
        assert found.keys() == expected.keys()
        assert [key for key in expected if not torch.equal(found[key], expected[key])] == [], name


def test_killed_in_mid_epoch(make_world: Callable[[], World]) -> None:
    world = make_world()
    train(world, "whole", OVERRIDES)
    killed = train(world, "killed", OVERRIDES, succeeds=False, **{KILL_VARIABLE: "1 8 0"})
    assert killed.returncode == -signal.SIGKILL
    run = world.folder / "killed"
    assert not (run / "model.tar.gz").exists()
    assert (run / "resume_state_e1_b5_w0.th").exists()
    train(world, "killed", OVERRIDES, "--recover")
    assert_same(world.folder / "whole", run)


@pytest.mark.real
@pytest.mark.parametrize("rank", [0, 1])
def test_one_of_two_processes_killed(rank: int, make_world: Callable[[], World]) -> None:
    world = make_world()
    train(world, "whole", TWO_PROCESSES)
    killed = train(world, "killed", TWO_PROCESSES, succeeds=False, **{KILL_VARIABLE: f"1 8 {rank}"})
    assert killed.returncode != 0
    run = world.folder / "killed"
    assert {path.name for path in run.glob("resume_state_e1_b5_*")} == {
        "resume_state_e1_b5_w0.th",
        "resume_state_e1_b5_w1.th",
    }
    train(world, "killed", TWO_PROCESSES, "--recover")
    assert_same(world.folder / "whole", run)
