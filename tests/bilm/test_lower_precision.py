"""
bfloat16 products under torch's autocast against float32.

A bfloat16 number has 8 bits: rounding moves it by at most 2^-9 of itself, so a product of two rounded factors, rounded
itself, is within 3 x 2^-9 of the sum of its terms' magnitudes. Through gates that are no steeper than 1 and sums of
random signs, the norm of a whole tensor moves by about as much. The bound below is two of these units.

One thing jumps: where two places of a word are nearly equal to a character filter, the maximum may move from one to the
other, and with it the gradient of that filter and of the characters. So most filters are within the bound, not all.
"""

import pytest
import torch

from elmo_tasks.bilm import BiLM, BiLMOptions, batch_to_ids
from elmo_tasks.bilm.lstm import LSTMState, ProjectedLSTMLayer
from elmo_tasks.bilm.training.corpus import Batch
from elmo_tasks.bilm.training.language_model import BidirectionalLanguageModel
from elmo_tasks.bilm.training.softmax import LogUniformSampler, Softmax

UNIT = 3 * 2.0**-9
BOUND = 2 * UNIT

OPTIONS = BiLMOptions(
    ((1, 8), (2, 8), (3, 16)),
    character_dim=8,
    num_highway=1,
    cell_dim=48,
    projection_dim=16,
    max_characters_per_token=12,
)
SENTENCES = [["a", "dog", "sees", "the", "cat"], ["mice"], ["the", "cats", "drink"], ["an", "unheard-of", "thing"] * 4]


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Norm of the difference, as a share of the expected one's."""
    return float((found - expected).detach().norm() / expected.detach().norm())


def lower_precision(enabled: bool = True) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled)


def close_but_another(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.dtype == expected.dtype == torch.float32
    assert 1e-4 < distance(found, expected) < BOUND, "1e-4 is far above what float32 products could differ by"


@pytest.mark.parametrize("rows", [1, 24], ids=["a row", "many rows"])
@pytest.mark.parametrize("cells", [48, 16], ids=["projected", "not projected"])
def test_the_recurrence(rows: int, cells: int) -> None:
    """Values, the state carried on, and the gradients of everything that goes in, over sequences of several lengths."""
    torch.manual_seed(0)
    options = BiLMOptions(((1, 8),), character_dim=8, num_highway=0, cell_dim=cells, projection_dim=16)
    layer = ProjectedLSTMLayer(options)
    sizes = [rows] * 12 + [max(1, rows // 2)] * 8
    gates = torch.randn(2, sum(sizes), 4 * cells, requires_grad=True)
    hidden = torch.randn(2, rows, 16, requires_grad=True)
    cell = torch.randn(2, rows, cells, requires_grad=True)
    given = [gates, hidden, cell, *(weight for weight in (layer.state_weight, layer.projection) if weight is not None)]
    pull = torch.randn(2, sum(sizes), 16)

    def run(enabled: bool) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        with lower_precision(enabled):
            output, last_cell = layer(gates, hidden, cell, sizes)
        found = torch.autograd.grad((output * pull).sum() + last_cell.sum(), given)
        return [output, last_cell], list(found)

    values, gradients = run(False)
    lower_values, lower_gradients = run(True)
    for ours, theirs in zip(lower_values, values, strict=True):
        close_but_another(ours, theirs)
    for ours, theirs in zip(lower_gradients, gradients, strict=True):
        close_but_another(ours, theirs)


@pytest.mark.parametrize("policy", ["reset", "carry"])
def test_the_bilm_alone(policy: str) -> None:
    """Layers and carried states are float32 under autocast too; afterwards float32 is what it was, bit for bit."""
    torch.manual_seed(0)
    bilm = BiLM(OPTIONS, policy).eval()
    ids = batch_to_ids(SENTENCES, OPTIONS.max_characters_per_token)

    def run(enabled: bool) -> torch.Tensor:
        bilm.reset_states()
        with lower_precision(enabled), torch.no_grad():
            bilm(ids)
            return bilm(ids).layers

    expected = bilm(ids).layers if policy == "reset" else run(False)
    lower = run(True)
    if policy == "carry":
        assert bilm._carried.hidden.dtype == bilm._carried.cell.dtype == torch.float32
    for layer in range(bilm.num_layers):
        close_but_another(lower[layer], expected[layer])
    assert torch.equal(run(False), expected)


@pytest.mark.parametrize("samples", [0, 20], ids=["full softmax", "sampled softmax"])
def test_the_whole_language_model(samples: int) -> None:
    """Loss, final state and the gradient of every weight, which stays float32."""
    torch.manual_seed(0)
    size, rows, steps = 60, 8, 10
    sampler = LogUniformSampler(size, samples, seed=0) if samples else None
    model = BidirectionalLanguageModel(BiLM(OPTIONS), Softmax(size, OPTIONS.projection_dim, sampler))
    words = batch_to_ids([[word for sentence in SENTENCES for word in sentence]], 12)[0]
    places = (2, steps, rows)
    batch = Batch(words, torch.randint(len(words), places), torch.randint(size, places))
    state = LSTMState(torch.randn(2, 2, rows, 16), torch.randn(2, 2, rows, 48))

    def run(enabled: bool) -> tuple[torch.Tensor, LSTMState, dict[str, torch.Tensor]]:
        if sampler is not None:
            sampler.generator.manual_seed(1)
        model.zero_grad()
        with lower_precision(enabled):
            loss, final = model(batch, state)
        loss.backward()
        found = {name: weight.grad for name, weight in model.named_parameters()}
        return loss, final, {name: g.to_dense() if g.is_sparse else g for name, g in found.items()}

    loss, final, gradients = run(False)
    lower_loss, lower_final, lower_gradients = run(True)
    assert lower_loss.dtype == torch.float32
    assert 0 < distance(lower_loss, loss) < UNIT
    close_but_another(lower_final.hidden, final.hidden)
    close_but_another(lower_final.cell, final.cell)
    assert all(bool(gradient.any()) for gradient in gradients.values())
    for name, gradient in gradients.items():
        assert lower_gradients[name].dtype == torch.float32
        if name.startswith("bilm.encoder.filters"):
            # (width * character_dim, number): one filter a column
            apart = [
                distance(ours, theirs) for ours, theirs in zip(lower_gradients[name].t(), gradient.t(), strict=True)
            ]
            assert sum(each < BOUND for each in apart) > 0.6 * len(apart), name
        elif name == "bilm.encoder.embedding.weight":
            assert distance(lower_gradients[name], gradient) < 0.4, "all filters' jumps come together here"
        else:
            assert distance(lower_gradients[name], gradient) < BOUND, name
    again, _, gradients_again = run(False)
    assert torch.equal(again, loss)
    assert all(torch.equal(gradients_again[name], gradient) for name, gradient in gradients.items())
