"""
For tests of the runner: does in milliseconds what a worker does in minutes, and leaves the same files behind.

`behaviour.json` in the current folder says per run what else happens: `fail`, `hang` after the first epoch, `edit` the
test file, or the labels that are predicted for it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def main(job_file: Path) -> None:
    folder = job_file.parent
    job = json.loads(job_file.read_text())
    model = folder / "model"
    model.mkdir(exist_ok=True)
    behaviour = json.loads(Path("behaviour.json").read_text()).get(folder.name, "")
    with (folder / "arguments.jsonl").open("a") as arguments:
        arguments.write(json.dumps({"train": job["train"], "evaluate": job["evaluate"]}) + "\n")
    print(f"seed {os.environ['ELMO_TASKS_SEED']}, threads {os.environ['OMP_NUM_THREADS']}")
    print(f"GPU {os.environ.get('CUDA_VISIBLE_DEVICES')}")
    print("INFO - allennlp.training.optimizers - Number of trainable parameters: 12345")

    for epoch in range(3):
        metrics = {"epoch": epoch, "best_epoch": min(epoch, 1), "validation_accuracy": 0.5 + 0.1 * min(epoch, 1)}
        metrics["best_validation_accuracy"] = metrics["validation_accuracy"]
        (model / f"metrics_epoch_{epoch}.json").write_text(json.dumps(metrics))
        (model / f"training_state_e{epoch + 1}_b0.th").write_text("state")
        (model / "best.th").write_text("weights")
        if behaviour == "hang":
            _hang()
        if behaviour == "fail" and epoch == 1:
            (folder / "error.json").write_text(json.dumps({"error": "ValueError: nan loss encountered"}))
            sys.exit(1)
        if behaviour == "vanish":
            os.abort()
    if behaviour == "edit":
        with Path("data/test.txt").open("a") as test_file:
            test_file.write("(2 (2 another) (2 film))\n")
    (model / "metrics.json").write_text(json.dumps(metrics))
    (model / "model.tar.gz").write_text("archive")
    (folder / "mixes.json").write_text(json.dumps({"elmo_at_output": {"weights": [0.5, 0.25, 0.25], "gamma": 1.5}}))
    (folder / "trained.json").write_text(json.dumps({"cut_short": behaviour == "cut", "device": "cpu"}))

    trees = Path("data/test.txt").read_text().splitlines()
    gold = [tree[1] for tree in trees]
    predicted = behaviour if behaviour.isdecimal() else "".join(gold)
    words = [[piece.rstrip(")") for piece in tree.split() if piece.endswith(")")] for tree in trees]
    (folder / "predictions.jsonl").write_text(json.dumps({"label": list(predicted), "tokens": words}) + "\n")
    accuracy = sum(one == other for one, other in zip(predicted, gold, strict=True)) / len(gold)
    (folder / "test.json").write_text(json.dumps({"accuracy": accuracy, "loss": 1.0}))


def _hang() -> None:
    """Waits for ever, and so does a child; both keep the other end of `alive` open."""
    with Path("alive").open("w") as alive:
        subprocess.Popen(["sleep", "600"], stdout=alive)
        if not sys.stdin.buffer.read(1):
            os.killpg(os.getpgrp(), 9)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
