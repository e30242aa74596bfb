"""Training with bfloat16 products: what is rounded, what is not, and that nothing of it stays."""

from types import SimpleNamespace

import pytest
import torch
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.models import Model
from allennlp.modules.seq2seq_encoders import LstmSeq2SeqEncoder

import elmo_tasks.plugin  # noqa: F401  (registers the callback)
from elmo_tasks.bilm import BiLM, BiLMOptions
from elmo_tasks.nn.coupled_lstm import CoupledLSTM
from elmo_tasks.nn.highway_lstm import AlternatingHighwayLSTM
from elmo_tasks.reproduce.precision import BFloat16Products


class Network(Model):
    def __init__(self) -> None:
        super().__init__(Vocabulary())
        torch.manual_seed(4)
        self.encoder = LstmSeq2SeqEncoder(6, 8, bidirectional=True)
        self.gru = torch.nn.GRU(16, 5, batch_first=True)
        self.linear = torch.nn.Linear(5, 3)
        self.bilm = BiLM(
            BiLMOptions(filters=((1, 4), (2, 4)), character_dim=4, num_highway=1, cell_dim=8, projection_dim=4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.tensor([[True] * 4, [True, True, False, False]])
        return self.linear(self.gru(self.encoder(x, mask))[0])


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(1))


def started(network: torch.nn.Module) -> BFloat16Products:
    callback = BFloat16Products("")
    callback.on_start(SimpleNamespace(model=network))
    return callback


def test_training_rounds_products_and_hands_on_float32(network: Network, inputs: torch.Tensor) -> None:
    exact = network.train()(inputs)
    (0.5 * (exact**2).sum()).backward()
    exact_gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    started(network)
    seen: list[torch.dtype] = []
    for layer in (network.encoder._module, network.gru, network.linear):
        layer.register_forward_hook(
            lambda module, given, made: seen.append((made if torch.is_tensor(made) else made[0]).data.dtype)
        )
    rounded = network(inputs)
    (0.5 * (rounded**2).sum()).backward()
    assert seen == [torch.float32] * 3
    assert 1e-5 < float((rounded - exact).detach().abs().max() / exact.detach().abs().max()) < 2e-2
    for name, parameter in network.named_parameters():
        if name.startswith("bilm."):
            continue
        assert parameter.grad is not None
        assert parameter.grad.dtype is torch.float32
        error = (parameter.grad - exact_gradients[name]).norm() / exact_gradients[name].norm()
        assert 1e-5 < float(error) < 3e-2, name


def test_products_are_those_of_rounded_numbers(inputs: torch.Tensor) -> None:
    network = Network().train()
    started(network)
    x, weight = inputs[..., :5], network.linear.weight
    expected = x.bfloat16().double() @ weight.bfloat16().double().T + network.linear.bias.bfloat16().double()
    # the sum itself is rounded to bfloat16, whose numbers lie 1/128 apart at most
    torch.testing.assert_close(network.linear(x).double(), expected, rtol=1 / 128, atol=1e-3)


def test_evaluation_is_exact(network: Network, inputs: torch.Tensor) -> None:
    exact = network.eval()(inputs)
    started(network)
    assert torch.equal(network(inputs), exact)


def test_a_bilm_is_left_alone(network: Network) -> None:
    network.train()
    ids = torch.randint(1, 200, (2, 3, 50))
    exact = network.bilm(ids).layers
    started(network)
    assert torch.equal(network.bilm(ids).layers, exact)


def test_nothing_stays(network: Network, inputs: torch.Tensor) -> None:
    exact = network.train()(inputs)
    callback = started(network)
    with pytest.raises(RuntimeError):
        network.linear(torch.zeros(2, 7))
    assert not torch.is_autocast_enabled("cpu")
    callback.on_end(None)
    assert torch.equal(network(inputs), exact)


def test_it_is_registered() -> None:
    from allennlp.training.callbacks import TrainerCallback

    made = TrainerCallback.from_params(Params({"type": "bfloat16_products"}), serialization_dir="")
    assert isinstance(made, BFloat16Products)


def test_an_encoder_that_carries_its_states_keeps_torchs_run() -> None:
    model = Network()
    model.encoder = LstmSeq2SeqEncoder(6, 8, stateful=True)
    callback = started(model)
    assert "forward" not in vars(model.encoder._module)
    callback.on_end(None)


def test_the_encoders_gates_are_not_rounded(network: Network, inputs: torch.Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        torchs = network.train().encoder(inputs, torch.ones(2, 4, dtype=torch.bool))
    started(network)
    ours = network.encoder(inputs, torch.ones(2, 4, dtype=torch.bool))
    assert torch.equal(torchs, torchs.bfloat16().float())
    assert not torch.equal(ours, ours.bfloat16().float())


@pytest.mark.parametrize("encoder", [AlternatingHighwayLSTM(6, 8, 2), CoupledLSTM(6, 8)])
def test_our_own_recurrent_layers_are_rounded_in_training_alone(encoder: torch.nn.Module, inputs: torch.Tensor) -> None:
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    exact = encoder.train()(inputs, mask)
    started(encoder)
    rounded = encoder(inputs, mask)
    assert rounded.dtype is torch.float32
    assert 1e-5 < float((rounded - exact).detach().abs().max() / exact.detach().abs().max()) < 2e-2
    torch.testing.assert_close(encoder.eval()(inputs, mask), exact, rtol=0, atol=0)
