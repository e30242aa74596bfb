"""The mix against a loop in float64, and the two ways of its penalty into AllenNLP's loss."""

from typing import Any

import pytest
import torch
from allennlp.data import Vocabulary
from allennlp.data.data_loaders import SimpleDataLoader
from allennlp.models import Model
from allennlp.nn import RegularizerApplicator
from allennlp.nn.regularizers import L2Regularizer
from allennlp.training import GradientDescentTrainer

from elmo_tasks.embedding.mix import LayerMix, add_mix_penalty, mix_penalty
from elmo_tasks.errors import InputError


def random_layers(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Three layers of a batch, ``(3, 4, 6, 5)``, zeros where the mask is false; one row has no token."""
    torch.manual_seed(seed)
    mask = torch.arange(6) < torch.tensor([6, 3, 1, 0]).unsqueeze(1)
    layers = (2.0 * torch.randn(3, 4, 6, 5) + 0.7) * mask.unsqueeze(-1)
    return layers, mask


def mix_by_hand(
    layers: torch.Tensor, mask: torch.Tensor, weights: list[float], gamma: float, norm: bool
) -> torch.Tensor:
    """Equation 1 in float64, token by token, with the layer norm of docs/elmo-in-a-model.md."""
    exponentials = [torch.tensor(w, dtype=torch.float64).exp() for w in weights]
    result = torch.zeros(layers.shape[1:], dtype=torch.float64)
    for exponential, layer in zip(exponentials, layers.double(), strict=True):
        numbers = [
            number
            for token, real in zip(layer.reshape(-1, 5), mask.reshape(-1), strict=True)
            if real
            for number in token
        ]
        mean = sum(numbers) / len(numbers)
        variance = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        for row, column in mask.nonzero().tolist():
            vector = layer[row, column]
            if norm:
                vector = (vector - mean) / (variance + 1e-12) ** 0.5
            result[row, column] += gamma * exponential / sum(exponentials) * vector
    return result


@pytest.mark.parametrize("norm", [False, True])
def test_mix_is_equation_1(norm: bool) -> None:
    layers, mask = random_layers()
    mix = LayerMix(3, do_layer_norm=norm)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([0.3, -1.2, 2.0]))
        mix.gamma.fill_(1.7)
    expected = mix_by_hand(layers, mask, [0.3, -1.2, 2.0], 1.7, norm)
    assert torch.allclose(mix(layers, mask).double(), expected, atol=1e-6)


@pytest.mark.parametrize("layers_choice", ["all", "last"])
@pytest.mark.parametrize("norm", [False, True])
def test_padded_places_are_exactly_zero(layers_choice: str, norm: bool) -> None:
    layers, mask = random_layers()
    mixed = LayerMix(3, layers_choice, do_layer_norm=norm)(layers, mask)
    assert (mixed[~mask] == 0).all()
    assert (mixed[mask] != 0).all()


def test_first_mix_is_the_plain_mean() -> None:
    layers, mask = random_layers()
    assert torch.allclose(LayerMix(3)(layers, mask), layers.mean(dim=0), atol=1e-6)


def test_gradients_equal_finite_differences() -> None:
    layers, mask = random_layers()
    layers = layers.double().requires_grad_()
    for norm in (False, True):
        mix = LayerMix(3, do_layer_norm=norm).double()

        def mixed(values: torch.Tensor, weights: torch.Tensor, gamma: torch.Tensor, mix: LayerMix = mix) -> Any:
            parameters = {"weights": weights, "gamma": gamma}
            return torch.func.functional_call(mix, parameters, (values, mask))

        weights = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
        gamma = torch.tensor([1.5], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(mixed, (layers, weights, gamma))


def test_last_layer_alone_has_a_trainable_gamma_and_no_weights() -> None:
    layers, mask = random_layers()
    mix = LayerMix(3, "last")
    assert [name for name, _ in mix.named_parameters()] == ["gamma"]
    mix(layers, mask).sum().backward()
    assert torch.allclose(mix.gamma.grad, layers[2].sum())
    assert mix.shares().tolist() == [0.0, 0.0, 1.0]
    with torch.no_grad():
        mix.gamma.fill_(3.0)
    assert torch.equal(mix(layers, mask), 3.0 * layers[2])


def test_frozen_mix_keeps_its_names_and_does_not_learn() -> None:
    mix = LayerMix(3, trainable=False, l2=0.1)
    assert list(mix.state_dict()) == ["weights", "gamma"]
    assert not any(parameter.requires_grad for parameter in mix.parameters())
    assert mix.penalty() is None
    layers, mask = random_layers()
    assert not mix(layers, mask).requires_grad


def test_half_precision_statistics_do_not_overflow() -> None:
    layers = torch.full((1, 2, 50, 1024), 30.0)
    layers[..., ::2] = -30.0
    mask = torch.ones(2, 50, dtype=torch.bool)
    mixed = LayerMix(1, do_layer_norm=True)(layers.half(), mask)
    assert torch.allclose(mixed.float().abs(), torch.ones(2, 50, 1024), atol=1e-3)


def test_batch_without_any_token_gives_zeros_and_finite_gradients() -> None:
    mix = LayerMix(3, do_layer_norm=True)
    mixed = mix(torch.zeros(3, 2, 4, 5), torch.zeros(2, 4, dtype=torch.bool))
    mixed.sum().backward()
    assert (mixed == 0).all()
    assert torch.isfinite(mix.weights.grad).all()


def test_mix_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="layers is 'top'"):
        LayerMix(3, "top")
    with pytest.raises(InputError, match=r"l2 is -0\.1"):
        LayerMix(3, l2=-0.1)
    with pytest.raises(ValueError, match="got 2 layers, expected 3"):
        LayerMix(3)(torch.zeros(2, 1, 1, 4), torch.ones(1, 1, dtype=torch.bool))


class TwoMixes(Model):
    """A model that is two mixes; ``adds_penalty`` as the project's models do."""

    def __init__(self, l2: float | None, regularizer: RegularizerApplicator | None, adds_penalty: bool = True):
        super().__init__(Vocabulary(), regularizer)
        self.mix = LayerMix(3, l2=l2)
        self.output_mix = LayerMix(3, l2=l2)
        self.adds_penalty = adds_penalty
        with torch.no_grad():
            self.mix.weights.copy_(torch.tensor([0.5, -1.0, 2.0]))
            self.output_mix.weights.copy_(torch.tensor([0.0, 3.0, 1.0]))

    def forward(self, layers: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.mix(layers, mask) * self.output_mix(layers, mask).cos()).mean()}

    def get_regularization_penalty(self) -> torch.Tensor | None:
        penalty = super().get_regularization_penalty()
        return add_mix_penalty(self, penalty) if self.adds_penalty else penalty


def train_once(model: TwoMixes) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one batch, by AllenNLP's own trainer."""
    layers, mask = random_layers()
    trainer = GradientDescentTrainer(model, torch.optim.SGD(model.parameters(), lr=0.1), SimpleDataLoader([], 1))
    loss = trainer.batch_outputs({"layers": layers, "mask": mask}, for_training=True)["loss"]
    loss.backward()
    return loss.item(), {name: parameter.grad for name, parameter in model.named_parameters()}


def test_own_switch_and_regularizer_give_one_loss_and_one_gradient() -> None:
    regularizer = RegularizerApplicator([(".*mix.*weights", L2Regularizer(alpha=0.1))])
    own_loss, own = train_once(TwoMixes(0.1, None))
    loss, gradients = train_once(TwoMixes(None, regularizer))
    bare_loss, bare = train_once(TwoMixes(None, None))
    assert own_loss == pytest.approx(loss, abs=1e-6)
    # Without the factor 1/2: 0.1 * (0.25 + 1 + 4 + 9 + 1).
    assert loss - bare_loss == pytest.approx(0.1 * 15.25, abs=1e-5)
    for name, gradient in gradients.items():
        assert torch.allclose(own[name], gradient, atol=1e-6)
    assert torch.allclose(own["mix.weights"] - bare["mix.weights"], 0.2 * torch.tensor([0.5, -1.0, 2.0]), atol=1e-6)
    # gamma is never penalised.
    assert torch.equal(own["mix.gamma"], bare["mix.gamma"])


def test_penalties_add_to_one_another() -> None:
    regularizer = RegularizerApplicator([("output_mix.weights", L2Regularizer(alpha=1.0))])
    assert TwoMixes(0.1, regularizer).get_regularization_penalty().item() == pytest.approx(1.525 + 10.0)
    assert TwoMixes(None, None).get_regularization_penalty() is None
    assert mix_penalty(TwoMixes(None, None)) is None


def test_switch_in_a_model_that_ignores_it_is_an_error() -> None:
    with pytest.raises(InputError, match=r'has no effect.*"alpha": 0\.1'):
        train_once(TwoMixes(0.1, None, adds_penalty=False))
    layers, mask = random_layers()
    model = TwoMixes(0.1, None, adds_penalty=False)
    with torch.no_grad():
        model(layers, mask)
