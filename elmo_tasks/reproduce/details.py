"""What stands beneath a row of the table: all arms, the tests of the difference, each run, the learned mixes."""

from collections.abc import Iterable, Iterator

import numpy as np

from elmo_tasks.reproduce.arms import NOTHING, ArmRuns, TaskRuns, gain, spread
from elmo_tasks.reproduce.layout import Block, Column, Grid, Lines
from elmo_tasks.reproduce.plan import PlannedRun
from elmo_tasks.reproduce.progress import duration
from elmo_tasks.reproduce.results import Mix
from elmo_tasks.reproduce.statistics import ROUNDS, difference, paired_randomisation
from elmo_tasks.reproduce.suite import BASELINE, ELMO

_MOST_EPOCHS = 15


def details(task: TaskRuns) -> list[Block]:
    """All that is known of a task beyond its row."""
    blocks: list[Block] = [_arms(task), *_parameters(task), *_tests(task), *_curves(task), _runs(task)]
    if mixes := list(_mixes(task)):
        blocks += ["Learned weights of the biLM's layers, the lowest first:", Lines(mixes)]
    return blocks


def _arms(task: TaskRuns) -> Grid:
    columns = [
        Column("arm"),
        Column("n", right=True),
        Column("dev"),
        Column("test"),
        Column("over the baseline"),
        Column("ELMo over it"),
        Column("epochs", right=True),
        Column("time a run", right=True),
        Column("an epoch", right=True),
    ]
    rows = []
    for arm in task.arms.values():
        done, scores = arm.done, arm.test_scores
        rows.append(
            [
                arm.title,
                str(len(done)),
                spread(arm.dev_scores, task.decimals),
                spread(scores, task.decimals),
                gain(scores, task.scores(BASELINE), task.decimals) if arm.name != BASELINE else "",
                gain(task.scores(ELMO), scores, task.decimals) if arm.name != ELMO else "",
                f"{np.mean([result.epochs or 0 for result in done]):.1f}" if done else NOTHING,
                _mean_duration(result.seconds for result in done),
                # all included: start, development sets, test set
                _mean_duration(result.seconds / (result.epochs or 1) for result in done),
            ]
        )
    return Grid(columns, rows)


def _mean_duration(seconds: Iterable[float]) -> str:
    values = list(seconds)
    return duration(float(np.mean(values))) if values else NOTHING


def _parameters(task: TaskRuns) -> Iterator[Block]:
    counts = {arm.title: arm.done[0].parameters for arm in task.arms.values() if arm.done}
    known = [f"{title} {count:,}" for title, count in counts.items() if count is not None]
    if known:
        yield f"Trainable parameters: {'; '.join(known)}."


def _tests(task: TaskRuns) -> Iterator[Block]:
    """What the two main arms' difference is worth: over seeds, over test items, and apart for groups of items."""
    if BASELINE not in task.arms or ELMO not in task.arms:
        return
    baseline, elmo = task.arms[BASELINE], task.arms[ELMO]
    fewest = min(len(baseline.done), len(elmo.done))
    if fewest == 1:
        yield "A single seed has no deviation, and nothing is claimed from it."
    if fewest < 2:
        return
    lines = []
    found = difference(elmo.test_scores, baseline.test_scores)
    if found.p_value is not None:
        lines.append(
            f"Over seeds: {gain(elmo.test_scores, baseline.test_scores, task.decimals)}, "
            f"{_p(found.p_value)} (Welch's t-test; ± is the standard error of the difference)."
        )
    with_elmo, without = elmo.item_scores(), baseline.item_scores()
    if with_elmo is not None and without is not None and with_elmo.shape[2] == without.shape[2]:
        test = paired_randomisation(with_elmo, without)
        lines.append(
            f"Over the {test.items:,} test items: {_p(test.p_value)} (paired approximate randomisation, {ROUNDS:,} "
            "rounds; an item's score is its mean over the seeds)."
        )
        lines += _gains_apart(baseline, elmo, task.decimals)
    if lines:
        yield "ELMo against the baseline, on the test set:"
        yield Lines(lines)


def _gains_apart(baseline: ArmRuns, elmo: ArmRuns, decimals: int) -> Iterator[str]:
    """The gain on a named group of items, and on all the others."""
    record = next(result.items for result in elmo.done if result.items is not None)
    for group in record.groups:
        inside = record.members(group)
        for name, chosen in ((f"{group} items", inside), ("the other items", ~inside)):
            if chosen.any():
                below, above = baseline.scores_on(chosen), elmo.scores_on(chosen)
                yield (
                    f"Gains apart, {name} ({int(chosen.sum()):,}): {np.mean(below):.{decimals}f} to "
                    f"{np.mean(above):.{decimals}f}, {gain(above, below, decimals)}."
                )


def _curves(task: TaskRuns) -> Iterator[Block]:
    """How the arms learn, and when ELMo passes what the baseline comes to."""
    curves = {arm.name: arm.curve for arm in task.arms.values() if arm.curve}
    if not curves:
        return
    longest = max(map(len, curves.values()))
    # Of a long training some epochs stand for all, the last one among them.
    step = -(-longest // _MOST_EPOCHS)
    epochs = range(longest)[::-1][::step][::-1]
    columns = [Column("arm"), *(Column(str(epoch + 1), "after epoch", right=True) for epoch in epochs)]
    rows = [
        [
            task.arms[name].title,
            *(f"{curve[epoch]:.{task.decimals}f}" if epoch < len(curve) else NOTHING for epoch in epochs),
        ]
        for name, curve in curves.items()
    ]
    yield "Development scores while training, means over the seeds:"
    yield Grid(columns, rows)
    if BASELINE in curves and ELMO in curves:
        best = max(curves[BASELINE])
        passing = next((epoch for epoch, score in enumerate(curves[ELMO], 1) if score > best), None)
        passed = f"passes it in epoch {passing}" if passing else "does not pass it"
        yield (
            f"The baseline's best of these is {best:.{task.decimals}f}, in epoch {curves[BASELINE].index(best) + 1}; "
            f"ELMo {passed}."
        )


def _p(value: float) -> str:
    return f"p = {value:.4f}" if value >= 0.0001 else "p < 0.0001"


def _runs(task: TaskRuns) -> Grid:
    columns = [
        Column("run"),
        Column("dev", right=True),
        Column("test", right=True),
        Column("epochs", right=True),
        Column("best epoch", right=True),
        Column("time", right=True),
        Column("remark"),
    ]
    rows = [
        [f"{arm.title} seed {planned.run.seed}", *_run(planned, task.decimals)]
        for arm in task.arms.values()
        for planned in arm.runs
    ]
    return Grid(columns, rows)


def _run(planned: PlannedRun, decimals: int) -> list[str]:
    result = planned.current
    if result is None:
        return [*[NOTHING] * 5, "not run yet"]
    if not result.done:
        return [*[NOTHING] * 4, duration(result.seconds), "failed"]
    remarks = ["cut short"] if result.cut_short else []
    if result.attempts > 1:
        remarks.append(f"resumed {result.attempts - 1} ×")
    return [
        f"{result.dev_score:.{decimals}f}",
        f"{result.test_score:.{decimals}f}",
        f"{result.epochs} of {result.epoch_limit}",
        str(result.best_epoch),
        duration(result.seconds),
        ", ".join(remarks),
    ]


def _mixes(task: TaskRuns) -> Iterator[str]:
    for arm in task.arms.values():
        for result in arm.done:
            if result.mixes:
                places = "; ".join(f"{_place(module)} {_mix(mix)}" for module, mix in result.mixes.items())
                yield f"{arm.title} seed {result.seed}: {places}"


def _place(module: str) -> str:
    """Where in a model a mix enters, from the name of the module that owns it."""
    if module.startswith("text_field_embedder"):
        return "input"
    return "output" if "output" in module else module


def _mix(mix: Mix) -> str:
    weights = " ".join(f"{weight:.2f}" for weight in mix.weights) or "last layer alone"
    return f"{weights}, γ {mix.gamma:.2f}"
