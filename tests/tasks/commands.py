"""The `allennlp` commands as a user runs them, from a folder that is not the repository."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import RunCommand

OFFICIAL = {"evaluation": {"type": "official"}}


@dataclass(frozen=True)
class Commands:
    """
    One training and what is done with its archive; every command must succeed.

    Attributes
    ----------
    run_command
        Runs a program.
    experiments
        The folder of the configs.
    folder
        For all that is written.
    profile
        What training runs under. The other commands have no profile: an archive has everything but the data.
    """

    run_command: RunCommand
    experiments: Path
    folder: Path
    profile: Path

    @property
    def run(self) -> Path:
        """What training wrote."""
        return self.folder / "run"

    def train(self, task: str, arm: str = "elmo", **overrides: Any) -> dict[str, Any]:
        """Trains a config with overrides of dotted keys, and returns its metrics."""
        result = self._train(task, arm, overrides)
        assert result.returncode == 0, result.stderr
        assert "elmo_tasks uses the profile tiny: for tests" in result.stderr
        log = self.log()
        assert log.index("Profile 'tiny' (set by ELMO_TASKS_PROFILE): for tests") < log.index("Beginning training.")
        return json.loads((self.run / "metrics.json").read_text(encoding="utf-8"))

    def log(self) -> str:
        """The log of the training."""
        return (self.run / "out.log").read_text(encoding="utf-8")

    def refusal(self, task: str, **overrides: Any) -> str:
        """The sentence that a training ends with whose data or config is wrong."""
        result = self._train(task, "baseline", overrides)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
        return result.stderr.splitlines()[-1]

    def evaluate(self, data: Path, **overrides: Any) -> tuple[dict[str, Any], Path]:
        """Metrics of the archive on a file, and the file of its predictions."""
        scores, predictions = self.folder / "scores.json", self.folder / "predictions"
        options = ["--output-file", scores, "--predictions-output-file", predictions, "-o", json.dumps(overrides)]
        self.succeed("allennlp", "evaluate", self.run / "model.tar.gz", data, *options)
        return json.loads(scores.read_text(encoding="utf-8")), predictions

    def predict(self, data: Path, *options: str) -> Path:
        """The file of the archive's answers to a file."""
        answers = self.folder / "answers"
        options = ("--silent", "--output-file", str(answers), *options)
        self.succeed("allennlp", "predict", self.run / "model.tar.gz", data, *options)
        assert not [path for path in self.folder.iterdir() if path.name.startswith(".")]
        return answers

    def predict_official(self, data: Path) -> Path:
        """The same of the task's own file, in the official format."""
        return self.predict(data, "--use-dataset-reader", "--predictor", "official")

    def score(self, *arguments: object) -> str:
        """What `elmo-tasks score` prints."""
        return self.succeed("elmo-tasks", "score", *arguments)

    def succeed(self, *command: Any) -> str:
        """Standard output of a command that succeeds."""
        result = self.run_command(*command, folder=self._elsewhere())
        assert result.returncode == 0, result.stderr
        return result.stdout

    def _train(self, task: str, arm: str, overrides: dict[str, Any]) -> Any:
        config = self.experiments / task / f"{arm}.jsonnet"
        environment = {"ELMO_TASKS_PROFILE": str(self.profile), "ELMO_TASKS_SEED": "7"}
        options = ["-s", self.run, "-o", json.dumps(overrides)]
        return self.run_command(
            "allennlp", "train", config, *options, folder=self._elsewhere(), environment=environment
        )

    def _elsewhere(self) -> Path:
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        return elsewhere
