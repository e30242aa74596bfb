"""From a request for a table to the table: which suites, which of their runs are missing, and what comes out."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import elmo_tasks
from elmo_tasks.errors import InputError
from elmo_tasks.extras import require_allennlp
from elmo_tasks.reproduce.layout import as_markdown, as_text
from elmo_tasks.reproduce.outcome import available_cores, visible_gpus
from elmo_tasks.reproduce.plan import Places, PlannedRun, plan, profile_description, with_result
from elmo_tasks.reproduce.progress import Display, display_for
from elmo_tasks.reproduce.results import write_text
from elmo_tasks.reproduce.runner import WORKER, Runner
from elmo_tasks.reproduce.suite import Suite, suite_named, suites_for
from elmo_tasks.reproduce.table import table, to_do

DEFAULT_PROFILE = "sample"
_SUITES = Path("experiments") / "suites"


@dataclass(frozen=True)
class Request:
    """
    What is asked for.

    Attributes
    ----------
    profile
        The profile whose table is asked for; None for that of the suites.
    suites
        Names or files of suites; none for those that the profile's table consists of.
    tasks, seeds, arms
        A choice of the suites' runs; None for all.
    jobs
        Runs at a time; None for one a core, or one a GPU where runs may take one.
    out
        Where runs and results go; None for the usual places.
    run
        Whether to run what is missing.
    retry_failed, rerun
        Whether runs that have failed, or all of them, are run again.
    time_limit
        Seconds of training after which a run is cut short.
    """

    profile: str | None = None
    suites: Sequence[str] = ()
    tasks: Collection[str] | None = None
    seeds: Collection[int] | None = None
    arms: Collection[str] | None = None
    jobs: int | None = None
    out: Path | None = None
    run: bool = True
    retry_failed: bool = False
    rerun: bool = False
    time_limit: float | None = None


@dataclass(frozen=True)
class SuiteTable:
    """
    The table of one suite.

    Attributes
    ----------
    text
        The table as it is printed.
    missing, failed
        Runs that have no result, and runs that failed.
    file
        The Markdown file that it was written to, if it was: a table of a choice of runs is not.
    """

    text: str
    missing: Sequence[PlannedRun]
    failed: Sequence[PlannedRun]
    file: Path | None


def make_tables(
    request: Request, root: Path | None = None, display: Display | None = None, worker: Sequence[str] = WORKER
) -> list[SuiteTable]:
    """
    Runs what is missing, and makes the tables.

    Parameters
    ----------
    request
        What is asked for.
    root
        The repository; the one of the current folder or of this package if None.
    display
        Where progress is shown; standard error if None.
    worker
        The command of a worker.

    Raises
    ------
    InputError
        If something asked for is not there.
    """
    root = repository() if root is None else root
    tables = []
    for suite in _suites(request, root):
        places = Places.of(suite, root, request.out)
        runs = plan(suite, places, request.tasks, request.seeds, request.arms)
        if request.run:
            runs = _run(request, suite, runs, display or display_for(sys.stderr), worker)
        tables.append(_table(request, suite, places, runs))
    return tables


def repository() -> Path:
    """
    The repository: the current folder if it has suites, else the folder of this package.

    Raises
    ------
    InputError
        If neither has: a package that was installed from a wheel has no experiments.
    """
    for folder in (Path.cwd(), Path(elmo_tasks.__file__).parent.parent):
        if (folder / _SUITES).is_dir():
            return folder.resolve()
    raise InputError(f"there is no folder {_SUITES} here: run this in a clone of the repository")


def _suites(request: Request, root: Path) -> list[Suite]:
    folder = root / _SUITES
    if request.suites:
        suites = [suite_named(folder, name) for name in request.suites]
        return [suite.under(request.profile) if request.profile else suite for suite in suites]
    suites = suites_for(folder, request.profile or DEFAULT_PROFILE)
    if request.tasks is None:
        return suites
    having = [suite for suite in suites if set(request.tasks) & set(suite.tasks)]
    # Where no suite has any of the tasks, the first one says what it has.
    return having or suites[:1]


def _run(
    request: Request, suite: Suite, runs: Sequence[PlannedRun], display: Display, worker: Sequence[str]
) -> list[PlannedRun]:
    """Runs what is to be run; returns all runs with their results."""
    wanted = [planned for planned in runs if _is_wanted(planned, request)]
    if wanted:
        for planned in wanted:
            if planned.obstacle is not None:
                raise InputError(planned.obstacle)
        require_allennlp()
        gpus = visible_gpus() if any(planned.takes_any_gpu for planned in wanted) else []
        jobs = min(request.jobs or len(gpus) or available_cores(), len(wanted))
        work = runs[0].places.relative(runs[0].places.work)
        display.event(
            f"Suite {suite.name}, profile {suite.profile}: {len(runs)} runs, {len(runs) - len(wanted)} of them done; "
            f"{jobs} at a time; logs and models in {work}"
        )
        known = [result for planned in runs if (result := planned.current) is not None and result.done]
        Runner(jobs, display, request.time_limit, worker, gpus).run(wanted, known)
    return [with_result(planned) for planned in runs]


def _is_wanted(planned: PlannedRun, request: Request) -> bool:
    result = planned.current
    return request.rerun or result is None or (request.retry_failed and not result.done)


def _table(request: Request, suite: Suite, places: Places, runs: Sequence[PlannedRun]) -> SuiteTable:
    blocks = table(suite, runs, profile_description(suite.profile))
    missing = to_do(runs)
    failed = [planned for planned in runs if planned.current is not None and not planned.current.done]
    whole = request.tasks is None and request.seeds is None and request.arms is None
    file = None
    if whole and len(missing) < len(runs):
        file = places.results / f"{suite.name}.md"
        write_text(file, places.portable(as_markdown(blocks)))
    return SuiteTable(as_text(blocks), missing, failed, file)
