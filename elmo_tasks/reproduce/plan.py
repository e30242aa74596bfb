"""From a suite to runs that know their files: what is done already, and what there is to do."""

import json
import os
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.identity import Identity, evaluate_config, identify
from elmo_tasks.reproduce.profile import (
    DATA_VARIABLE,
    PROFILE_VARIABLE,
    PUBLISHED_VARIABLE,
    SEED_VARIABLE,
    data_folder,
    resolve,
)
from elmo_tasks.reproduce.results import Result, read_result
from elmo_tasks.reproduce.suite import Run, Suite, profile_name
from elmo_tasks.reproduce.worker import RunFolder

_DEFAULT_EPOCHS = 20
"""AllenNLP's, for a config that does not say."""
_DEFAULT_BATCH_SIZE = 32


@dataclass(frozen=True)
class Places:
    """
    Where a suite's files lie.

    Attributes
    ----------
    root
        The repository.
    work
        The folder of the runs' own folders: logs, models, predictions.
    results
        The folder of the result files and of the tables made from them.
    """

    root: Path
    work: Path
    results: Path

    @classmethod
    def of(cls, suite: Suite, root: Path, out: Path | None = None) -> "Places":
        """
        The places of a suite.

        Parameters
        ----------
        suite
            The suite.
        root
            The repository.
        out
            Where everything goes, results too; if None, `out` in the repository, and results that a suite wants
            committed into the repository's `results`.
        """
        work = (out or root / "out") / suite.results
        committed = suite.committed and out is None
        return cls(root, work, root / "results" / suite.results if committed else work / "results")

    def relative(self, path: Path | str) -> str:
        """A path as commands and messages show it: relative to the repository if it lies in there."""
        path = Path(path)
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def portable(self, text: str) -> str:
        """A text that is kept, without this machine's folders: the repository's are left out, the data's a variable."""
        data = data_folder()
        # The data's folder may be a link, also one inside the repository: profiles name what it leads to.
        for folder in (data.resolve(), data):
            text = text.replace(str(folder), f"${DATA_VARIABLE}")
        return text.replace(f"{self.root}/", "")


@dataclass(frozen=True)
class PlannedRun:
    """
    A run with its files.

    Attributes
    ----------
    run
        The run.
    suite
        The suite's name.
    places
        Where the suite's files lie.
    result
        The result file's content, whatever config it is of; None if there is none.
    identity
        What the run is; None where `obstacle` says why that cannot be known here.
    profile_changes
        The sizes and training settings that the profile lays over the task's configs.
    obstacle
        Why the run's config cannot be evaluated here: mostly data that this machine lacks.
    """

    run: Run
    suite: str
    places: Places
    result: Result | None
    identity: Identity | None
    profile_changes: Mapping[str, Any]
    obstacle: str | None = None

    @property
    def folder(self) -> RunFolder:
        """The run's own folder."""
        return RunFolder(self.places.work / self.run.slug)

    @property
    def result_file(self) -> Path:
        """Where its result is, or will be."""
        return self.places.results / f"{self.run.slug}.json"

    @property
    def outdated(self) -> bool:
        """Whether the result is one of another config, other data or another version."""
        return self.result is not None and self.identity is not None and self.result.key != self.identity.key

    @property
    def current(self) -> Result | None:
        """The result if it is this run's; where that cannot be known, it is believed."""
        return None if self.outdated else self.result

    @property
    def profile_name(self) -> str:
        """The profile's name; of a profile's file, the file's name without ending."""
        return profile_name(self.run.arm.profile)

    @property
    def config(self) -> Mapping[str, Any]:
        """The evaluated config of a run without obstacle."""
        if self.identity is None:
            raise InputError(self.obstacle or f"the config of {self.run.title} is not known")
        return self.identity.config

    @property
    def metric(self) -> str:
        """The metric that chooses the best epoch, which is the one that the table shows."""
        metric = self.config["trainer"].get("validation_metric", "-loss")
        return str(metric[0] if isinstance(metric, list) else metric).lstrip("+-")

    @property
    def epoch_limit(self) -> int:
        """The most epochs that the run can take."""
        return int(self.config["trainer"].get("num_epochs", _DEFAULT_EPOCHS))

    @property
    def test_file(self) -> Path:
        """The file that the model is tested on."""
        return self.places.root / str(self.config["test_data_path"])

    def environment(self) -> dict[str, str]:
        """The variables that the run's configs and its profile depend on."""
        return {PROFILE_VARIABLE: self.run.arm.profile, SEED_VARIABLE: str(self.run.seed)}

    @property
    def takes_any_gpu(self) -> bool:
        """Whether the config names no device, so that AllenNLP takes the first GPU that it sees."""
        return self.config["trainer"].get("cuda_device") is None and not self.config.get("distributed")

    def train_arguments(self, recover: bool = False) -> list[str]:
        """Arguments of `allennlp` for the training. It leaves the test file alone, which is read once, afterwards."""
        overrides = {**self.run.overrides, "evaluate_on_test": False}
        arguments = ["train", self.places.relative(self.run.arm.config_file)]
        arguments += ["--serialization-dir", self.places.relative(self.folder.model), "--file-friendly-logging"]
        arguments += ["--overrides", json.dumps(overrides)]
        return [*arguments, "--recover"] if recover else arguments

    def evaluate_arguments(self) -> list[str]:
        """Arguments of `allennlp` for the test: by the best epoch's model, items in the order of the file."""
        overrides = {"validation_data_loader": {"batch_size": _batch_size(self.config)}}
        folder, relative = self.folder, self.places.relative
        arguments = ["evaluate", relative(folder.archive), relative(self.test_file)]
        arguments += ["--output-file", relative(folder.test_metrics)]
        arguments += ["--predictions-output-file", relative(folder.predictions)]
        return [*arguments, "--file-friendly-logging", "--overrides", json.dumps(overrides)]

    def commands(self) -> list[str]:
        """The commands that repeat the run, for a shell in the repository."""
        variables = {**self.environment(), PROFILE_VARIABLE: self.places.relative(self.run.arm.profile)}
        prefix = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
        return [
            self.places.portable(" ".join([*prefix, "allennlp", shlex.join(arguments)]))
            for arguments in (self.train_arguments(), self.evaluate_arguments())
        ]


def plan(
    suite: Suite,
    places: Places,
    tasks: Collection[str] | None = None,
    seeds: Collection[int] | None = None,
    arms: Collection[str] | None = None,
) -> list[PlannedRun]:
    """
    The runs of a suite with their configs, files and results.

    Raises
    ------
    InputError
        If a task, seed or arm is not in the suite, a config cannot be a run's, or a result file cannot be read. Data
        that is not here raises nothing: it is each run's `obstacle`.
    """
    return [_planned(run, suite, places) for run in suite.runs(tasks, seeds, arms)]


def with_result(planned: PlannedRun) -> PlannedRun:
    """The run with what its result file says now."""
    return replace(planned, result=read_result(planned.result_file))


def profile_description(profile: str) -> str:
    """What a profile says about itself; nothing of one that cannot be read."""
    try:
        return str(json.loads(_published(profile))["description"])
    except InputError:
        return ""


def _planned(run: Run, suite: Suite, places: Places) -> PlannedRun:
    planned = with_result(PlannedRun(run, suite.name, places, None, None, {}))
    try:
        published = _published(run.arm.profile)
        task = json.loads(published).get("tasks", {}).get(run.task, {})
        changes = {kind: task[kind] for kind in ("sizes", "training") if task.get(kind)}
        planned = replace(planned, profile_changes=changes)
        # A seed is a run's own, whatever the environment of the command says.
        environment = {**os.environ, **planned.environment(), PUBLISHED_VARIABLE: published}
        config = evaluate_config(run.arm.config_file, environment, run.overrides)
    except InputError as error:
        return replace(planned, obstacle=str(error))
    for section in ("test_data_path", "trainer"):
        if section not in config:
            raise InputError(f"{places.relative(run.arm.config_file)} has no {section}, which a run of a suite needs")
    return replace(planned, identity=identify(config, planned.profile_name, places.root))


@lru_cache
def _published(profile: str) -> str:
    """A profile as `profile.publish` puts it into the environment."""
    return json.dumps(resolve(profile))


def _batch_size(config: Mapping[str, Any]) -> int:
    """The batch size that the config evaluates with."""
    loader = config.get("validation_data_loader") or config.get("data_loader") or {}
    return int(loader.get("batch_size") or loader.get("batch_sampler", {}).get("batch_size") or _DEFAULT_BATCH_SIZE)
