"""Automatic mixed precision."""

import json
from collections.abc import Callable

import pytest
import torch

from tests.end_to_end.conftest import World, read_json


@pytest.mark.skipif(not torch.cuda.is_available(), reason="use_amp needs a GPU, and there is none here")
def test_use_amp(make_world: Callable[[], World]) -> None:
    world = make_world()
    overrides = {"trainer.use_amp": True, "trainer.cuda_device": 0, "trainer.num_epochs": 1}
    world.run("allennlp", "train", world.config(), "-s", "run", "-o", json.dumps(overrides))
    state = torch.load(world.folder / "run" / "resume_state_e1_b0_w0.th", weights_only=True)
    assert state["grad_scaler"]["scale"] > 0
    assert len(state["generators"]["cuda"]) == torch.cuda.device_count()
    assert 0 < read_json(world.folder / "run" / "metrics.json")["training_loss"] < 5
