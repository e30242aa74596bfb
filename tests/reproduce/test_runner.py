"""The runner, with a worker that takes milliseconds: what is run, what is kept, what is left behind."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce.outcome import visible_gpus
from elmo_tasks.reproduce.plan import Places, PlannedRun, plan
from elmo_tasks.reproduce.suite import load_suite
from tests.reproduce.conftest import FAKE_WORKER, MiniatureRepository


def make_plan(miniature: MiniatureRepository) -> list[PlannedRun]:
    suite = load_suite(miniature.root / "experiments" / "suites" / "small.jsonnet")
    return plan(suite, Places.of(suite, miniature.root))


RUNS = ("sst5-baseline-seed1", "sst5-elmo-seed1", "sst5-baseline-seed2", "sst5-elmo-seed2")


def test_runs_all_and_keeps_what_came_out(miniature: MiniatureRepository):
    miniature.behave(sst5_baseline_seed1="3110")
    (table,) = miniature.tables()
    assert (table.missing, table.failed) == ([], [])
    result = miniature.result("sst5-baseline-seed1")
    assert (result.task, result.arm, result.seed, result.profile) == ("sst5", "baseline", 1, "sample")
    assert (result.metric, result.dev, result.test["accuracy"]) == ("accuracy", {"accuracy": 0.6}, 0.75)
    assert (result.epochs, result.best_epoch, result.epoch_limit) == (3, 2, 3)
    assert result.curve == [0.5, 0.6, 0.6]
    assert result.items is not None
    assert result.items.scores().tolist() == [[1, 1, 0, 1], [1, 1, 1, 1]]
    assert result.items.members("ambiguous").tolist() == [False, True, False, True]
    assert result.parameters == 12345
    assert miniature.result("sst5-elmo-seed2").mixes["elmo_at_output"].weights == (0.5, 0.25, 0.25)
    assert result.versions.keys() == {"allennlp", "elmo_tasks", "numpy", "python", "torch"}
    assert result.machine["cores"] >= 1
    assert result.files["data/test.txt"]["bytes"] == os.path.getsize(miniature.root / "data/test.txt")
    assert result.command == [
        "ELMO_TASKS_PROFILE=sample ELMO_TASKS_SEED=1 allennlp train experiments/toy/baseline.jsonnet "
        "--serialization-dir out/small/sst5-baseline-seed1/model --file-friendly-logging "
        """--overrides '{"trainer.num_epochs": 3, "evaluate_on_test": false}'""",
        "ELMO_TASKS_PROFILE=sample ELMO_TASKS_SEED=1 "
        "allennlp evaluate out/small/sst5-baseline-seed1/model/model.tar.gz data/test.txt "
        "--output-file out/small/sst5-baseline-seed1/test.json "
        "--predictions-output-file out/small/sst5-baseline-seed1/predictions.jsonl --file-friendly-logging "
        """--overrides '{"validation_data_loader": {"batch_size": 2}}'""",
    ]


def test_each_run_has_its_seed_and_one_thread(miniature: MiniatureRepository):
    miniature.tables()
    for run in RUNS:
        log = (miniature.root / "out" / "small" / run / "log.txt").read_text()
        assert log.startswith(f"seed {run[-1]}, threads 1\n")


def gpus_of(miniature: MiniatureRepository) -> list[str]:
    logs = [(miniature.root / "out" / "small" / run / "log.txt").read_text() for run in RUNS]
    return [log.splitlines()[1] for log in logs]


def test_runs_that_go_on_together_share_out_the_gpus(
    miniature: MiniatureRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("elmo_tasks.reproduce.experiment.visible_gpus", lambda: ["3", "GPU-5f"])
    miniature.tables(jobs=4)
    assert gpus_of(miniature) == ["GPU 3", "GPU GPU-5f"] * 2
    miniature.tables(jobs=1, rerun=True)
    assert gpus_of(miniature) == ["GPU 3"] * 4
    miniature.tables(jobs=None, rerun=True)
    assert "2 at a time" in miniature.display.events[0]


@pytest.mark.parametrize(
    ("variable", "count", "gpus"),
    [
        (None, 2, ["0", "1"]),
        ("5, 3", 2, ["5", "3"]),
        ("GPU-5f,GPU-a0", 2, ["GPU-5f", "GPU-a0"]),
        ("5,-1,6", 1, ["5"]),
        ("MIG-a,MIG-b", 1, ["MIG-a", "MIG-b"]),
        ("", 0, []),
        (None, 0, []),
    ],
)
def test_gpus_have_the_names_that_the_user_gave_them(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, count: int, gpus: list[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    if variable is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_gpus() == gpus


def test_a_run_that_names_its_device_is_left_alone(
    miniature: MiniatureRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("elmo_tasks.reproduce.experiment.visible_gpus", lambda: pytest.fail("nobody needs to know"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    miniature.edit(
        "experiments/suites/small.jsonnet",
        "'trainer.num_epochs': 3",
        "'trainer.num_epochs': 3, 'trainer.cuda_device': -1",
    )
    miniature.tables()
    assert set(gpus_of(miniature)) == {"GPU 7"}


def test_one_arm_may_name_its_device(miniature: MiniatureRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elmo_tasks.reproduce.experiment.visible_gpus", lambda: ["3"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    baseline = "trainer: { num_epochs: 3"
    miniature.edit("experiments/toy/baseline.jsonnet", baseline, f"{baseline}, cuda_device: null")
    miniature.edit("experiments/toy/elmo.jsonnet", "model+", "trainer+: { cuda_device: 1 }, model+")
    miniature.tables()
    assert gpus_of(miniature) == ["GPU 3", "GPU None"] * 2


def test_distributed_training_sees_all_gpus(miniature: MiniatureRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elmo_tasks.reproduce.experiment.visible_gpus", lambda: ["3"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    miniature.edit("experiments/toy/elmo.jsonnet", "model+", "distributed: { cuda_devices: [0, 1] }, model+")
    miniature.tables()
    assert gpus_of(miniature) == ["GPU 3", "GPU None"] * 2


def test_only_as_many_at_once_as_asked_for(miniature: MiniatureRepository):
    miniature.tables(jobs=1)
    told = [" ".join(event.replace(":", "").split()[:5]) for event in miniature.display.events[1:]]
    assert told == [
        f"sst5 {arm} seed {seed} {what}"
        for seed in (1, 2)
        for arm in ("baseline", "elmo")
        for what in ("started", "test")
    ]


def test_what_is_done_is_not_done_again(miniature: MiniatureRepository):
    miniature.tables(seeds=[1])
    before = miniature.files()
    assert set(before) == {"sst5-baseline-seed1.json", "sst5-elmo-seed1.json"}
    miniature.tables()
    assert miniature.files().items() > before.items()
    finished = miniature.files()
    miniature.tables()
    assert miniature.files() == finished
    assert miniature.display.events == []


def test_a_changed_config_is_run_again_and_no_other(miniature: MiniatureRepository):
    miniature.tables()
    before = miniature.files()
    miniature.edit("experiments/toy/elmo.jsonnet", "elmo: true", "elmo: true, size: 11")
    (table,) = miniature.tables(run=False)
    assert [planned.run.title for planned in table.missing] == ["sst5 elmo seed 1", "sst5 elmo seed 2"]
    assert "Not shown, being of another config" in table.text
    miniature.tables()
    changed = {name for name, written in miniature.files().items() if written != before[name]}
    assert changed == {"sst5-elmo-seed1.json", "sst5-elmo-seed2.json"}


def test_changed_data_is_another_run_and_a_moved_repository_is_not(miniature: MiniatureRepository, tmp_path: Path):
    miniature.tables(seeds=[1])
    moved = MiniatureRepository(miniature.root.rename(tmp_path.with_name(f"{tmp_path.name}-moved")))
    (table,) = moved.tables(seeds=[1], run=False)
    assert table.missing == []
    moved.edit("data/test.txt", "awful", "dire")
    (table,) = moved.tables(seeds=[1], run=False)
    assert len(table.missing) == 2


def test_a_comment_in_a_config_changes_nothing(miniature: MiniatureRepository):
    miniature.tables()
    miniature.edit("experiments/toy/baseline.jsonnet", "{\n  random_seed", "// of the paper\n{\n  random_seed")
    (table,) = miniature.tables(run=False)
    assert table.missing == []


def test_a_failed_run_stays_as_failed_until_it_is_asked_for_again(miniature: MiniatureRepository):
    miniature.behave(sst5_elmo_seed2="fail")
    (table,) = miniature.tables()
    failed = miniature.result("sst5-elmo-seed2")
    assert (failed.status, failed.error) == ("failed", "ValueError: nan loss encountered")
    assert failed.log == "out/small/sst5-elmo-seed2/log.txt"
    assert [planned.run.slug for planned in table.failed] == ["sst5-elmo-seed2"]
    assert "n = 2 and 1" in table.text
    assert "Failed: sst5 elmo seed 2: ValueError: nan loss encountered" in table.text

    miniature.behave()
    (table,) = miniature.tables()
    assert len(table.failed) == 1
    (table,) = miniature.tables(retry_failed=True)
    assert table.failed == []
    again = miniature.result("sst5-elmo-seed2")
    assert (again.status, again.earlier_failures) == ("done", ["ValueError: nan loss encountered"])
    assert "sst5 elmo seed 2 failed before it succeeded: ValueError: nan loss encountered." in table.text
    assert "--recover" not in miniature.arguments("sst5-elmo-seed2")[-1]["train"]


@pytest.mark.parametrize("through_a_link", [False, True])
def test_results_do_not_say_where_a_machine_keeps_its_data(
    miniature: MiniatureRepository,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    through_a_link: bool,
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (miniature.root / "data" / "test.txt").rename(elsewhere / "test.txt")
    (miniature.root / "data" / "test.txt").symlink_to(elsewhere / "test.txt")  # the fake worker reads it there
    if through_a_link:
        (miniature.root / "link").symlink_to(elsewhere)
        monkeypatch.setattr("elmo_tasks.reproduce.plan.data_folder", lambda: miniature.root / "link")
    else:
        monkeypatch.setenv("ELMO_TASKS_DATA", str(elsewhere))
    miniature.edit("experiments/toy/baseline.jsonnet", "'data/test.txt'", f"'{elsewhere}/test.txt'")
    miniature.edit("experiments/toy/elmo.jsonnet", "elmo: true", f"elmo: '{miniature.root}/data/test.ambiguous.txt'")
    miniature.behave(sst5_elmo_seed1="fail")
    miniature.tables(seeds=[1])
    result = miniature.result("sst5-elmo-seed1")
    assert set(result.files) == {"$ELMO_TASKS_DATA/test.txt", "data/test.ambiguous.txt"}
    assert " $ELMO_TASKS_DATA/test.txt --output-file" in result.command[1]
    for path in (miniature.root / "results").rglob("*.*"):
        assert str(elsewhere) not in path.read_text()
        assert str(miniature.root) not in path.read_text()


def test_a_process_that_vanishes_is_a_failed_run(miniature: MiniatureRepository):
    miniature.behave(sst5_elmo_seed1="vanish")
    miniature.tables(seeds=[1])
    assert miniature.result("sst5-elmo-seed1").error == f"ended by signal {int(signal.SIGABRT)}"


def test_predictions_that_belong_to_other_items_fail_the_run(miniature: MiniatureRepository):
    miniature.edit("data/test.txt", "(2 great)", "(2 (2 great) (2 big))")
    miniature.tables(seeds=[1])
    # The fake worker takes such a tree for three words at another depth, which are three words all the same.
    assert miniature.result("sst5-elmo-seed1").done
    miniature.edit("experiments/suites/small.jsonnet", "seeds: [1, 2]", "seeds: [3]")
    miniature.behave(sst5_elmo_seed3="31")
    miniature.tables()
    error = miniature.result("sst5-elmo-seed3").error
    assert error is not None
    assert error.startswith(("ended with exit status", "ValueError"))


def test_data_that_changes_while_a_run_goes_on_fails_it(miniature: MiniatureRepository):
    miniature.behave(sst5_elmo_seed2="edit")
    miniature.tables(jobs=1)
    error = miniature.result("sst5-elmo-seed2").error
    assert error == "ValueError: changed while the run went on: data/test.txt"
    assert miniature.result("sst5-baseline-seed2").done


def test_what_a_time_limit_ended_is_marked(miniature: MiniatureRepository):
    miniature.behave(sst5_elmo_seed1="cut")
    (table,) = miniature.tables(time_limit=60.0)
    assert miniature.result("sst5-elmo-seed1").cut_short
    assert "Cut short by a time limit: sst5 elmo seed 1." in table.text


def test_checkpoints_go_when_a_run_is_done(miniature: MiniatureRepository):
    miniature.tables()
    for run in RUNS:
        left = {path.name for path in (miniature.root / "out" / "small" / run / "model").iterdir()}
        assert left == {"model.tar.gz", "metrics.json", *(f"metrics_epoch_{epoch}.json" for epoch in range(3))}


def test_rerun_begins_anew(miniature: MiniatureRepository):
    miniature.tables(seeds=[1])
    before = miniature.files()
    miniature.tables(seeds=[1], rerun=True)
    assert all(written > before[name] for name, written in miniature.files().items())
    assert len(miniature.arguments("sst5-elmo-seed1")) == 1


# The first line: where tests run in the background of a shell, Ctrl-C is ignored from the start.
DRIVER = """
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
import sys
from pathlib import Path
from elmo_tasks.reproduce.experiment import Request, make_tables
try:
    make_tables(Request(suites=["small"], jobs=2), Path(sys.argv[1]), worker=sys.argv[2:])
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_runner_leaves_no_process_and_goes_on_from_the_checkpoint(
    miniature: MiniatureRepository, number: signal.Signals
):
    """Two runs hang, each with a child. Whoever of them lives holds a pipe open, whose end is waited for."""
    miniature.behave(sst5_baseline_seed1="hang", sst5_elmo_seed1="hang")
    os.mkfifo(miniature.root / "alive")
    alive = os.open(miniature.root / "alive", os.O_RDONLY | os.O_NONBLOCK)
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(miniature.root), *FAKE_WORKER], stderr=subprocess.PIPE, text=True
    )
    assert driver.stderr is not None
    seen: set[str] = set()
    while len(seen) < 2:
        line = driver.stderr.readline()
        assert line, "the runner ended by itself"
        if ": epoch 1/3, dev accuracy 50.0" in line:
            seen.add(line.partition(":")[0])
    os.set_blocking(alive, True)
    driver.send_signal(number)
    driver.communicate(timeout=30)
    assert driver.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert select.select([alive], [], [], 30.0)[0], "a process of a run is still there"
    assert os.read(alive, 1) == b""
    os.close(alive)
    assert miniature.files() == {}

    miniature.behave()
    miniature.tables()
    assert "sst5 elmo seed 1: resumed" in miniature.display.events
    attempts = miniature.arguments("sst5-elmo-seed1")
    assert ["--recover" in attempt["train"] for attempt in attempts] == [False, True]
    result = miniature.result("sst5-elmo-seed1")
    assert (result.done, result.attempts) == (True, 2)
    assert miniature.result("sst5-elmo-seed2").attempts == 1


def test_a_changed_config_is_not_resumed(miniature: MiniatureRepository):
    folder = miniature.root / "out" / "small" / "sst5-elmo-seed1"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "training_state_e1_b0.th").write_text("state")
    (folder / "made_from.json").write_text(json.dumps({"key": "another", "code": ["another"]}))
    miniature.tables(seeds=[1])
    assert "sst5 elmo seed 1: started" in miniature.display.events


def test_a_run_that_other_code_resumes_says_so(miniature: MiniatureRepository):
    (planned, *_) = make_plan(miniature)
    assert planned.identity is not None
    planned.folder.model.mkdir(parents=True)
    (planned.folder.model / "training_state_e1_b0.th").write_text("state")
    planned.folder.made_from.write_text(json.dumps({"key": planned.identity.key, "code": ["older"]}))
    (table,) = miniature.tables(seeds=[1])
    assert "sst5 baseline seed 1: resumed" in miniature.display.events
    code = miniature.result("sst5-elmo-seed1").code
    assert miniature.result("sst5-baseline-seed1").code == f"older+{code}"
    assert "Made by other code than the present: sst5 baseline seed 1" in table.text


def test_an_old_result_stays_when_its_new_run_is_stopped(miniature: MiniatureRepository):
    miniature.tables(seeds=[1])
    old = miniature.result_file("sst5-elmo-seed1").read_text()
    miniature.behave(sst5_elmo_seed1="hang")
    os.mkfifo(miniature.root / "alive")
    alive = os.open(miniature.root / "alive", os.O_RDONLY | os.O_NONBLOCK)

    def interrupt(line: str) -> None:
        if "sst5 elmo seed 1: epoch 1" in line:
            raise KeyboardInterrupt

    miniature.display.epoch = interrupt  # type: ignore[method-assign]
    display = miniature.display
    from elmo_tasks.reproduce.experiment import Request, make_tables

    with pytest.raises(KeyboardInterrupt):
        make_tables(Request(suites=["small"], seeds=[1], rerun=True), miniature.root, display, FAKE_WORKER)
    os.close(alive)
    assert display.closed
    assert miniature.result_file("sst5-elmo-seed1").read_text() == old
    assert not list((miniature.root / "results").rglob(".*"))


def test_two_commands_do_not_run_the_same_runs(miniature: MiniatureRepository):
    import fcntl

    work = miniature.root / "out" / "small"
    work.mkdir(parents=True)
    with (work / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another command is doing the runs in"):
            miniature.tables()


def test_data_that_is_not_here_stops_before_anything_runs(miniature: MiniatureRepository):
    miniature.edit("experiments/toy/elmo.jsonnet", "elmo: true", "elmo: error 'the weights are not here'")
    with pytest.raises(InputError, match="the weights are not here"):
        miniature.tables()
    assert miniature.files() == {}


def test_results_make_a_table_where_the_data_is_not(miniature: MiniatureRepository):
    miniature.tables()
    miniature.edit("experiments/toy/elmo.jsonnet", "elmo: true", "elmo: error 'the weights are not here'")
    (table,) = miniature.tables(run=False)
    assert table.missing == []
    assert "n = 2" in table.text
    remark = " ".join(table.text.partition("Configs that cannot be evaluated here")[2].split())
    assert remark.startswith(", so that results are taken as they are: sst5 elmo seed 1, sst5 elmo seed 2.")
    assert remark.endswith("elmo.jsonnet: the weights are not here")


def test_progress_is_told_epoch_by_epoch(miniature: MiniatureRepository):
    miniature.tables(jobs=1, seeds=[1])
    assert miniature.display.events[0] == (
        "Suite small, profile sample: 2 runs, 0 of them done; 1 at a time; logs and models in out/small"
    )
    assert miniature.display.events[-1].startswith("sst5 elmo seed 1: test accuracy 100.0, 3 of at most 3 epochs, ")
    assert miniature.display.closed
