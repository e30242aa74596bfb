"""Training step by step against an independent small reference: torch's own LSTM, a full softmax, updates by hand."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from elmo_tasks.bilm.lstm import LSTMState
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.corpus import Batch
from elmo_tasks.bilm.training.gradients import clip_gradients
from elmo_tasks.bilm.training.trainer import Trainer
from tests.bilm.test_gradients import plain_encoder

MakeConfig = Callable[..., TrainingConfig]


def quiet_trainer(config: TrainingConfig, dtype: torch.dtype = torch.float32) -> Trainer:
    trainer = Trainer(config, say=lambda line: None)
    trainer.model.to(dtype)
    trainer.state = LSTMState(trainer.state.hidden.to(dtype), trainer.state.cell.to(dtype))
    for kept in trainer.optimizer.state.values():
        kept["sum"] = kept["sum"].to(dtype)
    trainer.model.train()
    return trainer


class Reference(nn.Module):
    """Encoder with torch's convolutions, one nn.LSTM a layer and direction, a linear layer; gates i, f, g, o."""

    def __init__(self, trainer: Trainer) -> None:
        super().__init__()
        bilm = trainer.model.bilm
        options = bilm.options
        self.encoder = copy.deepcopy(bilm.encoder)
        self.lstms = nn.ModuleList()
        for layer in bilm.lstm.layers:
            for direction in (0, 1):
                lstm = nn.LSTM(options.projection_dim, options.cell_dim, proj_size=options.projection_dim).double()
                with torch.no_grad():
                    for theirs, ours in [
                        (lstm.weight_ih_l0, layer.input_weight),
                        (lstm.weight_hh_l0, layer.state_weight),
                        (lstm.bias_ih_l0, layer.bias + layer.forget_bias),
                    ]:
                        theirs.copy_(self.reordered(ours[direction].t() if ours.dim() == 3 else ours[direction]))
                    lstm.bias_hh_l0.zero_().requires_grad_(False)
                    lstm.weight_hr_l0.copy_(layer.projection[direction].t())
                self.lstms.append(lstm)
        self.output_weight = nn.Parameter(trainer.model.softmax.weight.weight.detach().clone())
        self.output_bias = nn.Parameter(trainer.model.softmax.bias.weight.detach().squeeze(1).clone())
        self.states: list = [None] * len(self.lstms)
        self.sums = [torch.ones_like(parameter) for parameter in self.parameters()]

    @staticmethod
    def reordered(rows: torch.Tensor) -> torch.Tensor:
        """Blocks of the first axis from i, f, o, g to i, f, g, o; the same way back."""
        i, f, o, g = rows.chunk(4)
        return torch.cat([i, f, g, o])

    def loss(self, batch: Batch) -> torch.Tensor:
        losses = []
        tokens = plain_encoder(self.encoder, batch.character_ids)
        for direction in (0, 1):
            inputs = tokens[batch.index[direction]]
            for layer, lstm in enumerate(list(self.lstms)[direction::2]):
                slot = 2 * layer + direction
                outputs, state = lstm(inputs, self.states[slot])
                self.states[slot] = tuple(part.detach() for part in state)
                inputs = outputs + inputs if layer else outputs
            logits = inputs @ self.output_weight.t() + self.output_bias
            losses.append(functional.cross_entropy(logits.flatten(0, 1), batch.targets[direction].flatten()))
        return (losses[0] + losses[1]) / 2

    def update(self, loss: torch.Tensor, steps: int, rate: float, bound: float) -> float:
        """Gradient of the loss times the steps, clipped by the norm of all; a += g^2, v -= rate g / sqrt(a)."""
        parameters = list(self.parameters())
        gradients = torch.autograd.grad(loss * steps, [p for p in parameters if p.requires_grad])
        norm = float(torch.cat([gradient.flatten() for gradient in gradients]).norm())
        found = iter(gradients)
        with torch.no_grad():
            for parameter, total in zip(parameters, self.sums, strict=True):
                if parameter.requires_grad:
                    gradient = next(found) * min(1.0, bound / norm)
                    total += gradient**2
                    parameter -= rate * gradient / total.sqrt()
        return norm

    def difference(self, trainer: Trainer) -> float:
        """Largest difference of any weight."""
        model = trainer.model
        pairs = list(zip(self.encoder.parameters(), model.bilm.encoder.parameters(), strict=True))
        pairs += [(self.output_weight, model.softmax.weight.weight)]
        pairs += [(self.output_bias, model.softmax.bias.weight.squeeze(1))]
        for slot, lstm in enumerate(self.lstms):
            layer, direction = model.bilm.lstm.layers[slot // 2], slot % 2
            pairs += [
                (lstm.weight_ih_l0, self.reordered(layer.input_weight[direction].t())),
                (lstm.weight_hh_l0, self.reordered(layer.state_weight[direction].t())),
                (lstm.bias_ih_l0, self.reordered((layer.bias + layer.forget_bias)[direction])),
                (lstm.weight_hr_l0, layer.projection[direction].t()),
            ]
        return max(float((ours - theirs).detach().abs().max()) for ours, theirs in pairs)


@pytest.mark.parametrize("bound", [10.0, 0.5], ids=["norm within the bound", "norm clipped"])
def test_step_by_step(bound: float, make_config: MakeConfig) -> None:
    """Losses and all weights over many batches: carried states, the packing, clipping and Adagrad as described."""
    config = make_config(negative_samples=0, dropout=0.0, max_gradient_norm=bound)
    trainer = quiet_trainer(config, torch.float64)
    twin = quiet_trainer(make_config(negative_samples=0, dropout=0.0, max_gradient_norm=bound), torch.float64)
    reference = Reference(trainer)
    assert reference.difference(trainer) == 0.0
    norms = []
    for step in range(12):
        expected = reference.loss(next(twin.batcher))
        norms.append(reference.update(expected, config.unroll_steps, config.learning_rate, bound))
        loss = trainer.step()
        assert abs(float(loss) - float(expected.detach())) < 1e-11, f"batch {step}"
        assert reference.difference(trainer) < 1e-10, f"batch {step}"
    # Neither state came near its bound, where torch's LSTM is another function.
    assert float(trainer.state.cell.abs().max()) < 3.0
    assert float(trainer.state.hidden.abs().max()) < 3.0
    assert (max(norms) > bound) == (bound == 0.5)
    assert reference.difference(quiet_trainer(config, torch.float64)) > 0.01, "hardly any weight moved"


def test_sampled_softmax_steps_with_sparse_rows(make_config: MakeConfig) -> None:
    """Adagrad on the touched rows of the softmax alone; a row named several times counts with its sum, squared once."""
    trainer = quiet_trainer(make_config(dropout=0.0, max_gradient_norm=0.0), torch.float64)
    twin = quiet_trainer(make_config(dropout=0.0, max_gradient_norm=0.0), torch.float64)
    weight, bias = (twin.model.softmax.weight.weight, twin.model.softmax.bias.weight)
    sums = [torch.ones_like(weight), torch.ones_like(bias)]
    for _ in range(6):
        batch, state = next(twin.batcher), twin.state
        loss, twin.state = twin.model(batch, state)
        twin.optimizer.zero_grad()
        (loss * 5).backward()
        dense = [table.grad.to_dense() for table in (weight, bias)]
        rows = [table.detach().clone() for table in (weight, bias)]
        twin.optimizer.step()
        trainer.step()
        for table, total, gradient, before in zip((weight, bias), sums, dense, rows, strict=True):
            total += gradient**2
            expected = before - 0.2 * gradient / total.sqrt()
            torch.testing.assert_close(table.detach(), expected, atol=1e-12, rtol=0)
            untouched = ~gradient.any(dim=1)
            assert torch.equal(table.detach()[untouched], before[untouched])
        assert torch.equal(trainer.model.softmax.weight.weight, weight)
    assert untouched.any(), "every word was touched, the test says nothing of the others"


def test_clipping_sums_sparse_rows_first() -> None:
    """Rows named twice are one row of the norm: (3 + 1)^2, not 3^2 + 1^2."""
    table = nn.Embedding(4, 1, sparse=True).double()
    other = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    unused = nn.Parameter(torch.zeros(2))
    with torch.no_grad():
        table.weight.zero_()

    def gradients() -> None:
        table.weight.grad = other.grad = None
        (table(torch.tensor([1, 1, 3])).squeeze(1) @ torch.tensor([3.0, 1.0, 4.0], dtype=torch.float64)).backward()
        (other * 2).sum().backward()

    gradients()
    norm = clip_gradients([table.weight, other, unused], 3.0)
    assert float(norm) == pytest.approx((4**2 + 4**2 + 2**2) ** 0.5) == 6.0
    assert table.weight.grad.to_dense().flatten().tolist() == [0.0, 2.0, 0.0, 2.0]
    assert other.grad.tolist() == [1.0]
    gradients()
    clip_gradients([table.weight, other, unused], 6.5)
    assert table.weight.grad.to_dense().flatten().tolist() == [0.0, 4.0, 0.0, 4.0]
    gradients()
    assert clip_gradients([table.weight, other], 0.0) is None
    assert other.grad.tolist() == [2.0]


class SameSamples:
    """A sampler that always gives the same words."""

    def sample(self) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor([3, 5, 8, 11]), torch.linspace(0.9, 0.1, 18, dtype=torch.float64).log()


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize("negative_samples", [0, 6], ids=["full softmax", "same samples"])
def test_a_batch_in_parts_is_the_batch_at_once(parts: int, negative_samples: int, make_config: MakeConfig) -> None:
    """Losses, carried states and all weights over many batches, with clipping; sparse rows too."""
    keys = {"negative_samples": negative_samples, "dropout": 0.0, "max_gradient_norm": 1.0, "batch_size": 8}
    whole = quiet_trainer(make_config(**keys), torch.float64)
    divided = quiet_trainer(make_config(gradient_accumulation=parts, **keys), torch.float64)
    if negative_samples:
        whole.model.softmax.sampler = divided.model.softmax.sampler = SameSamples()
    runs = []
    divided.model.register_forward_pre_hook(lambda model, args: runs.append(args[0].index.shape))
    for batch in range(10):
        torch.testing.assert_close(divided.step(), whole.step(), atol=1e-12, rtol=0)
        for name in ("hidden", "cell"):
            ours, theirs = getattr(divided.state, name), getattr(whole.state, name)
            torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0, msg=f"{name}, batch {batch}")
        pairs = zip(divided.model.named_parameters(), whole.model.parameters(), strict=True)
        for (name, ours), theirs in pairs:
            torch.testing.assert_close(ours, theirs, atol=1e-11, rtol=0, msg=f"{name}, batch {batch}")
    assert runs == [(2, 5, 8 // parts)] * 10 * parts


def test_dropout_stands_in_its_places(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    On the token vectors, on the input of the second layer and before the softmax; the skip connection adds the
    dropped-out input; nothing is dropped inside the encoder or the recurrence, nor in evaluation.
    """
    trainer = quiet_trainer(make_config(dropout=0.3, negative_samples=0), torch.float64)
    model, batch = trainer.model, next(trainer.batcher)
    masks: list[torch.Tensor] = []

    def recorded(inputs: torch.Tensor, rate: float, training: bool) -> torch.Tensor:
        assert (rate, training) == (0.3, True)
        kept = (torch.rand(inputs.shape) >= rate).to(inputs) / (1 - rate)
        masks.append(kept)
        return inputs * kept

    monkeypatch.setattr(functional, "dropout", recorded)
    outputs, _ = model.outputs(batch, trainer.state)
    assert [tuple(mask.shape) for mask in masks] == [(2, 20, 8), (2, 20, 8), (2, 20, 8)]

    bilm = model.bilm
    tokens = functional.embedding(batch.index.flatten(1), bilm.encoder(batch.character_ids)) * masks[0]
    first_layer, second_layer = bilm.lstm.layers
    zeros = trainer.state.hidden[0], trainer.state.cell[0]
    first, _ = first_layer(first_layer.input_gates(tokens), *zeros, [4] * 5)
    dropped = first * masks[1]
    second, _ = second_layer(second_layer.input_gates(dropped), *zeros, [4] * 5)
    torch.testing.assert_close(outputs, (second + dropped) * masks[2], atol=1e-12, rtol=0)

    monkeypatch.undo()
    model.eval()
    assert torch.equal(model.outputs(batch, trainer.state)[0], model.outputs(batch, trainer.state)[0])


def test_rows_that_begin_anew(make_config: MakeConfig) -> None:
    """With the option some rows' states are zero at a batch's begin, whole rows at a time; without it none."""
    trainer = quiet_trainer(make_config(state_reset_probability=0.4, batch_size=50, epochs=1))
    state = LSTMState(torch.ones_like(trainer.state.hidden), torch.ones_like(trainer.state.cell))
    shares = []
    for _ in range(40):
        changed = trainer._forgetful(state)
        kept = changed.hidden[0, 0, :, 0]
        assert set(kept.tolist()) <= {0.0, 1.0}
        assert torch.equal(changed.hidden, kept.view(1, 1, -1, 1).expand_as(state.hidden))
        assert torch.equal(changed.cell, kept.view(1, 1, -1, 1).expand_as(state.cell))
        shares.append(1 - float(kept.mean()))
    assert abs(sum(shares) / len(shares) - 0.4) < 0.05
    plain = quiet_trainer(make_config(output="other"))
    assert plain._forgetful(state) is state
