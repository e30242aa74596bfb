"""TensorBoard's files against the log."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from elmo_tasks.bilm.training import progress
from elmo_tasks.bilm.training.config import TrainingConfig
from tests.bilm.training.test_trainer import FILES, cut_short, quiet

MakeConfig = Callable[..., TrainingConfig]


def records(path: Path) -> list[bytes]:
    """An event file is records of length, checksum, bytes, checksum."""
    data, place, found = path.read_bytes(), 0, []
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        found.append(data[place + 12 : place + 12 + length])
        place += 16 + length
    return found


def drawn(folder: Path) -> dict[tuple[str, int], float]:
    """Every number by name and batch."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found: dict[tuple[str, int], float] = {}
    for path in sorted((folder / "tensorboard").iterdir()):
        for record in records(path):
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                assert (value.tag, event.step) not in found
                found[value.tag, event.step] = value.simple_value
    return found


def test_it_holds_what_the_log_holds(make_config: MakeConfig) -> None:
    pytest.importorskip("tensorboardX")
    heldout = {"toy": "heldout.txt"}
    trainer = quiet(make_config(tensorboard=True, log_every=5, heldout=heldout, evaluate_every=8, epochs=0.5))
    trainer.run()
    expected: dict[tuple[str, int], float] = {}
    for line in (trainer.folder / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        batch = entry.pop("batch")
        if "heldout" in entry:
            at_the_end = f"_at_the_end_{entry['state_policy']}" if "at_the_end" in entry else ""
            expected[f"heldout_perplexity{at_the_end}/toy", batch] = entry["mean"]
        else:
            expected |= {(f"training/{name}", batch): value for name, value in entry.items()}
    assert drawn(trainer.folder) == {key: pytest.approx(value, rel=1e-6) for key, value in expected.items()}
    assert [batch for name, batch in expected if name == "training/loss"] == [5, 10, 15, 16]
    assert {batch for name, batch in expected if name == "heldout_perplexity/toy"} == {8, 16}


class StandIn:
    """A writer that remembers, as TensorBoard reads it: what an earlier one wrote from `purge_step` on is gone."""

    points: ClassVar[list[tuple[str, int]]] = []

    def __init__(self, folder: str, purge_step: int) -> None:
        assert folder.endswith("tensorboard")
        self.points[:] = [(name, step) for name, step in self.points if step < purge_step]

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.points.append((name, step))

    def flush(self) -> None:
        pass

    close = flush


@pytest.mark.parametrize(
    ("installed", "module"), [("tensorboardX", "tensorboardX"), ("tensorboard", "torch.utils.tensorboard")]
)
def test_a_run_that_was_killed_draws_no_point_twice(
    installed: str, module: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "find_spec", lambda name: name == installed or None)
    monkeypatch.setattr(progress, "import_module", {module: SimpleNamespace(SummaryWriter=StandIn)}.__getitem__)
    keys = {"tensorboard": True, "log_every": 1, "heldout": {"toy": "heldout.txt"}, "evaluate_every": 2}
    StandIn.points.clear()
    quiet(make_config(output="whole", **keys)).run()
    expected = list(StandIn.points)
    StandIn.points.clear()
    cut_short(make_config(**keys), saved=4, done=7)
    assert max(step for _, step in StandIn.points) == 7
    quiet(make_config(**keys)).run()
    assert StandIn.points == expected
    assert len(set(expected)) == len(expected) > 16


@pytest.mark.parametrize("why", ["not wanted", "no writer"])
def test_nothing_is_written_otherwise(why: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "no writer":
        monkeypatch.setattr(progress, "find_spec", lambda name: None)
    trainer = quiet(make_config(tensorboard=why == "no writer"))
    trainer.run()
    assert sorted(path.name for path in trainer.folder.iterdir()) == FILES
