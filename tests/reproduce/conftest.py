"""A repository in miniature: a suite of four runs, two configs, a test file of four trees, and a quick worker."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from elmo_tasks.reproduce.experiment import Request, SuiteTable, make_tables
from elmo_tasks.reproduce.progress import Progress
from elmo_tasks.reproduce.results import Result, read_result

FAKE_WORKER = (sys.executable, "-I", "-S", str(Path(__file__).parent / "fake_worker.py"))

TREES = """\
(3 (2 good) (2 film))
(1 (2 bad) (2 film))
(4 (2 great) (2 film))
(0 (2 awful) (2 film))
"""
CONFIG = """\
{
  random_seed: std.parseInt(std.extVar('ELMO_TASKS_SEED')),
  test_data_path: 'data/test.txt',
  evaluate_on_test: true,
  model: { size: 10 },
  data_loader: { batch_sampler: { type: 'bucket', batch_size: 2 } },
  trainer: { num_epochs: 3, patience: 2, validation_metric: '+accuracy' },
}
"""
SUITE = """\
{
  title: 'A small suite',
  profile: 'sample',
  seeds: [1, 2],
  budget: { description: 'three epochs', overrides: { 'trainer.num_epochs': 3 } },
  tasks: { sst5: { arms: { baseline: '../toy/baseline.jsonnet', elmo: '../toy/elmo.jsonnet' } } },
}
"""


@dataclass
class Recorder:
    """A display that remembers what it was told."""

    events: list[str] = field(default_factory=list)
    epochs: list[str] = field(default_factory=list)
    closed: bool = False

    def event(self, line: str) -> None:
        self.events.append(line)

    def epoch(self, line: str) -> None:
        self.epochs.append(line)

    def status(self, done: int, total: int, running: Mapping[str, Progress], left: float | None) -> None:
        """Nothing to remember."""

    def close(self) -> None:
        self.closed = True


@dataclass
class MiniatureRepository:
    """The repository, and what one does with it."""

    root: Path
    display: Recorder = field(default_factory=Recorder)

    def tables(self, suite: str = "small", worker: Sequence[str] = FAKE_WORKER, **request: object) -> list[SuiteTable]:
        """Asks for the table of a suite."""
        self.display = Recorder()
        asked = Request(suites=[suite], **{"jobs": 2, **request})  # type: ignore[arg-type]
        return make_tables(asked, self.root, self.display, worker)

    def behave(self, **runs: str) -> None:
        """Says what happens to runs: `behave(sst5_elmo_seed2="fail")`."""
        behaviour = {name.replace("_", "-"): what for name, what in runs.items()}
        (self.root / "behaviour.json").write_text(json.dumps(behaviour))

    def edit(self, path: str, old: str, new: str) -> None:
        """Changes a file."""
        content = (self.root / path).read_text()
        assert old in content
        (self.root / path).write_text(content.replace(old, new))

    def result_file(self, run: str) -> Path:
        """The result file of a run."""
        return self.root / "results" / "small" / f"{run}.json"

    def result(self, run: str) -> Result:
        """The result of a run, which must be there."""
        result = read_result(self.result_file(run))
        assert result is not None
        return result

    def arguments(self, run: str) -> list[dict[str, list[str]]]:
        """What the workers of a run were told to do, one entry an attempt."""
        lines = (self.root / "out" / "small" / run / "arguments.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def files(self) -> dict[str, int]:
        """When each result file was written."""
        return {path.name: path.stat().st_mtime_ns for path in (self.root / "results").rglob("*.json")}


@pytest.fixture
def miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MiniatureRepository:
    """A repository in miniature."""
    # A worker that takes milliseconds is looked at more often.
    monkeypatch.setattr("elmo_tasks.reproduce.runner._POLL_SECONDS", 0.01)
    for path, content in {
        "experiments/suites/small.jsonnet": SUITE,
        "experiments/toy/baseline.jsonnet": CONFIG,
        "experiments/toy/elmo.jsonnet": "(import 'baseline.jsonnet') + { model+: { elmo: true } }",
        "data/test.txt": TREES,
        "data/test.ambiguous.txt": "0\n1\n0\n1\n",
        "behaviour.json": "{}",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return MiniatureRepository(tmp_path)
