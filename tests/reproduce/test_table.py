"""The table, character by character."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from elmo_tasks.reproduce.identity import Identity, code_fingerprint
from elmo_tasks.reproduce.layout import Column, Grid, Heading, Lines, as_markdown, as_text
from elmo_tasks.reproduce.plan import Places, PlannedRun
from elmo_tasks.reproduce.results import Mix, Result, TestItems, pack_bits
from elmo_tasks.reproduce.suite import Arm, Budget, Run, Suite
from elmo_tasks.reproduce.table import table, to_do
from tests.reproduce.test_results import RESULT

KEY = "0123456789abcdef"
BUDGET = Budget("few phrases", {"trainer.num_epochs": 6})
PLACES = Places(Path("/repository"), Path("/repository/out/small"), Path("/repository/results/small"))
CHANGES = {"sizes": {"encoder": {"hidden_size": 48}}, "training": {"trainer": {"patience": None}}}
NUM_ITEMS = 40
AMBIGUOUS = [item < 10 for item in range(NUM_ITEMS)]


def planned(arm: str, seed: int, result: Result | None, task: str = "sst5", **more: Any) -> PlannedRun:
    title = {"elmo": "ELMo", "random_bilm": "random biLM"}.get(arm, arm)
    described = Arm(arm, title, Path("/repository/x.jsonnet"), "open", {}, (1, 2, 3))
    run = Run(task, described, seed, BUDGET)
    entries = {
        "profile_changes": CHANGES,
        "identity": Identity(KEY, {}, {}),
        **more,
    }
    return PlannedRun(run, "small", PLACES, result, **entries)


def result(arm: str, seed: int, right: int, **more: Any) -> Result:
    """A result whose model got so many of the ten ambiguous items right, and half as many again of ten others."""
    correct = [item < right for item in range(10)] + [item % 10 < (right + 5) // 2 for item in range(10, NUM_ITEMS)]
    return dataclasses.replace(
        RESULT,
        task="sst5",
        arm=arm,
        seed=seed,
        code=code_fingerprint("sst5"),
        key=KEY,
        profile="open",
        test={"accuracy": sum(correct) / NUM_ITEMS},
        dev={"accuracy": right / 10 - 0.01},
        items=TestItems(NUM_ITEMS, pack_bits(correct), groups={"ambiguous": pack_bits(AMBIGUOUS)}),
        mixes={"text_field_embedder.x": Mix((0.25, 0.5, 0.25), 1.25)} if arm == "elmo" else {},
        seconds=60.0 + seed,
        parameters={"baseline": 1000, "elmo": 2000}.get(arm),
        **more,
    )


def suite(title: str = "A small suite") -> Suite:
    return Suite("small", title, "open", True, "small", True, {})


def three_seeds(baseline: Sequence[int], elmo: Sequence[int], **others: Sequence[int]) -> list[PlannedRun]:
    arms: Mapping[str, Sequence[int]] = {"baseline": baseline, "elmo": elmo, **others}
    return [
        planned(arm, seed, result(arm, seed, right))
        for arm, rights in arms.items()
        for seed, right in enumerate(rights, start=1)
    ]


TEXT = """\
A small suite
=============

Profile open: free real data.

Budget, the same for all arms: few phrases.

The profile changes, for all arms alike: encoder.hidden_size 48, trainer.patience null.

                  -------------------- paper ---------------------  ---------------------- here ----------------------
task              previous best  baseline  + ELMo         increase  baseline    + ELMo           increase  seeds
----------------  -------------  --------  ----------  -----------  ----------  ----------  -------------  -----------
SST-5 (accuracy)  53.7           51.4      54.7 ± 0.5  3.3 / 6.8 %  47.5 ± 6.6  63.8 ± 1.8  16.2 / 31.0 %  n = 3 and 2

Test scores in percent; ours: mean ± standard deviation over n seeds. Paper: Peters et al. 2018, Table 1; previous
best: SST-5 McCann et al. 2017. Increase: absolute / relative, the latter the share of the baseline's error that is
gone.

arm          n  dev          test        over the baseline        ELMo over it             epochs  time a run  an epoch
-----------  -  -----------  ----------  -----------------------  -----------------------  ------  ----------  --------
baseline     3  49.0 ± 10.0  47.5 ± 6.6                           +16.2 ± 4.0 (+4.0 s.e.)     5.0  1 min 02 s      12 s
ELMo         2  74.0 ± 7.1   63.8 ± 1.8  +16.2 ± 4.0 (+4.0 s.e.)                              5.0  1 min 02 s      12 s
random biLM  1  59.0         52.5        +5.0                     +11.2                       5.0  1 min 01 s      12 s

Trainable parameters: baseline 1,000; ELMo 2,000.

ELMo against the baseline, on the test set:

- Over seeds: +16.2 ± 4.0 (+4.0 s.e.), p = 0.0410 (Welch's t-test; ± is the standard error of the difference).
- Over the 40 test items: p = 0.0026 (paired approximate randomisation, 9,999 rounds; an item's score is its mean over
  the seeds).
- Gains apart, ambiguous items (10): 50.0 to 75.0, +25.0 ± 7.6 (+3.3 s.e.).
- Gains apart, the other items (30): 46.7 to 60.0, +13.3 ± 3.3 (+4.0 s.e.).

run                  dev  test  epochs  best epoch        time  remark
------------------  ----  ----  ------  ----------  ----------  -----------
baseline seed 1     39.0  40.0  5 of 6           3  1 min 01 s
baseline seed 2     49.0  50.0  5 of 6           3  1 min 02 s
baseline seed 3     59.0  52.5  5 of 6           3  1 min 03 s
ELMo seed 1         69.0  62.5  5 of 6           3  1 min 01 s
ELMo seed 2         79.0  65.0  5 of 6           3  1 min 02 s
ELMo seed 3            –     –       –           –  1 min 03 s  failed
random biLM seed 1  59.0  52.5  5 of 6           3  1 min 01 s
random biLM seed 2     –     –       –           –           –  not run yet

Learned weights of the biLM's layers, the lowest first:

- ELMo seed 1: input 0.25 0.50 0.25, γ 1.25
- ELMo seed 2: input 0.25 0.50 0.25, γ 1.25

Remarks:

- Failed: sst5 elmo seed 3: ValueError: nan loss encountered (log: out/small/log.txt); --retry-failed runs it again.
"""


def full_table() -> list[PlannedRun]:
    """Three seeds of the two main arms, one of them failed, and a control that is not done yet."""
    runs = three_seeds((4, 5, 6), (7, 8), random_bilm=(6,))
    failed = dataclasses.replace(
        result("elmo", 3, 0), status="failed", error="ValueError: nan loss encountered", log="out/small/log.txt"
    )
    runs.insert(5, planned("elmo", 3, failed))
    runs.append(planned("random_bilm", 2, None))
    return runs


def test_the_whole_table_for_a_terminal():
    assert as_text(table(suite(), full_table(), "free real data.")) + "\n" == TEXT
    assert max(map(len, TEXT.splitlines())) <= 120


def test_the_same_as_markdown():
    markdown = as_markdown(table(suite(), full_table(), "free real data"))
    assert markdown.splitlines()[:11] == [
        "## A small suite",
        "",
        "Profile open: free real data.",
        "",
        "Budget, the same for all arms: few phrases.",
        "",
        "The profile changes, for all arms alike: encoder.hidden_size 48, trainer.patience null.",
        "",
        "| task | paper: previous best | paper: baseline | paper: + ELMo | paper: increase "
        "| here: baseline | here: + ELMo | here: increase | here: seeds |",
        "| --- | --- | --- | --- | ---: | --- | --- | ---: | --- |",
        "| SST-5 (accuracy) | 53.7 | 51.4 | 54.7 ± 0.5 | 3.3 / 6.8 % "
        "| 47.5 ± 6.6 | 63.8 ± 1.8 | 16.2 / 31.0 % | n = 3 and 2 |",
    ]
    # Every word of the one is in the other, whatever stands around it.
    words, of_markdown = (set(text.replace("-", " ").replace(":", " ").split()) for text in (TEXT, markdown))
    assert words - of_markdown == {"=" * 13}


def test_a_single_seed_claims_nothing():
    text = as_text(
        table(suite(), [planned("baseline", 1, result("baseline", 1, 5)), planned("elmo", 1, result("elmo", 1, 8))])
    )
    row = next(line for line in text.splitlines() if line.startswith("SST-5"))
    assert row.split("%")[1].split() == ["50.0", "65.0", "15.0", "/", "30.0"]
    assert row.endswith("n = 1")
    assert "A single seed has no deviation, and nothing is claimed from it." in text
    for claim in ("p =", "s.e.", "Gains", " ± ", "Welch"):
        assert claim not in text.partition("gone.")[2]


def test_the_sample_is_called_a_stand_in():
    arm = Arm("baseline", "baseline", Path("/repository/x.jsonnet"), "sample", {}, (1,))
    run = dataclasses.replace(planned("baseline", 1, None), run=Run("sst5", arm, 1, Budget()))
    text = as_text(table(suite(), [run], "generated sentences"))
    assert "Profile sample: a stand-in that lets anyone run everything in minutes; no claim about language." in text
    assert "Budget, the same for all arms: the whole schedule of the configs." in text


def test_a_budget_is_printed_once_for_all_its_tasks():
    arm = Arm("baseline", "baseline", Path("/repository/x.jsonnet"), "sample", {}, (1,))
    budgets = {"sst5": Budget("few epochs", {"a": 1}), "ner": Budget(), "squad": Budget("few epochs", {"a": 1})}
    runs = [
        dataclasses.replace(planned("baseline", 1, None, task), run=Run(task, arm, 1, budget))
        for task, budget in budgets.items()
    ]
    text = as_text(table(suite(), runs))
    assert [line for line in text.splitlines() if line.startswith("Budget")] == [
        "Budget for sst5, squad, the same for all arms: few epochs.",
        "Budget for ner, the same for all arms: the whole schedule of the configs.",
    ]
    of_one_budget = as_text(table(suite(), [run for run in runs if run.run.task != "ner"]))
    assert "Budget, the same for all arms: few epochs." in of_one_budget


def test_no_result_yet_is_a_row_of_nothing():
    runs = [planned("baseline", 1, None), planned("elmo", 1, None)]
    text = as_text(table(suite(), runs))
    row = next(line for line in text.splitlines() if line.startswith("SST-5"))
    assert row.split("%")[1].split() == ["–", "–", "–", "n", "=", "0"]
    assert to_do(runs) == runs


def test_tasks_stand_in_the_papers_order_with_the_papers_figures():
    runs = [planned(arm, 1, None, task) for task in ("sst5", "parse", "ner", "squad") for arm in ("baseline", "elmo")]
    rows = [line for line in as_text(table(suite(), runs)).splitlines() if line.endswith("n = 0")]
    assert [row.split()[0] for row in rows] == ["SQuAD", "NER", "SST-5", "parse"]
    assert "91.93 ± 0.19" in rows[1]
    assert "2.06 / 21 %" in rows[1]
    assert rows[3].split()[2:6] == ["–"] * 4


def remarks(*runs: PlannedRun) -> str:
    return " ".join(as_text(table(suite(), runs)).partition("Remarks:")[2].split())


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"cut_short": True, "best_epoch": 5}, "- Cut short by a time limit: sst5 elmo seed 1."),
        (
            {"best_epoch": 5},
            "- Best in the last epoch, so perhaps not at the end of what they can learn: sst5 elmo seed 1.",
        ),
        ({"code": "another"}, "- Made by other code than the present: sst5 elmo seed 1; --rerun runs them again."),
        (
            {"earlier_failures": ("OSError: disk full",)},
            "- sst5 elmo seed 1 failed before it succeeded: OSError: disk full.",
        ),
        (
            {"key": "another"},
            "- Not shown, being of another config, other data or another version: results of sst5 elmo seed 1.",
        ),
    ],
)
def test_what_a_reader_should_know_is_remarked(changes: dict[str, Any], remark: str):
    assert remarks(planned("elmo", 1, dataclasses.replace(result("elmo", 1, 5), **changes))) == remark


def test_an_outdated_result_does_not_count():
    run = planned("elmo", 1, dataclasses.replace(result("elmo", 1, 5), key="another"))
    assert to_do([run]) == [run]


def test_resumed_and_shortened_runs_are_marked():
    shortened = dataclasses.replace(result("elmo", 1, 5), cut_short=True, attempts=3)
    text = as_text(table(suite(), [planned("elmo", 1, shortened)]))
    assert next(line for line in text.splitlines() if line.startswith("ELMo seed 1 ")).endswith(
        "cut short, resumed 2 ×"
    )


def curves(**of_arms: Sequence[Sequence[float]]) -> str:
    """The table of arms with these development scores after each epoch, a sequence a seed."""
    runs = [
        planned(arm, seed, dataclasses.replace(result(arm, seed, 5), curve=curve))
        for arm, of_seeds in of_arms.items()
        for seed, curve in enumerate(of_seeds, start=1)
    ]
    return as_text(table(suite(), runs))


def test_learning_curves_and_where_elmo_passes_the_baselines_best():
    text = curves(
        baseline=[(0.2, 0.4, 0.5, 0.3), (0.3, 0.5, 0.6, 0.4)],
        elmo=[(0.5, 0.55, 0.65), (0.4, 0.56, 0.65, 0.7)],
        random_bilm=[(), (0.5,)],
    )
    assert (
        """\
Development scores while training, means over the seeds:

          ---- after epoch -----
arm          1     2     3     4
--------  ----  ----  ----  ----
baseline  25.0  45.0  55.0  35.0
ELMo      45.0  55.5  65.0     –

The baseline's best of these is 55.0, in epoch 3; ELMo passes it in epoch 2.
"""
        in text
    )
    assert "ELMo does not pass it." in curves(baseline=[(0.2, 0.4)], elmo=[(0.3, 0.4)])
    assert "while training" not in curves(baseline=[()], elmo=[()])
    assert "The baseline's best" not in curves(elmo=[(0.3, 0.4)])


def test_of_a_long_training_some_epochs_stand_for_all_and_the_last_is_one():
    lines = curves(baseline=[[epoch / 100 for epoch in range(1, 47)]]).splitlines()
    head = next(position for position, line in enumerate(lines) if "after epoch" in line)
    assert lines[head + 1].split() == ["arm", *map(str, range(2, 47, 4))]
    assert lines[head + 3].split()[-1] == "46.0"


def test_a_gain_apart_needs_items_on_both_sides():
    everything = pack_bits([True] * NUM_ITEMS)
    runs = [
        dataclasses.replace(
            run,
            result=dataclasses.replace(
                run.result, items=TestItems(NUM_ITEMS, everything, groups={"ambiguous": everything})
            ),
        )
        for run in three_seeds((4, 5), (6, 7))
        if run.result is not None
    ]
    text = as_text(table(suite(), runs))
    assert "Gains apart, ambiguous items (40): 100.0 to 100.0" in text
    assert "the other items" not in text


def test_grids_line_up_and_escape():
    grid = Grid(
        [Column("name"), Column("a", "both"), Column("b", "both", right=True)], [["x|y", "ü", "1"], ["z", "long", "22"]]
    )
    assert grid.text() == "      - both -\nname  a      b\n----  ----  --\nx|y   ü      1\nz     long  22"
    assert grid.markdown() == (
        "| name | both: a | both: b |\n| --- | --- | ---: |\n| x\\|y | ü | 1 |\n| z | long | 22 |"
    )


def test_a_document_is_wrapped_for_a_terminal_and_not_in_markdown():
    words = "word " * 40
    blocks = [Heading("Title"), words.strip(), Lines([words.strip(), "short"])]
    text = as_text(blocks)
    assert max(map(len, text.splitlines())) <= 118
    assert text.startswith("Title\n=====\n\nword")
    assert "\n  word" in text
    assert as_markdown(blocks) == f"## Title\n\n{words.strip()}\n\n- {words.strip()}\n- short\n"
