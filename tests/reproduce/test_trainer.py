"""Runs that are stopped and recovered against the same runs left alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.data.data_loaders.data_collator import DefaultDataCollator
from allennlp.training import gradient_descent_trainer
from allennlp.training.trainer import Trainer

from elmo_tasks.bilm import BiLM, BiLMOptions
from elmo_tasks.reproduce import trainer as trainer_module
from elmo_tasks.reproduce.run_state import capture_carried, restore_carried
from elmo_tasks.reproduce.trainer import ExactResumeTrainer
from tests.reproduce.resuming import (
    AFTER_TRAINING,
    BATCHES_PER_EPOCH,
    IN_VALIDATION,
    KilledError,
    Run,
    config,
    differences,
    train,
)

STOPS = {
    "before the first checkpoint": (0, 2),
    "first epoch": (0, 5),
    "middle of an epoch": (1, 5),
    "first batch of an epoch": (2, 1),
    "validation": (1, IN_VALIDATION),
    "after the last epoch": (2, AFTER_TRAINING),
}

LAZY_LOADER = {"batch_size": 4, "shuffle": True, "max_instances_in_memory": 16}
CONFIGS: dict[str, dict[str, Any]] = {
    "only whole epochs": {"trainer__checkpointer": {"type": "exact_resume"}},
    "saved after the last batch": {"trainer__checkpointer": {"type": "exact_resume", "save_every_num_batches": 5}},
    "saved in mid-epoch alone": {
        "trainer__checkpointer": {"type": "exact_resume", "save_every_num_batches": 4, "save_completed_epochs": False}
    },
    "saved by the clock": {"trainer__checkpointer": {"type": "exact_resume", "save_every_num_seconds": 0.0}},
    "shuffled, validation too": {"data_loader": {"batch_size": 4, "shuffle": True}},
    "read anew in each epoch": {"data_loader": LAZY_LOADER},
    "epochs shorter than the data": {
        "data_loader": {"batch_size": 4, "shuffle": True, "batches_per_epoch": 7},
        "validation_data_loader": {"batch_size": 8},
    },
    "accumulated gradients": {"trainer__num_gradient_accumulation_steps": 3},
    "moving average": {"trainer__moving_average": {"type": "exponential", "decay": 0.9}},
    "rate by batch": {"trainer__learning_rate_scheduler": {"type": "linear_with_warmup", "warmup_steps": 7}},
    "rate by metric": {
        "trainer__learning_rate_scheduler": {"type": "reduce_on_plateau", "patience": 0, "threshold": 1.0}
    },
    "regularizer": {"model__regularizer": {"regexes": [[".*", {"type": "l2", "alpha": 0.01}]]}},
    "encoder that carries its state": {
        "model__seq2seq_encoder": {"type": "lstm", "input_size": 6, "hidden_size": 6, "stateful": True}
    },
}


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the disk would take most of the time here, and protects from nothing that happens in these tests."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def recovered(content: dict[str, Any], folder: Path, stop: tuple[int, int]) -> Run:
    with pytest.raises(KilledError):
        train(content, folder, stop)
    return train(content, folder)


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS.keys())
def test_recovers_from_any_point(stop: tuple[int, int], tmp_path: Path) -> None:
    whole = train(config(), tmp_path / "whole")
    assert differences(recovered(config(), tmp_path / "stopped", stop), whole) == []


@pytest.mark.parametrize("changes", CONFIGS.values(), ids=CONFIGS.keys())
def test_recovers_whatever_the_run_does(changes: dict[str, Any], tmp_path: Path) -> None:
    content = config(**changes)
    whole = train(content, tmp_path / "whole")
    stop = (1, 3 if "trainer__num_gradient_accumulation_steps" in changes else 6)
    assert differences(recovered(content, tmp_path / "stopped", stop), whole) == []


def test_recovers_a_recovered_run(tmp_path: Path) -> None:
    whole = train(config(), tmp_path / "whole")
    for stop in ((0, 4), (0, 8), (1, IN_VALIDATION), (2, 7)):
        with pytest.raises(KilledError):
            train(config(), tmp_path / "stopped", stop)
    assert differences(train(config(), tmp_path / "stopped"), whole) == []


def test_stopped_after_all_batches_but_before_validation(tmp_path: Path) -> None:
    # The training metrics of the epoch are then all in the checkpoint.
    content = config(trainer__checkpointer={"type": "exact_resume", "save_every_num_batches": BATCHES_PER_EPOCH})
    whole = train(content, tmp_path / "whole")
    assert "training_loss" in whole.metrics
    assert differences(recovered(content, tmp_path / "stopped", (2, IN_VALIDATION)), whole) == []


def test_patience_that_ran_out_stays_so(tmp_path: Path) -> None:
    # The loss falls, so that every epoch but the first is a disappointment.
    content = config(trainer__patience=1, trainer__num_epochs=6, trainer__validation_metric="+loss")
    whole = train(content, tmp_path / "whole")
    assert len(whole.epochs) == 2
    assert differences(recovered(content, tmp_path / "stopped", (1, AFTER_TRAINING)), whole) == []


@pytest.mark.parametrize("average", [None, {"type": "exponential", "decay": 0.9}], ids=["plain", "moving average"])
@pytest.mark.parametrize("after_removal", [False, True], ids=["old best there", "old best gone"])
def test_stopped_between_checkpoint_and_best_weights(
    average: dict[str, Any] | None, after_removal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = config(trainer__moving_average=average)
    whole = train(content, tmp_path / "whole")
    assert whole.metrics["best_epoch"] == 2
    folder = tmp_path / "stopped"
    calls = []

    def stop_in_second_epoch(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            if after_removal:
                (folder / "best.th").unlink(missing_ok=True)
            raise KilledError

    with monkeypatch.context() as patches:
        patches.setattr(gradient_descent_trainer, "hardlink_or_copy", stop_in_second_epoch)
        patches.setattr(ExactResumeTrainer, "_save_model_state", stop_in_second_epoch)
        with pytest.raises(KilledError):
            train(content, folder)
    assert differences(train(content, folder), whole) == []


def test_best_weights_are_those_of_the_best_epoch_when_no_later_one_is_better(tmp_path: Path) -> None:
    content = config(trainer__validation_metric="+loss")
    whole = train(content, tmp_path / "whole")
    assert whole.metrics["best_epoch"] == 0
    again = recovered(content, tmp_path / "stopped", (1, 2))
    assert differences(again, whole) == []


def test_folder_may_move_before_it_is_recovered(tmp_path: Path) -> None:
    content = config(trainer__validation_metric="+loss")
    whole = train(content, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(content, tmp_path / "stopped", (2, 5))
    moved = (tmp_path / "stopped").rename(tmp_path / "moved")
    assert differences(train(content, moved), whole) == []


def test_callbacks_that_count_epochs(tmp_path: Path) -> None:
    callbacks = [{"type": "should_validate_callback", "validation_interval": 2}, {"type": "track_epoch_callback"}]
    content = config(trainer__callbacks=callbacks)
    whole = train(content, tmp_path / "whole")
    again = recovered(content, tmp_path / "stopped", (1, 6))
    # Epoch 1 has no validation. AllenNLP repeats the figures of epoch 0 in its file, a recovered run has none for it.
    repeated = [difference for difference in differences(again, whole) if "/epochs/1/validation" not in difference]
    assert repeated == []
    assert again.trainer.model.epoch == 3


def test_complete_epochs_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KilledError):
        train(config(), tmp_path, (2, AFTER_TRAINING))

    def refuse(*args: Any) -> None:
        raise AssertionError("a batch of a complete epoch was made")

    monkeypatch.setattr(DefaultDataCollator, "__call__", refuse)
    assert train(config(), tmp_path).metrics["epoch"] == 2


def test_check_of_the_first_batch_does_not_stay_after_recovery(tmp_path: Path) -> None:
    again = recovered(config(), tmp_path, (1, 5))
    hooks = [name for name, module in again.trainer.model.named_modules() if module._forward_hooks]
    assert hooks == []


def test_is_the_trainer_of_allennlp_with_another_checkpointer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Trainer.by_name("gradient_descent").__self__ is ExactResumeTrainer
    stock = config(trainer__checkpointer={"type": "default", "save_every_num_batches": 3})
    with_ours, saved = train(stock, tmp_path / "ours"), sorted((tmp_path / "ours").iterdir())
    monkeypatch.setitem(
        Trainer._registry[Trainer],
        "gradient_descent",
        (gradient_descent_trainer.GradientDescentTrainer, "from_partial_objects"),
    )
    assert differences(train(stock, tmp_path / "stock"), with_ours) == []
    assert [path.name for path in saved] == sorted(path.name for path in (tmp_path / "stock").iterdir())
    assert not any(path.name.startswith("resume_state") for path in saved)


def test_checkpoints_change_nothing_and_the_stock_checkpointer_would_not_do(tmp_path: Path) -> None:
    stock = config(trainer__checkpointer={"type": "default", "save_every_num_batches": 3})
    whole = train(stock, tmp_path / "whole")
    assert differences(train(config(), tmp_path / "exact"), whole) == []
    # This is what every other test here would look like if it proved nothing.
    lost = differences(recovered(stock, tmp_path / "stopped", (1, 5)), whole)
    assert any(difference.startswith("/weights") for difference in lost)


def test_refuses_a_model_spread_over_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sharded(self: Any, *args: Any, **kwargs: Any) -> None:
        self._checkpointer = kwargs["checkpointer"]
        self._serialization_dir = kwargs["serialization_dir"]
        self._callbacks = []
        self._ddp_wrapped_model = type("Sharded", (), {"is_sharded": True})()

    monkeypatch.setattr(trainer_module.GradientDescentTrainer, "__init__", sharded)
    with pytest.raises(ValueError, match=r"trainer\.checkpointer is 'exact_resume', which cannot save a model whose"):
        train(config(), tmp_path)


def test_bilm_that_carries_its_states() -> None:
    options = {
        "lstm": {
            "use_skip_connections": True,
            "projection_dim": 4,
            "cell_clip": 3,
            "proj_clip": 3,
            "dim": 6,
            "n_layers": 2,
        },
        "char_cnn": {
            "activation": "relu",
            "filters": [[1, 4], [2, 4]],
            "n_highway": 1,
            "embedding": {"dim": 4},
            "n_characters": 262,
            "max_characters_per_token": 50,
        },
    }
    torch.manual_seed(1)
    bilm = BiLM(BiLMOptions.from_dict(options), state_policy="carry")
    sentences = [["the", "cat", "sat"], ["hello"]]
    first = bilm.embed(sentences)
    state = capture_carried(bilm)
    second = bilm.embed(sentences)
    assert not (first[0] == second[0]).all()
    third = bilm.embed(sentences)
    assert not (second[0] == third[0]).all()
    restore_carried(bilm, state)
    assert (bilm.embed(sentences)[0] == second[0]).all()
