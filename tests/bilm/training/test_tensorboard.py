"""TensorBoard's files against the log."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from elmo_tasks.bilm.training import progress
from elmo_tasks.bilm.training.config import TrainingConfig
from tests.bilm.training.test_trainer import EXPORTED, quiet

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
    ended = False
    for line in (trainer.folder / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        batch = entry.pop("batch")
        if "heldout" in entry:
            # The end's measurements begin with the policy that those on the way do not have.
            ended = ended or entry["state_policy"] == "reset"
            at_the_end = f"_at_the_end_{entry['state_policy']}" if ended else ""
            expected[f"heldout_perplexity{at_the_end}/toy", batch] = entry["mean"]
        else:
            expected |= {(f"training/{name}", batch): value for name, value in entry.items()}
    assert drawn(trainer.folder) == {key: pytest.approx(value, rel=1e-6) for key, value in expected.items()}
    assert [batch for name, batch in expected if name == "training/loss"] == [5, 10, 15, 16]
    assert {batch for name, batch in expected if name == "heldout_perplexity/toy"} == {8, 16}


@pytest.mark.parametrize("why", ["not wanted", "no writer"])
def test_nothing_is_written_otherwise(why: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "no writer":
        monkeypatch.setattr(progress, "find_spec", lambda name: None)
    trainer = quiet(make_config(tensorboard=why == "no writer"))
    trainer.run()
    there = sorted(path.name for path in trainer.folder.iterdir())
    assert there == sorted([*EXPORTED, "checkpoint.pt", "log.jsonl"])
