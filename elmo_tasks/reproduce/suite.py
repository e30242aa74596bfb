"""Suites: the committed files that name an experiment's runs before the first of them starts."""

import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.paper import TABLE_1

BASELINE = "baseline"
"""Name of the arm that every other arm is compared with."""
ELMO = "elmo"
"""Name of the arm that stands in the table's main row."""

_SUITE_KEYS = ("title", "profile", "default", "results", "committed", "seeds", "budget", "tasks")
_TASK_KEYS = ("arms", "seeds", "budget")
_ARM_KEYS = ("config", "title", "profile", "overrides", "seeds")
_BUDGET_KEYS = ("description", "overrides")
# titles of arms that are not their names with blanks
_TITLES = {ELMO: "ELMo"}


@dataclass(frozen=True)
class Budget:
    """
    What a suite changes about the schedule of its configs, for all arms of a task alike.

    Attributes
    ----------
    description
        One line for the caption of the table; empty where the configs' own schedule is kept.
    overrides
        What is laid over each config, in the manner of `allennlp train --overrides`: dotted keys and their values.
    """

    description: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Arm:
    """
    One way to configure a task's model.

    Attributes
    ----------
    name
        `baseline`, `elmo` or the name of a control.
    title
        The name as the table prints it.
    config_file
        The AllenNLP config.
    profile
        The profile that the arm runs under, where it is not the suite's (a control with another biLM).
    overrides
        What makes the arm differ from its config file.
    seeds
        Its seeds.
    """

    name: str
    title: str
    config_file: Path
    profile: str
    overrides: Mapping[str, Any]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """A task of a suite: its arms, and the budget that holds for all of them."""

    name: str
    arms: Mapping[str, Arm]
    budget: Budget


@dataclass(frozen=True)
class Run:
    """One training: a task, an arm and a seed."""

    task: str
    arm: Arm
    seed: int
    budget: Budget

    @property
    def title(self) -> str:
        """The run as messages name it: `sst5 elmo seed 2`."""
        return f"{self.task} {self.arm.name} seed {self.seed}"

    @property
    def label(self) -> str:
        """The run in few words: `sst5 elmo 2`."""
        return f"{self.task} {self.arm.name} {self.seed}"

    @property
    def slug(self) -> str:
        """The run as files and folders are named: `sst5-elmo-seed2`."""
        return f"{self.task}-{self.arm.name}-seed{self.seed}"

    @property
    def overrides(self) -> dict[str, Any]:
        """What is laid over the config: the arm's own changes, then the budget, which no arm escapes."""
        return {**self.arm.overrides, **self.budget.overrides}


@dataclass(frozen=True)
class Suite:
    """
    The runs of one experiment.

    Attributes
    ----------
    name
        The file's name without its ending.
    title
        One line for the caption of the table.
    profile
        Name or file of the profile whose data its runs use.
    default
        Whether it runs when its profile is asked for and no suite is named.
    results
        Name of the folder of its results; suites that share it share the results of equal runs.
    committed
        Whether the results belong into the repository's `results` folder.
    tasks
        Its tasks by name.
    """

    name: str
    title: str
    profile: str
    default: bool
    results: str
    committed: bool
    tasks: Mapping[str, Task]

    def under(self, profile: str) -> "Suite":
        """The same runs under another profile, a name or a path: results are kept apart, and not in the repository."""
        if _is_file(profile):
            profile = str(Path(profile).expanduser().resolve())
        if profile == self.profile:
            return self
        tasks = {}
        for task in self.tasks.values():
            arms = {
                name: replace(arm, profile=profile) if arm.profile == self.profile else arm
                for name, arm in task.arms.items()
            }
            tasks[task.name] = replace(task, arms=arms)
        results = f"{self.results}-{profile_name(profile)}"
        return replace(self, profile=profile, results=results, committed=False, tasks=tasks)

    def runs(
        self,
        tasks: Collection[str] | None = None,
        seeds: Collection[int] | None = None,
        arms: Collection[str] | None = None,
    ) -> list[Run]:
        """
        The runs of the suite, seed by seed, so that every arm's first seed comes before any arm's second.

        Parameters
        ----------
        tasks, seeds, arms
            A choice among those that the suite names; all of them if None.

        Raises
        ------
        InputError
            If one of them is not in the suite: a run that was not named beforehand is not run.
        """
        for task in tasks or ():
            if task not in self.tasks:
                raise InputError(f"suite {self.name} has no task {task!r}: it has {', '.join(self.tasks)}")
        chosen = [task for task in self.tasks.values() if tasks is None or task.name in tasks]
        known = dict.fromkeys(name for task in chosen for name in task.arms)
        for name in arms or ():
            if name not in known:
                raise InputError(f"suite {self.name} has no arm {name!r}: it has {', '.join(known)}")
        named = sorted({seed for task in chosen for arm in task.arms.values() for seed in arm.seeds})
        for seed in seeds or ():
            if seed not in named:
                raise InputError(
                    f"suite {self.name} names no run with seed {seed}: its seeds are {', '.join(map(str, named))}; "
                    "runs are named in the suite's file before they are run"
                )
        return [
            Run(task.name, arm, seed, task.budget)
            for task in chosen
            for seed in named
            if seeds is None or seed in seeds
            for arm in task.arms.values()
            if seed in arm.seeds and (arms is None or arm.name in arms)
        ]


def profile_name(profile: str) -> str:
    """A profile's name, also where it was given as a file."""
    return Path(profile).stem if _is_file(profile) else profile


def _is_file(profile: str) -> bool:
    """Whether a profile is given by its file and not by its name."""
    return profile.endswith((".jsonnet", ".json"))


def load_suite(path: Path) -> Suite:
    """
    Reads a suite from a Jsonnet or JSON file.

    Paths in it (configs, profile files) are relative to the file itself. Tasks come in the paper's order, arms with the
    baseline and ELMo first.

    Raises
    ------
    InputError
        If the file is not there, is not Jsonnet, or lacks or misspells something.
    """
    if not path.is_file():
        raise InputError(f"suite {path} is not there")
    import _jsonnet

    try:
        content = json.loads(_jsonnet.evaluate_file(str(path)))
    except RuntimeError as error:
        raise InputError(f"suite {path} is not valid Jsonnet: {' '.join(str(error).split())}") from None
    return _SuiteFile(path).suite(content)


def suites_for(folder: Path, profile: str) -> list[Suite]:
    """
    The suites in a folder that run when their profile is asked for and no suite is named.

    Raises
    ------
    InputError
        If there is none; the message names the suites and profiles there are.
    """
    paths = sorted(path for ending in ("jsonnet", "json") for path in folder.glob(f"*.{ending}"))
    suites = [load_suite(path) for path in paths]
    found = [suite for suite in suites if suite.profile == profile and suite.default]
    if not found:
        known = ", ".join(f"{suite.name} (profile {suite.profile})" for suite in suites) or "none"
        raise InputError(
            f"no suite in {folder} runs under profile {profile!r}: there are {known}; name one, or a file of your own, "
            "with --suite"
        )
    return found


def suite_named(folder: Path, name: str) -> Suite:
    """
    A suite by its name in a folder, or by the path of its file.

    Raises
    ------
    InputError
        If there is none; the message offers the nearest name.
    """
    if Path(name).suffix in (".jsonnet", ".json"):
        return load_suite(Path(name))
    for ending in ("jsonnet", "json"):
        if (folder / f"{name}.{ending}").is_file():
            return load_suite(folder / f"{name}.{ending}")
    names = sorted({path.stem for ending in ("jsonnet", "json") for path in folder.glob(f"*.{ending}")})
    near = difflib.get_close_matches(name, names, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
    raise InputError(f"no suite {name!r} in {folder}: {remedy}")


class _SuiteFile:
    """Reads the parts of one suite file, naming file and key in whatever is wrong with them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def suite(self, content: Any) -> Suite:
        entries = self._section(content, "", _SUITE_KEYS)
        profile = self._profile(self._text(entries, "", "profile"))
        seeds = self._seeds(entries.get("seeds"), "seeds") if "seeds" in entries else ()
        budget = self._budget(entries.get("budget", {}), "budget")
        tasks = {
            name: self._task(name, task, profile, seeds, budget)
            for name, task in self._named_sections(entries.get("tasks"), "tasks", first=tuple(TABLE_1))
        }
        return Suite(
            name=self._path.stem,
            title=self._text(entries, "", "title"),
            profile=profile,
            default=self._flag(entries, "default", True),
            results=self._text(entries, "", "results", self._path.stem),
            committed=self._flag(entries, "committed", True),
            tasks=tasks,
        )

    def _task(self, name: str, content: Any, profile: str, seeds: tuple[int, ...], budget: Budget) -> Task:
        place = f"tasks.{name}"
        entries = self._section(content, place, _TASK_KEYS)
        if "seeds" in entries:
            seeds = self._seeds(entries["seeds"], f"{place}.seeds")
        if "budget" in entries:
            budget = self._budget(entries["budget"], f"{place}.budget")
        arms = {}
        for arm, described in self._named_sections(entries.get("arms"), f"{place}.arms", first=(BASELINE, ELMO)):
            arms[arm] = self._arm(arm, described, f"{place}.arms.{arm}", profile, seeds, budget)
        return Task(name, arms, budget)

    def _arm(self, name: str, content: Any, place: str, profile: str, seeds: tuple[int, ...], budget: Budget) -> Arm:
        entries = self._section({"config": content} if isinstance(content, str) else content, place, _ARM_KEYS)
        config_file = self._path.parent / self._text(entries, place, "config")
        if not config_file.is_file():
            self._refuse(f"{place}.config", f"{config_file} is not there")
        if "seeds" in entries:
            seeds = self._seeds(entries["seeds"], f"{place}.seeds")
        if not seeds:
            self._refuse(f"{place}.seeds", "no seeds, neither here nor for the task or the suite")
        overrides = self._overrides(entries.get("overrides", {}), f"{place}.overrides")
        if shared := sorted(set(overrides) & set(budget.overrides)):
            self._refuse(f"{place}.overrides", f"{shared[0]!r} belongs to the budget, which is the same for all arms")
        return Arm(
            name=name,
            title=self._text(entries, place, "title", _TITLES.get(name, name.replace("_", " "))),
            config_file=config_file.resolve(),
            profile=self._profile(self._text(entries, place, "profile", profile)),
            overrides=overrides,
            seeds=seeds,
        )

    def _budget(self, content: Any, place: str) -> Budget:
        entries = self._section(content, place, _BUDGET_KEYS)
        overrides = self._overrides(entries.get("overrides", {}), f"{place}.overrides")
        description = self._text(entries, place, "description", "")
        if overrides and not description:
            self._refuse(f"{place}.description", "a budget with overrides says in one line what it is")
        return Budget(description, overrides)

    def _profile(self, named: str) -> str:
        """A profile's name as it is; the path of a profile's file made absolute, the file being relative to ours."""
        return str((self._path.parent / named).resolve()) if _is_file(named) else named

    def _section(self, content: Any, place: str, keys: Sequence[str]) -> dict[str, Any]:
        if not isinstance(content, dict):
            self._refuse(place or "the file", f"expected an object, found {json.dumps(content)}")
        for key in content:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                remedy = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(keys)}"
                self._refuse(f"{place}.{key}".lstrip("."), f"unknown key; {remedy}")
        return content

    def _named_sections(self, content: Any, place: str, first: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        """Entries by name: Jsonnet sorts them, and so the ones that come first have to be named."""
        if not isinstance(content, dict) or not content:
            self._refuse(place, f"expected an object with at least one entry, found {json.dumps(content)}")
        for name in sorted(content, key=lambda name: (first.index(name) if name in first else len(first), name)):
            # Names become parts of file names.
            if not name.replace("_", "").isalnum():
                self._refuse(place, f"{name!r} is no name: letters, digits and underscores only")
            yield name, content[name]

    def _text(self, entries: Mapping[str, Any], place: str, key: str, default: str | None = None) -> str:
        value = entries.get(key, default)
        if not isinstance(value, str):
            self._refuse(f"{place}.{key}".lstrip("."), f"expected a text, found {json.dumps(value)}")
        return value

    def _flag(self, entries: Mapping[str, Any], key: str, default: bool) -> bool:
        value = entries.get(key, default)
        if not isinstance(value, bool):
            self._refuse(key, f"expected true or false, found {json.dumps(value)}")
        return value

    def _seeds(self, value: Any, place: str) -> tuple[int, ...]:
        good = isinstance(value, list) and all(isinstance(seed, int) and not isinstance(seed, bool) for seed in value)
        if not good or not value or len(set(value)) < len(value):
            self._refuse(place, f"expected a list of different whole numbers, found {json.dumps(value)}")
        return tuple(value)

    def _overrides(self, value: Any, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._refuse(place, f"expected an object of dotted keys and values, found {json.dumps(value)}")
        return value

    def _refuse(self, place: str, what: str) -> NoReturn:
        raise InputError(f"suite {self._path}: {place}: {what}")
