"""Training on a GPU: fused kernels and recorded steps do what the CPU does."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from elmo_tasks.bilm.lstm import LSTMState, ProjectedLSTMLayer
from elmo_tasks.bilm.options import BiLMOptions
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.corpus import Batch
from elmo_tasks.bilm.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

MakeConfig = Callable[..., TrainingConfig]


def trainer_on(device: str, config: TrainingConfig) -> Trainer:
    trainer = Trainer(replace(config, device=device, output=f"{config.output}-{device}"), say=lambda line: None)
    trainer.model.train()
    return trainer


def test_the_recurrence_in_few_kernels() -> None:
    """Values and gradients of a layer in training, against the same layer on the CPU."""
    torch.manual_seed(0)
    options = BiLMOptions(((1, 8),), character_dim=8, num_highway=0, cell_dim=24, projection_dim=16)
    results = {}
    layer = ProjectedLSTMLayer(options)
    inputs = [torch.randn(2, 5 * 7, 96), torch.randn(2, 7, 16), torch.randn(2, 7, 24)]
    for device in ("cpu", "cuda"):
        layer.to(device).zero_grad(set_to_none=True)
        given = [values.clone().to(device).requires_grad_() for values in inputs]
        output, cell = layer(*given, [7] * 5, unrolled=True)
        (output.square().sum() + cell.sum()).backward()
        results[device] = [output, cell, *(values.grad for values in (*given, layer.state_weight, layer.projection))]
        results[device] = [values.detach().cpu() for values in results[device]]
    for found, expected in zip(results["cuda"], results["cpu"], strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_recorded_step(make_config: MakeConfig) -> None:
    """Ten steps, of which the later batches have more words than the first, give the CPU's losses, states, weights."""
    config = make_config(negative_samples=0, dropout=0.0, state_reset_probability=0.3, batch_size=6)
    choose = random.Random(1)
    batches = []
    for number in range(10):
        words = 4 + 100 * number
        ids = torch.randint(1, 257, (words, config.options.max_characters_per_token))
        ids[:, 0], ids[:, -1] = 259, 260
        places = (2, config.unroll_steps, config.batch_size)
        index, targets = torch.randint(words, places), torch.randint(choose.randint(3, 9), places)
        batches.append(Batch(ids, index, targets))
    losses, ends = {}, {}
    for device in ("cpu", "cuda"):
        trainer = trainer_on(device, config)
        assert (trainer._recorded is not None) == (device == "cuda")
        trainer.batcher = iter(batches)  # type: ignore[assignment]
        torch.manual_seed(5)
        losses[device] = torch.stack([trainer.step() for _ in batches]).cpu()
        weights = [values.detach().cpu() for values in trainer.model.parameters()]
        ends[device] = [trainer.state.hidden.cpu(), trainer.state.cell.cpu(), *weights]
    torch.testing.assert_close(losses["cuda"], losses["cpu"], atol=1e-4, rtol=1e-4)
    for found, expected in zip(ends["cuda"], ends["cpu"], strict=True):
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("negative_samples", [0, 6], ids=["recorded", "sampled softmax"])
def test_a_training(make_config: MakeConfig, negative_samples: int) -> None:
    """It learns, with dropout and bfloat16: of the toy's 18 words few are left to choose from."""
    config = make_config(
        device="cuda", negative_samples=negative_samples, precision="bfloat16", learning_rate=0.5, epochs=20,
        heldout={"toy": str(make_config().corpus[0]).replace("train-*", "heldout")},
    )  # fmt: skip
    assert Trainer(config, say=lambda line: None).run()["toy/carry"].mean < 10.0


@pytest.mark.parametrize("changes", [{}, {"gradient_accumulation": 2}], ids=["recorded", "in parts"])
def test_a_continued_training(make_config: MakeConfig, changes: dict[str, int]) -> None:
    """Dropout and all: the steps after a checkpoint are those of a run without one, but for sums in another order."""
    config = make_config(device="cuda", negative_samples=0, dropout=0.5, **changes)
    whole = trainer_on("cuda", replace(config, output=f"{config.output}-whole"))
    first = trainer_on("cuda", config)
    for trainer in (whole, first):
        trainer._resume()
        for _ in range(6):
            trainer.step()
    first.save()
    continued = trainer_on("cuda", config)
    assert continued.continues
    continued._resume()
    losses = [torch.stack([trainer.step() for _ in range(6)]).cpu() for trainer in (whole, continued)]
    torch.testing.assert_close(losses[1], losses[0], atol=1e-3, rtol=1e-3)
    assert continued.batches_done == whole.batches_done


def test_dropout_of_a_recorded_step_is_new_each_time(make_config: MakeConfig) -> None:
    config = make_config(negative_samples=0, dropout=0.5)
    trainer = trainer_on("cuda", config)
    batch, state = next(trainer.batcher), LSTMState(trainer.state.hidden.clone(), trainer.state.cell.clone())
    assert trainer._recorded is not None
    losses = [float(trainer._recorded(batch, state)[0]) for _ in range(4)]
    assert len(set(losses)) == 4, "nothing but the dropout could change the loss: no weight does"
