"""Suite files: what they name, and what is said of those that name it wrongly."""

import json
from pathlib import Path
from typing import Any

import pytest

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.suite import Suite, load_suite, suite_named, suites_for

SUITE = {
    "title": "Two tasks",
    "profile": "open",
    "seeds": [1, 2],
    "budget": {"description": "few epochs", "overrides": {"trainer.num_epochs": 6}},
    "tasks": {
        "sst5": {
            "arms": {
                "baseline": "a.jsonnet",
                "elmo": {"config": "b.jsonnet", "seeds": [1, 2, 3]},
                "random_bilm": {"config": "b.jsonnet", "title": "random", "overrides": {"model.bilm": "random"}},
            },
        },
        "ner": {"seeds": [7], "budget": {}, "arms": {"baseline": {"config": "a.jsonnet", "profile": "mine.jsonnet"}}},
    },
}


def write(folder: Path, content: Any, name: str = "two.jsonnet") -> Path:
    """Writes a suite, and the configs that it may name."""
    for config in ("a.jsonnet", "b.jsonnet"):
        (folder / config).write_text("{}")
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def titles(suite: Suite, **choice: Any) -> list[str]:
    return [run.title for run in suite.runs(**choice)]


def test_names_runs_task_by_task_and_seed_by_seed(tmp_path: Path):
    suite = load_suite(write(tmp_path, SUITE))
    assert titles(suite) == [
        "ner baseline seed 7",
        "sst5 baseline seed 1",
        "sst5 elmo seed 1",
        "sst5 random_bilm seed 1",
        "sst5 baseline seed 2",
        "sst5 elmo seed 2",
        "sst5 random_bilm seed 2",
        "sst5 elmo seed 3",
    ]
    assert titles(suite, tasks=["sst5"], seeds=[3]) == ["sst5 elmo seed 3"]
    assert (suite.name, suite.results, suite.committed, suite.default) == ("two", "two", True, True)


def test_main_arms_come_first(tmp_path: Path):
    arms = dict.fromkeys(("zebra", "elmo", "aardvark", "baseline"), "a.jsonnet")
    suite = load_suite(write(tmp_path, {**SUITE, "tasks": {"xyz": {"arms": arms}, "sst5": {"arms": arms}}}))
    assert list(suite.tasks) == ["sst5", "xyz"]
    assert list(suite.tasks["xyz"].arms) == ["baseline", "elmo", "aardvark", "zebra"]


def test_a_budget_holds_for_every_arm_and_an_arms_own_changes_for_it_alone(tmp_path: Path):
    runs = {run.title: run for run in load_suite(write(tmp_path, SUITE)).runs()}
    assert runs["sst5 baseline seed 1"].overrides == {"trainer.num_epochs": 6}
    assert runs["sst5 random_bilm seed 1"].overrides == {"model.bilm": "random", "trainer.num_epochs": 6}
    assert runs["ner baseline seed 7"].overrides == {}


def test_paths_are_relative_to_the_file(tmp_path: Path):
    runs = {run.title: run for run in load_suite(write(tmp_path, SUITE)).runs()}
    assert runs["sst5 baseline seed 1"].arm.config_file == tmp_path / "a.jsonnet"
    assert runs["sst5 baseline seed 1"].arm.profile == "open"
    assert runs["ner baseline seed 7"].arm.profile == str(tmp_path / "mine.jsonnet")


def test_under_another_profile_results_are_kept_apart(tmp_path: Path):
    suite = load_suite(write(tmp_path, SUITE))
    other = suite.under("/home/me/own.jsonnet")
    assert (other.results, other.committed) == ("two-own", False)
    profiles = {run.title: run.arm.profile for run in other.runs()}
    assert profiles["sst5 elmo seed 1"] == "/home/me/own.jsonnet"
    # An arm that has a profile of its own has it for a reason.
    assert profiles["ner baseline seed 7"] == str(tmp_path / "mine.jsonnet")
    assert suite.under("open") is suite


def test_another_profile_may_be_given_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    suite = load_suite(write(tmp_path, SUITE))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    other = suite.under("../own.jsonnet")
    assert (other.profile, other.results) == (str(tmp_path / "own.jsonnet"), "two-own")
    assert {run.arm.profile for run in other.runs()} == {str(tmp_path / "own.jsonnet"), str(tmp_path / "mine.jsonnet")}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"tasks": ["srl"]}, "suite two has no task 'srl': it has ner, sst5"),
        ({"seeds": [4]}, "suite two names no run with seed 4: its seeds are 1, 2, 3, 7; runs are named in the suite's"),
        ({"arms": ["elm"]}, "suite two has no arm 'elm': it has "),
        ({"tasks": ["ner"], "seeds": [1]}, "suite two names no run with seed 1: its seeds are 7"),
    ],
)
def test_what_was_not_named_beforehand_is_refused(tmp_path: Path, choice: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        load_suite(write(tmp_path, SUITE)).runs(**choice)


def changed(place: str, value: Any) -> dict[str, Any]:
    """The suite with another value at a dotted place; without that entry if the value is None."""
    suite = json.loads(json.dumps(SUITE))
    *parents, last = place.split(".")
    section = suite
    for parent in parents:
        section = section[parent]
    if value is None:
        del section[last]
    else:
        section[last] = value
    return suite


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "the file: expected an object, found \\[1\\]"),
        ("{ title: ", "is not valid Jsonnet: STATIC ERROR"),
        (changed("title", None), "title: expected a text, found null"),
        (changed("profile", 3), "profile: expected a text, found 3"),
        (changed("sedes", [1]), "sedes: unknown key; did you mean 'seeds'?"),
        (changed("tasks", {}), "tasks: expected an object with at least one entry, found {}"),
        (changed("seeds", [1, 1]), "seeds: expected a list of different whole numbers, found \\[1, 1\\]"),
        (changed("seeds", []), "seeds: expected a list of different whole numbers, found \\[\\]"),
        (changed("seeds", [True]), "seeds: expected a list of different whole numbers, found \\[true\\]"),
        (changed("seeds", None), "tasks.sst5.arms.baseline.seeds: no seeds, neither here nor for the task"),
        (changed("committed", "yes"), 'committed: expected true or false, found "yes"'),
        (changed("budget.description", None), "budget.description: a budget with overrides says in one line what"),
        (changed("budget.overrides", [1]), "budget.overrides: expected an object of dotted keys and values"),
        (changed("tasks.sst5.arms.baseline", "c.jsonnet"), "tasks.sst5.arms.baseline.config: .*c.jsonnet is not there"),
        (changed("tasks.sst5.arms", {"a/b": "a.jsonnet"}), "tasks.sst5.arms: 'a/b' is no name: letters, digits and"),
        (changed("tasks.ner.arms.baseline.confg", "x"), "tasks.ner.arms.baseline.confg: unknown key; did you mean 'c"),
        (
            changed("tasks.sst5.arms.random_bilm.overrides", {"trainer.num_epochs": 9}),
            "tasks.sst5.arms.random_bilm.overrides: 'trainer.num_epochs' belongs to the budget, which is the same for",
        ),
    ],
)
def test_a_wrong_file_is_told_by_name_and_place(tmp_path: Path, content: Any, message: str):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=f"suite {path}:? .*{message}"):
        load_suite(path)


def test_finds_suites_by_name_by_file_and_by_profile(tmp_path: Path):
    write(tmp_path, SUITE)
    write(tmp_path, {**SUITE, "default": False}, "extra.json")
    (tmp_path / "a.jsonnet").unlink()
    for suite in ("two.jsonnet", "extra.json"):
        content = json.loads((tmp_path / suite).read_text())
        content["tasks"] = {"sst5": {"arms": {"baseline": "configs/b.jsonnet"}}}
        (tmp_path / suite).write_text(json.dumps(content))
    (tmp_path / "configs").mkdir()
    (tmp_path / "b.jsonnet").rename(tmp_path / "configs" / "b.jsonnet")

    assert suite_named(tmp_path, "two").name == "two"
    assert suite_named(tmp_path, str(tmp_path / "extra.json")).name == "extra"
    assert [suite.name for suite in suites_for(tmp_path, "open")] == ["two"]
    with pytest.raises(InputError, match="no suite 'twoo' in .*: did you mean 'two'?"):
        suite_named(tmp_path, "twoo")
    with pytest.raises(InputError, match="no suite 'paper' in .*: there are extra, two"):
        suite_named(tmp_path, "paper")
    with pytest.raises(InputError, match=r"runs under profile 'paper': there are extra \(profile open\), two"):
        suites_for(tmp_path, "paper")
    with pytest.raises(InputError, match=r"suite .*nowhere.jsonnet is not there"):
        suite_named(tmp_path, str(tmp_path / "nowhere.jsonnet"))


COMMITTED = sorted((Path(__file__).parents[2] / "experiments" / "suites").glob("*.jsonnet"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_suites_compare_like_with_like(path: Path):
    suite = load_suite(path)
    for task in suite.tasks.values():
        assert {"baseline", "elmo"} <= set(task.arms)
        assert task.arms["baseline"].seeds == task.arms["elmo"].seeds


def test_the_controls_share_their_main_arms_with_the_sample_suite():
    folder = Path(__file__).parents[2] / "experiments" / "suites"
    sample, controls = (load_suite(folder / f"{name}.jsonnet") for name in ("sample", "sample-controls"))
    assert controls.results == sample.results
    assert not controls.default
    of_controls = {run.slug: (run.arm.config_file, run.overrides) for run in controls.runs()}
    assert {run.slug: (run.arm.config_file, run.overrides) for run in sample.runs()}.items() <= of_controls.items()
    # so small, they are soonest done with one run a core
    assert all(run.overrides["trainer.cuda_device"] == -1 for run in controls.runs())
