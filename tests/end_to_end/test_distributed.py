"""Two processes on the CPU."""

import json
from collections.abc import Callable

import torch

from tests.end_to_end.conftest import World, read_json


def test_two_processes_train_one_model(make_world: Callable[[], World]) -> None:
    world = make_world()
    overrides = {
        "distributed": {"cuda_devices": [-1, -1]},
        # A batch of each process is half of a step: as many trees a step as with one process and batches of 4.
        "data_loader.batch_sampler.batch_size": 2,
        "trainer.num_epochs": 1,
    }
    world.run("allennlp", "train", world.config(), "-s", "run", "-o", json.dumps(overrides))
    run = world.folder / "run"
    for rank in (0, 1):
        assert (run / f"out_worker{rank}.log").exists()
    states = [torch.load(run / f"resume_state_e1_b0_w{rank}.th", weights_only=True) for rank in (0, 1)]
    # 72 phrases, half of them for each process.
    assert [state["epoch_starts"][0]["batches"] for state in states] == [18, 18]
    # The losses of the two are summed over the 36 batches.
    loss = (states[0]["loss"] + states[1]["loss"]) / 36
    metrics = read_json(run / "metrics.json")
    assert abs(metrics["training_loss"] - loss) < 1e-5
    # The first process alone would score its half of the test data.
    assert not any(name.startswith("test_") for name in metrics)
    sentence = f"Run: allennlp evaluate run/model.tar.gz {world.folder / 'test.txt'}"
    assert sentence in (run / "out_worker0.log").read_text(encoding="utf-8")
    # Validation was shared out as well; one process alone gets the same figure.
    world.run("allennlp", "evaluate", "run/model.tar.gz", "dev.txt", "--output-file", "scores.json")
    assert read_json(world.folder / "scores.json")["accuracy"] == metrics["best_validation_accuracy"]
