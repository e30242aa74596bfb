"""The weighted sum of a biLM's layers that a task learns: equation 1 of the paper."""

import torch
from torch import nn

from elmo_tasks.errors import InputError

LAYER_CHOICES = ("all", "last")

# Added to the variance of a layer before its root is taken (bilm-tf; AllenNLP has another one for float16).
NORM_EPSILON = 1e-12
NORM_EPSILON_HALF = 1e-4


class LayerMix(nn.Module):
    """
    ``gamma * sum_j s_j * h_j`` with ``s = softmax(w)``: all layers of a biLM as one vector a token.

    Each place where ELMo enters a model has its own.

    Parameters
    ----------
    num_layers : layers the biLM hands out, 3 for the released models.
    layers : ``"all"``, or ``"last"`` for the last layer alone, which leaves ``gamma`` as the only parameter.
    do_layer_norm : give each layer mean 0 and variance 1 before it is weighted. As in the original programs, mean and
        variance are *one number each per layer*, taken over every unmasked token and dimension of the batch: with it a
        token's vector depends on what else is in the batch, in prediction too. There is no scale or shift.
    trainable : whether w and gamma learn. A frozen mix of all layers is their mean.
    l2 : lambda of the paper, the weight of ``||w||^2`` in the loss. It is added by :func:`add_mix_penalty`, which the
        model has to call; AllenNLP's regularizer is the other way to the same loss. gamma is never penalised.

    Attributes
    ----------
    weights : w, ``(num_layers,)``, at first 0, so that the first mix is the mean; absent with ``"last"``.
    gamma : ``(1,)``, at first 1.

    Raises
    ------
    InputError
        If ``layers`` or ``l2`` is out of range.
    """

    def __init__(
        self,
        num_layers: int,
        layers: str = "all",
        do_layer_norm: bool = False,
        trainable: bool = True,
        l2: float | None = None,
    ) -> None:
        super().__init__()
        if layers not in LAYER_CHOICES:
            raise InputError(f"layers is {layers!r}, expected 'all' or 'last'.")
        if l2 is not None and l2 < 0:
            raise InputError(f"l2 is {l2}, expected a number of at least 0 (the paper's lambda).")
        self.num_layers = num_layers
        self.do_layer_norm = do_layer_norm
        self.l2 = l2
        self.weights: nn.Parameter | None
        if layers == "all":
            self.weights = nn.Parameter(torch.zeros(num_layers), requires_grad=trainable)
        else:
            self.register_parameter("weights", None)
        self.gamma = nn.Parameter(torch.ones(1), requires_grad=trainable)
        self._penalty_was_asked_for = False

    def shares(self) -> torch.Tensor:
        """How much of the mix each layer is, ``(num_layers,)``, summing to 1 (the paper's s, figure 2)."""
        if self.weights is None:
            return nn.functional.one_hot(torch.tensor(self.num_layers - 1), self.num_layers).to(self.gamma)
        return torch.softmax(self.weights, dim=0)

    def forward(self, layers: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Mix the layers.

        Parameters
        ----------
        layers : float ``(num_layers, ..., num_tokens, dim)``.
        mask : bool ``(..., num_tokens)``. For the layer norm of the original it has to hold the sentence markers too.

        Returns
        -------
        ``(..., num_tokens, dim)``, exactly 0 where the mask is false.
        """
        if layers.size(0) != self.num_layers:
            raise ValueError(f"got {layers.size(0)} layers, expected {self.num_layers}")
        if self.weights is None:
            mixed = self.gamma * self._normalised(layers[-1], mask)
        else:
            factors = self.gamma * self.shares()
            if self.l2 and factors.requires_grad and self.weights.requires_grad:
                factors.register_hook(self._check_penalty)
            # A sum and not a product of matrices: automatic mixed precision leaves it in float32.
            mixed = factors[0] * self._normalised(layers[0], mask)
            for factor, layer in zip(factors[1:], layers[1:], strict=True):
                mixed = mixed + factor * self._normalised(layer, mask)
        return mixed.masked_fill(~mask.unsqueeze(-1), 0.0)

    def penalty(self) -> torch.Tensor | None:
        """``l2 * ||w||^2``, a scalar, or None where there is nothing to penalise (no ``l2``, or w frozen or absent)."""
        self._penalty_was_asked_for = True
        if not self.l2 or self.weights is None or not self.weights.requires_grad:
            return None
        return self.l2 * self.weights.pow(2).sum()

    def _normalised(self, layer: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if not self.do_layer_norm:
            return layer
        half = layer.dtype in (torch.float16, torch.bfloat16)
        # The sums run over a whole batch, too many terms for half precision.
        values = layer.float() if half else layer
        present = mask.unsqueeze(-1).to(values.dtype)
        count = (present.sum() * values.size(-1)).clamp(min=1)
        mean = (values * present).sum() / count
        centred = values - mean
        variance = (centred * present).pow(2).sum() / count
        return centred / torch.sqrt(variance + (NORM_EPSILON_HALF if half else NORM_EPSILON))

    def _check_penalty(self, gradient: torch.Tensor) -> None:
        if not self._penalty_was_asked_for:
            raise InputError(
                f"The option l2 ({self.l2}) of an ELMo mix has no effect, because this model does not add the mixes' "
                "penalty to its loss; leave l2 out and give the model "
                f'"regularizer": {{"regexes": [[".*mix.*weights", {{"type": "l2", "alpha": {self.l2}}}]]}}.'
            )


def mix_penalty(module: nn.Module) -> torch.Tensor | None:
    """The sum of the penalties of all mixes inside ``module``, a scalar, or None if no mix has one."""
    penalties = [mix.penalty() for mix in module.modules() if isinstance(mix, LayerMix)]
    due = [penalty for penalty in penalties if penalty is not None]
    return torch.stack(due).sum() if due else None


def add_mix_penalty(module: nn.Module, penalty: torch.Tensor | None) -> torch.Tensor | None:
    """
    ``penalty`` and that of the mixes inside ``module``.

    A model lets the mixes' option ``l2`` reach its loss by::

        def get_regularization_penalty(self):
            return add_mix_penalty(self, super().get_regularization_penalty())

    which is where AllenNLP's own regularizer enters the loss: in training only, and logged as ``reg_loss``.
    """
    own = mix_penalty(module)
    if own is None:
        return penalty
    return own if penalty is None else penalty + own
