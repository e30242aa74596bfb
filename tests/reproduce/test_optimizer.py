"""Adam in one pass against AllenNLP's."""

import pytest
import torch
from allennlp.common import Params
from allennlp.training.optimizers import Optimizer

import elmo_tasks.plugin  # noqa: F401  (registers the optimizer)


def trained(kind: str, dtype: torch.dtype, restart: bool = False) -> list[torch.Tensor]:
    torch.manual_seed(2)
    parameters = [torch.nn.Parameter(torch.randn(size, dtype=dtype)) for size in ((7, 5), (40,))]
    settings = {"type": kind, "lr": 0.03, "weight_decay": 0.01, "amsgrad": True}

    def optimizer() -> Optimizer:
        return Optimizer.from_params(
            Params(dict(settings)), model_parameters=[(str(i), parameter) for i, parameter in enumerate(parameters)]
        )

    current = optimizer()
    for step in range(40):
        if restart and step == 17:
            state = current.state_dict()
            current = optimizer()
            current.load_state_dict(state)
        current.zero_grad()
        sum((parameter.sin() * (1 + i) * (1 + step % 3)).sum() for i, parameter in enumerate(parameters)).backward()
        current.step()
    return [parameter.detach() for parameter in parameters]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_fused_adam_is_adam(dtype: torch.dtype, tolerance: float) -> None:
    for fused, plain in zip(trained("fused_adam", dtype), trained("adam", dtype), strict=True):
        torch.testing.assert_close(fused, plain, rtol=0, atol=tolerance)


def test_goes_on_after_a_restart_as_if_there_had_been_none() -> None:
    for resumed, whole in zip(
        trained("fused_adam", torch.float32, restart=True), trained("fused_adam", torch.float32), strict=True
    ):
        assert torch.equal(resumed, whole)


def test_is_really_fused() -> None:
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = Optimizer.from_params(Params({"type": "fused_adam"}), model_parameters=[("p", parameter)])
    parameter.grad = torch.ones(3)
    with torch.profiler.profile() as profile:
        optimizer.step()
    assert "aten::_fused_adam_" in {event.key for event in profile.key_averages()}
