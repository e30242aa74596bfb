"""train, predict, find-lr where the data are; evaluate and predict where they are gone."""

import json
import math
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboardX.proto.event_pb2 import Event

from tests.end_to_end.conftest import World, read_json, read_lines

ACCUMULATED = 2
BATCHES_PER_EPOCH = 18
STEPS_PER_EPOCH = math.ceil(BATCHES_PER_EPOCH / ACCUMULATED)
OVERRIDES = {
    "trainer.num_gradient_accumulation_steps": ACCUMULATED,
    "trainer.callbacks": [{"type": "tensorboard", "summary_interval": 1}],
    "trainer.checkpointer.save_every_num_batches": 4,
}
REQUESTS = [{"sentence": "The film was really great ."}, {"tokens": ["her", "unheard-of", "voice"]}]

# One process for what needs no console script of its own; each command is what AllenNLP makes of its arguments.
IN_ONE_PROCESS = """
import json, sys
from allennlp.commands import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["allennlp", *arguments]
    main(prog="allennlp")
"""


@dataclass
class Trained:
    """A run, what its archive predicted there, and the archive in another folder after the first one is gone."""

    run: Path
    metrics: dict[str, Any]
    before: list[dict[str, Any]]
    before_from_reader: list[dict[str, Any]]
    rates: Path
    archive: Path
    test_file: Path
    requests: Path
    world: World


@pytest.fixture(scope="module")
def trained(make_world: Callable[[], World], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    world = make_world()
    requests = world.folder / "requests.jsonl"
    requests.write_text("".join(json.dumps(request) + "\n" for request in REQUESTS), encoding="utf-8")
    world.run("allennlp", "train", world.config(), "-s", "run", "-o", json.dumps(OVERRIDES))
    commands = [
        ["predict", "run/model.tar.gz", "requests.jsonl", "--output-file", "before.jsonl", "--silent"],
        [
            "predict",
            "run/model.tar.gz",
            "test.txt",
            "--use-dataset-reader",
            "--output-file",
            "reader.jsonl",
            "--silent",
        ],
        ["find-lr", str(world.config()), "-s", "rates", "--num-batches", "12"],
    ]
    world.run("python", "-c", IN_ONE_PROCESS, json.dumps(commands))

    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ("run", "rates", "before.jsonl", "reader.jsonl", "test.txt", "requests.jsonl"):
        shutil.move(world.folder / name, elsewhere / name)
    archive = elsewhere / "archive" / "sentiment.tar.gz"
    archive.parent.mkdir()
    shutil.move(elsewhere / "run" / "model.tar.gz", archive)
    # Profile, vectors, biLM and data go; what runs from here on has the archive alone.
    shutil.rmtree(world.folder)
    world.folder = elsewhere
    (elsewhere / "profile.json").write_text('{"name": "empty"}', encoding="utf-8")
    return Trained(
        run=elsewhere / "run",
        metrics=read_json(elsewhere / "run" / "metrics.json"),
        before=read_lines(elsewhere / "before.jsonl"),
        before_from_reader=read_lines(elsewhere / "reader.jsonl"),
        rates=elsewhere / "rates",
        archive=archive,
        test_file=elsewhere / "test.txt",
        requests=elsewhere / "requests.jsonl",
        world=world,
    )


def gold_labels(path: Path) -> list[int]:
    return [int(line[1]) for line in path.read_text(encoding="utf-8").splitlines()]


def events(folder: Path) -> Iterator[Event]:
    """The records of tensorboard's files: a length, its checksum, the record, its checksum."""
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content = path.read_bytes()
        place = 0
        while place < len(content):
            (length,) = struct.unpack_from("<Q", content, place)
            yield Event.FromString(content[place + 12 : place + 12 + length])
            place += 12 + length + 4


def test_overrides_reach_the_archived_config(trained: Trained) -> None:
    config = read_json(trained.run / "config.json")
    assert config["trainer"]["num_gradient_accumulation_steps"] == ACCUMULATED
    assert config["trainer"]["callbacks"] == OVERRIDES["trainer.callbacks"]
    assert config["trainer"]["checkpointer"] == {"type": "exact_resume", "save_every_num_batches": 4}


def test_gradients_of_several_batches_make_one_step(trained: Trained) -> None:
    state = torch.load(trained.run / "training_state_e2_b0.th", weights_only=True)
    steps = {int(parameter["step"]) for parameter in state["optimizer"]["state"].values()}
    assert steps == {2 * STEPS_PER_EPOCH}


def test_checkpoints_in_mid_epoch_and_the_last_two_are_kept(trained: Trained) -> None:
    kept = sorted(path.name for path in trained.run.glob("*_state_*"))
    assert kept == [
        "model_state_e1_b8.th",
        "model_state_e2_b0.th",
        "resume_state_e1_b8_w0.th",
        "resume_state_e2_b0_w0.th",
        "training_state_e1_b8.th",
        "training_state_e2_b0.th",
    ]


def test_tensorboard_has_the_losses(trained: Trained) -> None:
    scalars = [
        (value.tag, event.step, value.simple_value)
        for event in events(trained.run / "log" / "train")
        for value in event.summary.value
    ]
    by_step = {step: value for tag, step, value in scalars if tag == "train/batch_loss"}
    assert len(by_step) == 2 * STEPS_PER_EPOCH
    by_epoch = [value for tag, _, value in scalars if tag == "train/loss"]
    assert by_epoch[-1] == pytest.approx(trained.metrics["training_loss"], rel=1e-6)
    last_epoch = [by_step[step] for step in sorted(by_step)[-STEPS_PER_EPOCH:]]
    assert sum(last_epoch) / STEPS_PER_EPOCH == pytest.approx(trained.metrics["training_loss"], rel=1e-5)


def test_evaluate_in_another_folder_with_all_sources_gone(trained: Trained) -> None:
    trained.world.run(
        "allennlp", "evaluate", trained.archive, trained.test_file,
        "--output-file", "scores.json", "--predictions-output-file", "predictions.jsonl",
    )  # fmt: skip
    scores = read_json(trained.world.folder / "scores.json")
    assert scores["accuracy"] == pytest.approx(trained.metrics["test_accuracy"], abs=1e-12)
    assert scores["loss"] == pytest.approx(trained.metrics["test_loss"], rel=1e-6)
    # A line holds a batch.
    probabilities = [
        row for batch in read_lines(trained.world.folder / "predictions.jsonl") for row in batch["probabilities"]
    ]
    labels = [max(range(5), key=row.__getitem__) for row in probabilities]
    gold = gold_labels(trained.test_file)
    assert scores["accuracy"] == sum(map(int.__eq__, labels, gold)) / len(gold)
    # One by one, through the predictor, before anything was moved.
    for row, alone in zip(probabilities, trained.before_from_reader, strict=True):
        assert row == pytest.approx(alone["probabilities"], abs=1e-6)


def test_predict_in_another_folder_with_all_sources_gone(trained: Trained) -> None:
    trained.world.run("allennlp", "predict", trained.archive, trained.requests, "--output-file", "after.jsonl")
    after = read_lines(trained.world.folder / "after.jsonl")
    assert after == trained.before
    assert [prediction["tokens"] for prediction in after] == [
        ["The", "film", "was", "really", "great", "."],
        ["her", "unheard-of", "voice"],
    ]
    for prediction in after:
        assert sum(prediction["probabilities"]) == pytest.approx(1, abs=1e-6)
        best = max(range(5), key=prediction["probabilities"].__getitem__)
        assert prediction["label"] == str(best)


def test_predictions_from_the_reader_are_one_for_each_tree(trained: Trained) -> None:
    words = [
        [leaf.rstrip(")") for leaf in line.split() if leaf.endswith(")")]
        for line in trained.test_file.read_text(encoding="utf-8").splitlines()
    ]
    assert [prediction["tokens"] for prediction in trained.before_from_reader] == words


def test_find_lr_draws_its_figure(trained: Trained) -> None:
    assert (trained.rates / "lr-losses.png").read_bytes().startswith(b"\x89PNG")
