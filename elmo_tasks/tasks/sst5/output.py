"""The networks that turn the classifier's pooled vector into one score a class (docs/sst5.md, "output net")."""

import torch
from allennlp.common import Registrable
from allennlp.modules import FeedForward
from allennlp.modules.maxout import Maxout
from allennlp.nn import Activation

# Sizes of both networks and dropout of the ReLU layers: the first AllenNLP port of the paper's program.
PORT_HIDDEN_DIMS = [1200, 600]
PORT_DROPOUT = 0.2
# AllenNLP's later configuration of the maxout network.
MAXOUT_POOL_SIZE = 4
MAXOUT_DROPOUTS = [0.2, 0.3]


class OutputNetwork(torch.nn.Module, Registrable):
    """
    A network from ``(batch_size, input_dim)`` to class scores ``(batch_size, num_classes)``.

    The model builds it with ``input_dim`` and ``num_classes``; a config says the rest.
    """

    default_implementation = "relu"

    def __init__(self, layers: torch.nn.Module) -> None:
        super().__init__()
        self._layers = layers

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """Class scores ``(batch_size, num_classes)`` of pooled vectors ``(batch_size, input_dim)``."""
        return self._layers(pooled)


@OutputNetwork.register("relu")
class ReluOutput(OutputNetwork):
    """
    The paper's: two ReLU layers with dropout, then a linear layer.

    Parameters
    ----------
    input_dim, num_classes
        given by the model.
    hidden_dims
        sizes of the ReLU layers.
    dropout
        rate behind each ReLU layer.
    """

    def __init__(
        self, input_dim: int, num_classes: int, hidden_dims: list[int] | None = None, dropout: float = PORT_DROPOUT
    ) -> None:
        hidden_dims = list(PORT_HIDDEN_DIMS if hidden_dims is None else hidden_dims)
        hidden = FeedForward(
            input_dim,
            num_layers=len(hidden_dims),
            hidden_dims=hidden_dims,
            activations=Activation.by_name("relu")(),
            dropout=dropout,
        )
        super().__init__(torch.nn.Sequential(hidden, torch.nn.Linear(hidden_dims[-1], num_classes)))


@OutputNetwork.register("maxout")
class MaxoutOutput(OutputNetwork):
    """
    McCann et al.'s network as AllenNLP configured it, without batch normalisation: a score depends on its text alone.

    Each layer is a linear layer to ``pool_size`` values a unit, of which the largest is kept. The last layer's units
    are the classes.

    Parameters
    ----------
    input_dim, num_classes
        given by the model.
    hidden_dims
        sizes of the layers before the last.
    pool_size
        values a unit.
    dropouts
        rate behind each layer before the last.
    """

    def __init__(
        self,
        input_dim: int,
        num_classes: int,
        hidden_dims: list[int] | None = None,
        pool_size: int = MAXOUT_POOL_SIZE,
        dropouts: list[float] | None = None,
    ) -> None:
        hidden_dims = list(PORT_HIDDEN_DIMS if hidden_dims is None else hidden_dims)
        dropouts = list(MAXOUT_DROPOUTS if dropouts is None else dropouts)
        super().__init__(
            Maxout(
                input_dim,
                num_layers=len(hidden_dims) + 1,
                output_dims=[*hidden_dims, num_classes],
                pool_sizes=pool_size,
                dropout=[*dropouts, 0.0],
            )
        )
