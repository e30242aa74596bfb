"""The context-independent part of a biLM: character convolutions, highway layers, projection."""

import math
from collections.abc import Sequence

import torch
from torch import nn

from elmo_tasks.bilm.characters import PADDING_ID
from elmo_tasks.bilm.options import NUM_CHARACTERS_PREDICTION, BiLMOptions

# Words convolved at once: few enough that their windows stay in the processor's cache.
_WORDS_PER_CHUNK = 128

# bilm-tf starts the gate of a highway layer closed: most of the input passes at first.
_INITIAL_CARRY_BIAS = -2.0


class CharacterEncoder(nn.Module):
    """
    Token vectors from character ids (paper section 3.2; bilm-tf ``model.py``, character layers).

    Words are convolved in order of their length, each chunk only as far as its longest word needs: behind the end of a
    word and one window of padding every further window is the same, so the maximum over positions is not changed. Where
    the lengths lie on a GPU and nothing may wait for it, all words are convolved to the end.

    Parameters
    ----------
    options : shape of the biLM; ``projection`` is absent when the number of filters is the projection size already.
    """

    def __init__(self, options: BiLMOptions) -> None:
        super().__init__()
        self.options = options
        size = options.num_filters
        self.embedding = nn.Embedding(NUM_CHARACTERS_PREDICTION, options.character_dim, padding_idx=0)
        # One matrix per width, (width * character_dim, number): a convolution is a product of windows with it.
        self.filters = nn.ParameterList(
            nn.Parameter(torch.empty(width * options.character_dim, number)) for width, number in options.filters
        )
        self.filter_biases = nn.ParameterList(nn.Parameter(torch.zeros(number)) for _, number in options.filters)
        highways = [Highway(size) for _ in range(options.num_highway)]
        self.highways: Sequence[Highway] = nn.ModuleList(highways)  # type: ignore[assignment]
        self.projection = nn.Linear(size, options.projection_dim) if size != options.projection_dim else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial weights as bilm-tf does for training."""
        nn.init.uniform_(self.embedding.weight, -1.0, 1.0)
        with torch.no_grad():
            self.embedding.weight[0].zero_()
        for matrix, bias in zip(self.filters, self.filter_biases, strict=True):
            if self.options.activation == "relu":
                nn.init.uniform_(matrix, -0.05, 0.05)
            else:
                nn.init.normal_(matrix, std=math.sqrt(1.0 / matrix.size(0)))
            nn.init.zeros_(bias)
        if self.projection is not None:
            nn.init.normal_(self.projection.weight, std=math.sqrt(1.0 / self.projection.in_features))
            nn.init.zeros_(self.projection.bias)

    def forward(self, character_ids: torch.Tensor, by_length: bool = True) -> torch.Tensor:
        """
        Vectors of words.

        Parameters
        ----------
        character_ids : int64 ``(num_words, max_characters_per_token)``; rows of real words, no all-zero rows.
        by_length : convolve each word only as far as needed; the result is the same without.

        Returns
        -------
        float tensor ``(num_words, projection_dim)``.
        """
        if not by_length:
            return self._transform(self._convolve(character_ids))
        positions = torch.arange(1, character_ids.size(1) + 1, device=character_ids.device)
        lengths = ((character_ids != PADDING_ID) * positions).amax(dim=1)
        order = torch.argsort(lengths, stable=True)
        widest = max(width for width, _ in self.options.filters)
        pieces = []
        for chunk in order.split(_WORDS_PER_CHUNK):
            needed = min(int(lengths[chunk[-1]]) + widest, character_ids.size(1))
            pieces.append(self._convolve(character_ids[chunk, :needed]))
        features = torch.cat(pieces) if pieces else self.embedding.weight.new_zeros(0, self.options.num_filters)
        return self._transform(features.index_select(0, torch.argsort(order)))

    def _transform(self, vectors: torch.Tensor) -> torch.Tensor:
        for highway in self.highways:
            vectors = highway(vectors)
        return vectors if self.projection is None else self.projection(vectors).to(vectors.dtype)

    def _convolve(self, character_ids: torch.Tensor) -> torch.Tensor:
        num_words, num_characters = character_ids.shape
        dim = self.options.character_dim
        characters = self.embedding(character_ids).reshape(num_words, num_characters * dim)
        activation = torch.relu if self.options.activation == "relu" else torch.tanh
        outputs = []
        for (width, _), matrix, bias in zip(self.options.filters, self.filters, self.filter_biases, strict=True):
            # (num_words, num_windows, width * character_dim)
            windows = characters.unfold(1, width * dim, dim)
            outputs.append(activation((windows @ matrix).amax(dim=1) + bias))
        return torch.cat(outputs, dim=1)


class Highway(nn.Module):
    """
    ``y = g * relu(W_transform x + b_transform) + (1 - g) * x`` with ``g = sigmoid(W_carry x + b_carry)``.

    Both products are one: the rows of ``linear`` are first the transform's, then the carry gate's.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, 2 * size)
        nn.init.normal_(self.linear.weight, std=math.sqrt(1.0 / size))
        nn.init.zeros_(self.linear.bias)
        with torch.no_grad():
            self.linear.bias[size:].fill_(_INITIAL_CARRY_BIAS)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """``(num_words, size)`` to ``(num_words, size)``."""
        transformed, carry = self.linear(inputs).to(inputs.dtype).chunk(2, dim=-1)
        return torch.lerp(inputs, torch.relu(transformed), torch.sigmoid(carry))
