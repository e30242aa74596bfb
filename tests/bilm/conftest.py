"""Small biLMs with weights that make something happen."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from elmo_tasks.bilm import BiLM, BiLMOptions

TINY = BiLMOptions(
    filters=((1, 3), (2, 5), (4, 6)), character_dim=4, num_highway=1, cell_dim=11, projection_dim=6, num_lstm_layers=2
)

MakeBiLM = Callable[..., BiLM]


@pytest.fixture
def make_bilm() -> MakeBiLM:
    """
    `make_bilm(seed=1, gain=6.0, state_policy="reset", options=TINY, **changes)`: random weights, no bias zero, the
    LSTMs' matrices `gain` times as large as at the start of a training.
    """

    def make(
        seed: int = 1,
        gain: float = 6.0,
        state_policy: str = "reset",
        options: BiLMOptions = TINY,
        dtype: torch.dtype = torch.float32,
        **changes,
    ) -> BiLM:
        torch.manual_seed(seed)
        bilm = BiLM(replace(options, **changes), state_policy)
        excite(bilm, gain)
        return bilm.to(dtype).eval()

    return make


def excite(bilm: BiLM, gain: float, gain_of_filters: float = 10.0) -> None:
    """Enlarge the LSTMs' matrices and the convolutions' in place, and draw all biases."""
    with torch.no_grad():
        for name, parameter in bilm.named_parameters():
            if "bias" in name:
                parameter.normal_(std=0.3)
            elif name.startswith("lstm."):
                parameter.mul_(gain)
            elif "filters" in name:
                parameter.mul_(gain_of_filters)
