"""Progress: read from AllenNLP's files and log, shown on a line, and how long it will still take."""

import io
import json
from pathlib import Path

import pytest

from elmo_tasks.reproduce.progress import (
    LineDisplay,
    Pace,
    Progress,
    TerminalDisplay,
    display_for,
    duration,
    read_progress,
    seconds_left,
)
from elmo_tasks.reproduce.worker import RunFolder

# As AllenNLP and tqdm write them with --file-friendly-logging.
LOG = """\
2026-01-01 10:00:00,000 - INFO - allennlp.data.vocabulary - Fitting token dictionary from dataset.
loading instances: 1201it [00:01, 952.43it/s]
building vocab: 1201it [00:00, 9520.43it/s]
2026-01-01 10:00:05,000 - INFO - allennlp.training.gradient_descent_trainer - Epoch 0/5
2026-01-01 10:00:05,000 - INFO - allennlp.training.gradient_descent_trainer - Training
  0%|          | 0/80 [00:00<?, ?it/s]
accuracy: 0.2667, batch_loss: 1.6053, loss: 1.6060 ||:  25%|##5       | 20/80 [00:02<00:06, 10.00it/s]
"""
VALIDATING = """\
accuracy: 0.2667, batch_loss: 1.6053, loss: 1.6060 ||: 100%|##########| 80/80 [00:08<00:00, 10.00it/s]
2026-01-01 10:00:13,000 - INFO - allennlp.training.gradient_descent_trainer - Validating
accuracy: 0.2000, batch_loss: 1.6053, loss: 1.6060 ||:  50%|#####     | 2/4 [00:00<00:00, 10.00it/s]
"""


def progress_of(folder: Path) -> Progress:
    return read_progress(RunFolder(folder), 6, "accuracy")


def finish_epoch(folder: Path, epoch: int, accuracy: float) -> None:
    (folder / "model").mkdir(exist_ok=True)
    content = json.dumps({"epoch": epoch, "validation_accuracy": accuracy})
    (folder / "model" / f"metrics_epoch_{epoch}.json").write_text(content)


def test_follows_a_run_from_start_to_test(tmp_path: Path):
    assert str(progress_of(tmp_path)) == "starting"
    (tmp_path / "log.txt").write_text(LOG.partition("2026-01-01 10:00:05")[0])
    assert progress_of(tmp_path) == Progress(0, 6, 0.0, None, "starting")
    (tmp_path / "log.txt").write_text(LOG)
    training = progress_of(tmp_path)
    assert training == Progress(0, 6, 0.25, None, "training")
    assert (training.share, str(training)) == (0.25 / 6, "epoch 1/6 25%")
    (tmp_path / "log.txt").write_text(LOG + VALIDATING)
    assert progress_of(tmp_path) == Progress(0, 6, 1.0, None, "validating")

    for epoch in range(3):
        finish_epoch(tmp_path, epoch, 0.3 + 0.1 * epoch)
    (tmp_path / "log.txt").write_text(LOG + VALIDATING + LOG.replace("Epoch 0", "Epoch 3"))
    later = progress_of(tmp_path)
    assert (later.epochs_done, later.share_of_epoch, later.phase) == (3, 0.25, "training")
    assert later.dev_score == pytest.approx(50.0)
    (tmp_path / "trained.json").write_text("{}")
    assert str(progress_of(tmp_path)) == "testing"


def test_the_tenth_epoch_comes_after_the_ninth(tmp_path: Path):
    for epoch in range(11):
        finish_epoch(tmp_path, epoch, epoch / 100)
    assert progress_of(tmp_path).dev_score == pytest.approx(10.0)


def test_a_file_that_is_just_being_written_is_waited_for(tmp_path: Path):
    finish_epoch(tmp_path, 0, 0.3)
    (tmp_path / "model" / "metrics_epoch_1.json").write_text('{"epo')
    assert progress_of(tmp_path) == Progress(2, 6, 0.0, None, "starting")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_are_for_people(seconds: float, text: str):
    assert duration(seconds) == text


def test_time_left_of_one_run_is_what_its_training_tells():
    # 10 of 50 seconds of training are done after 6 seconds of start.
    assert seconds_left([Pace(spent=16, training=10, share_before=0.0, share=0.2)], [], 2) == pytest.approx(40)


def test_time_left_of_a_resumed_run_counts_what_was_done_since():
    pace = Pace(spent=100, training=10, share_before=0.5, share=0.6)
    assert seconds_left([pace], [], 1) == pytest.approx(40)


def test_nothing_is_foretold_as_long_as_nothing_is_known():
    starting = Pace(spent=3, training=None, share_before=0.0, share=0.0)
    just_begun = Pace(spent=9, training=3, share_before=0.5, share=0.501)
    assert seconds_left([starting, just_begun], [None, None], 2) is None


def test_waiting_runs_are_shared_out():
    running = Pace(spent=20, training=10, share_before=0.0, share=0.5)
    # 10 s of this one; it will have taken 30 s, and so, it is guessed, will the second of those that wait.
    assert seconds_left([running], [50.0, None], 2) == pytest.approx((10 + 50 + 40) / 2)
    # However many at once: the longest run is not over before it is over.
    assert seconds_left([running, Pace(0, 1, 0.0, 0.02)], [], 2) == pytest.approx(49)


def test_lines_are_written_once_with_the_time_left():
    stream = io.StringIO()
    display = LineDisplay(stream)
    display.event("begun")
    display.status(0, 2, {}, 65.0)
    display.epoch("epoch 1")
    display.close()
    assert stream.getvalue() == "begun\nepoch 1   (1 min 05 s left)\n"


def test_a_terminal_has_one_line_that_changes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "60")
    stream, now = io.StringIO(), [0.0]
    display = TerminalDisplay(stream, clock=lambda: now[0])
    running = {
        "sst5 elmo 1": Progress(2, 6, 0.5, 40.0, "training"),
        "sst5 baseline 2": Progress(0, 6, 0.0, None, "starting"),
    }
    display.status(1, 6, running, 100.0)
    line = "1/6 done, 1 min 40 s left | sst5 elmo 1 epoch 3/6 50% | ..."
    assert stream.getvalue() == f"\r\x1b[K{line}"
    display.status(1, 6, running, 90.0)  # too soon for the eye
    display.epoch("sst5 elmo 1: epoch 2")  # the status line says it
    assert stream.getvalue() == f"\r\x1b[K{line}"
    now[0] = 1.0
    display.status(1, 6, {}, None)
    display.event("sst5 elmo seed 1: done")
    display.close()
    assert stream.getvalue() == f"\r\x1b[K{line}\r\x1b[K1/6 done\r\x1b[Ksst5 elmo seed 1: done\n1/6 done\r\x1b[K"


def test_a_pipe_is_no_terminal():
    assert isinstance(display_for(io.StringIO()), LineDisplay)
