"""The feed-forward network that gives a mention, or a pair of them, a score."""

from collections.abc import Sequence

import torch
from torch import nn

from elmo_tasks.errors import InputError


class Scorer(nn.Module):
    """
    Hidden layers with ReLU and dropout, and one number out (docs/coref.md).

    A caller may compute the first layer's sums itself, from the parts of an input that it never puts together.

    Parameters
    ----------
    input_dim
        size of an input.
    hidden_dims
        sizes of the hidden layers.
    dropout
        rate behind each of them.
    """

    def __init__(self, input_dim: int, hidden_dims: Sequence[int], dropout: float) -> None:
        super().__init__()
        if not hidden_dims:
            raise InputError("model.hidden_dims is empty, expected the sizes of one or more hidden layers.")
        dims = [input_dim, *hidden_dims]
        self.hidden = nn.ModuleList(nn.Linear(*sizes) for sizes in zip(dims, hidden_dims, strict=False))
        self.output = nn.Linear(dims[-1], 1)
        self.dropout = dropout
        for layer in (*self.hidden, self.output):
            assert isinstance(layer, nn.Linear)
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def first(self) -> nn.Linear:
        """The first hidden layer."""
        layer = self.hidden[0]
        assert isinstance(layer, nn.Linear)
        return layer

    def draw(self, *shape: int) -> list[torch.Tensor] | None:
        """What is kept of each hidden layer, bool ``(*shape, hidden_dim)``; None where nothing is dropped."""
        if not self.training or not self.dropout:
            return None
        device = self.output.weight.device
        return [
            torch.empty(*shape, layer.out_features, dtype=torch.bool, device=device).bernoulli_(1 - self.dropout)
            for layer in self.hidden
            if isinstance(layer, nn.Linear)
        ]

    def forward(self, inputs: torch.Tensor, kept: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        """Scores ``(...)`` of inputs ``(..., input_dim)``; see :meth:`from_sums`."""
        return self.from_sums(self.first(inputs), kept)

    def from_sums(self, sums: torch.Tensor, kept: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        """
        Scores from the sums of the first hidden layer.

        Parameters
        ----------
        sums
            ``(..., hidden_dim)``, before ReLU.
        kept
            what :meth:`draw` has drawn; without it dropout draws anew.

        Returns
        -------
        ``(...)``.
        """
        hidden = sums
        for number, layer in enumerate(self.hidden):
            hidden = torch.relu(layer(hidden) if number else hidden)
            if kept is None:
                hidden = nn.functional.dropout(hidden, self.dropout, self.training)
            else:
                hidden = hidden * kept[number] / (1 - self.dropout)
        scores: torch.Tensor = self.output(hidden).squeeze(-1)
        return scores
