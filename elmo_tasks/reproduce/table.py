"""The paper's Table 1 with our own figures beside it, and beneath it what one needs in order to believe them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elmo_tasks.reproduce.arms import NOTHING, TaskRuns, by_task, spread
from elmo_tasks.reproduce.details import details
from elmo_tasks.reproduce.identity import code_fingerprint
from elmo_tasks.reproduce.layout import Block, Column, Grid, Heading, Lines
from elmo_tasks.reproduce.paper import SOURCE, TABLE_1
from elmo_tasks.reproduce.plan import PlannedRun
from elmo_tasks.reproduce.statistics import relative_increase, summarise
from elmo_tasks.reproduce.suite import BASELINE, ELMO, Suite

_SAMPLE = "sample"
_SAMPLE_CLAIM = "a stand-in that lets anyone run everything in minutes; no claim about language"


def table(suite: Suite, runs: Sequence[PlannedRun], description: str = "") -> list[Block]:
    """
    The table of a suite.

    Parameters
    ----------
    suite
        The suite.
    runs
        Its runs, done or not; a result of another config is not one of theirs.
    description
        What the profile says about itself.

    Returns
    -------
    list[Block]
        A caption, one row a task, then each task's arms, tests and runs, and remarks; for `layout.as_text` and
        `layout.as_markdown`.
    """
    tasks = by_task(runs)
    blocks: list[Block] = [Heading(suite.title), *_caption(runs, description), _rows(tasks), _legend(tasks)]
    begun = [task for task in tasks if any(planned.current for arm in task.arms.values() for planned in arm.runs)]
    for task in begun:
        if len(begun) > 1:
            blocks.append(Heading(task.title))
        blocks += details(task)
    if remarks := list(_remarks(runs)):
        blocks += ["Remarks:", Lines(remarks)]
    return blocks


def to_do(runs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """The runs without a result of their own, not even that of a failure."""
    return [planned for planned in runs if planned.current is None]


def _caption(runs: Sequence[PlannedRun], description: str) -> Iterator[str]:
    profiles = list(dict.fromkeys(planned.profile_name for planned in runs))
    about = _SAMPLE_CLAIM if _SAMPLE in profiles else description.rstrip(".")
    yield f"Profile {', '.join(profiles)}{f': {about}' if about else ''}."

    several = len({planned.run.task for planned in runs}) > 1
    tasks_of_budget: dict[str, dict[str, None]] = {}
    for planned in runs:
        tasks_of_budget.setdefault(planned.run.budget.description, {})[planned.run.task] = None
    for budget, tasks in tasks_of_budget.items():
        place = f" for {', '.join(tasks)}" if len(tasks_of_budget) > 1 else ""
        yield f"Budget{place}, the same for all arms: {budget or 'the whole schedule of the configs'}."
    for task, changes in {planned.run.task: _profile_changes(planned) for planned in runs}.items():
        if changes:
            place = f" for {task}" if several else ""
            yield f"The profile changes{place}, for all arms alike: {', '.join(changes)}."


def _profile_changes(planned: PlannedRun) -> list[str]:
    changes = planned.profile_changes or (planned.current.profile_changes if planned.current else {})
    return [
        f"{key} {json.dumps(value)}" for kind in ("sizes", "training") for key, value in _flat(changes.get(kind, {}))
    ]


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, values


def _rows(tasks: Sequence[TaskRuns]) -> Grid:
    columns = [
        Column("task"),
        Column("previous best", "paper"),
        Column("baseline", "paper"),
        Column("+ ELMo", "paper"),
        Column("increase", "paper", right=True),
        Column("baseline", "here"),
        Column("+ ELMo", "here"),
        Column("increase", "here", right=True),
        Column("seeds", "here"),
    ]
    return Grid(columns, [_row(task) for task in tasks])


def _row(task: TaskRuns) -> list[str]:
    row = [f"{task.title} ({task.measure})"]
    if task.name in TABLE_1:
        paper = TABLE_1[task.name]
        row += [str(paper.previous), str(paper.baseline), str(paper.elmo), f"{paper.increase} / {paper.relative} %"]
    else:
        row += [NOTHING] * 4
    baseline, elmo = task.scores(BASELINE), task.scores(ELMO)
    row += [spread(baseline, task.decimals), spread(elmo, task.decimals), _increase(baseline, elmo, task.decimals)]
    counts = [len(baseline)] if len(baseline) == len(elmo) else [len(baseline), len(elmo)]
    return [*row, f"n = {' and '.join(map(str, counts))}"]


def _increase(baseline: Sequence[float], elmo: Sequence[float], decimals: int) -> str:
    if not baseline or not elmo:
        return NOTHING
    below, above = summarise(baseline).mean, summarise(elmo).mean
    relative = f"{relative_increase(below, above):.1f} %" if below < 100.0 else NOTHING
    return f"{above - below:.{decimals}f} / {relative}"


def _legend(tasks: Sequence[TaskRuns]) -> str:
    sources = [f"{task.title} {TABLE_1[task.name].previous_source}" for task in tasks if task.name in TABLE_1]
    previous = f"; previous best: {', '.join(sources)}" if sources else ""
    return (
        f"Test scores in percent; ours: mean ± standard deviation over n seeds. Paper: {SOURCE}{previous}. Increase: "
        "absolute / relative, the latter the share of the baseline's error that is gone."
    )


def _remarks(runs: Sequence[PlannedRun]) -> Iterator[str]:
    results = [result for planned in runs if (result := planned.current) is not None]
    for result in results:
        if not result.done:
            yield f"Failed: {result.title}: {result.error} (log: {result.log}); --retry-failed runs it again."
        elif result.earlier_failures:
            yield f"{result.title} failed before it succeeded: {'; '.join(result.earlier_failures)}."
    if shortened := [result.title for result in results if result.cut_short]:
        yield f"Cut short by a time limit: {', '.join(shortened)}."
    if improving := [result.title for result in results if result.still_improving and not result.cut_short]:
        yield f"Best in the last epoch, so perhaps not at the end of what they can learn: {', '.join(improving)}."
    if outdated := [planned.run.title for planned in runs if planned.outdated]:
        yield f"Not shown, being of another config, other data or another version: results of {', '.join(outdated)}."
    if others := [result.title for result in results if result.code != code_fingerprint(result.task)]:
        yield f"Made by other code than the present: {', '.join(others)}; --rerun runs them again."
    for obstacle in dict.fromkeys(planned.obstacle for planned in runs if planned.obstacle is not None):
        titles = ", ".join(planned.run.title for planned in runs if planned.obstacle == obstacle)
        yield f"Configs that cannot be evaluated here, so that results are taken as they are: {titles}. {obstacle}"
