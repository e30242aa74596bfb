"""The options file of a biLM: what it says, checked."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elmo_tasks.errors import InputError

# Bytes, sentence and word markers and character padding; prediction adds a row for "no token here".
NUM_CHARACTERS_TRAINING = 261
NUM_CHARACTERS_PREDICTION = 262

_ACTIVATIONS = ("relu", "tanh")


@dataclass(frozen=True)
class BiLMOptions:
    """
    The shape of a character biLM, as ``options.json`` of every released model states it.

    Parameters
    ----------
    filters : pairs ``(width, number)`` of the character convolutions, widths in characters.
    character_dim : size of a character embedding.
    num_highway : number of highway layers behind the convolutions.
    cell_dim : number of cells of one LSTM layer and direction (``lstm.dim``).
    projection_dim : size of an LSTM layer's output and of a token vector (``lstm.projection_dim``).
    num_lstm_layers : LSTM layers per direction (``lstm.n_layers``).
    cell_clip, projection_clip : bounds of cell and projected state; ``None`` is no bound.
    use_skip_connections : whether layers from the second on add their input to their output.
    activation : ``relu`` or ``tanh``, applied after the maximum over positions.
    max_characters_per_token : character places of a token, the two word markers included.
    """

    filters: tuple[tuple[int, int], ...]
    character_dim: int
    num_highway: int
    cell_dim: int
    projection_dim: int
    num_lstm_layers: int = 2
    cell_clip: float | None = 3.0
    projection_clip: float | None = 3.0
    use_skip_connections: bool = True
    activation: str = "relu"
    max_characters_per_token: int = 50

    @property
    def num_filters(self) -> int:
        """Number of convolution filters of all widths together."""
        return sum(number for _, number in self.filters)

    @property
    def layer_dim(self) -> int:
        """Size of one layer's vector of a token: both directions joined."""
        return 2 * self.projection_dim

    @property
    def num_layers(self) -> int:
        """Number of layers handed out: the token vector and each LSTM layer (3 in all released models)."""
        return self.num_lstm_layers + 1

    @classmethod
    def from_file(cls, path: str | Path) -> "BiLMOptions":
        """
        Read an ``options.json``.

        Raises
        ------
        InputError
            If the file is missing, is not JSON or lacks or misstates a field.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: the biLM's options file cannot be read ({error}).") from error
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{error.lineno}: not valid JSON ({error.msg}).") from error
        return cls.from_dict(content, source=str(path))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], source: str = "options") -> "BiLMOptions":
        """
        Check the content of an ``options.json``; keys that prediction does not need are ignored.

        Raises
        ------
        InputError
            Naming ``source`` and the field that is missing or wrong.
        """
        fields = _Fields(content, source)
        if "char_cnn" not in fields.content:
            raise InputError(
                f"{source}: no 'char_cnn' object, so this is a biLM over a fixed vocabulary; only character biLMs are "
                "supported."
            )
        num_characters = fields.integer("char_cnn.n_characters", default=NUM_CHARACTERS_PREDICTION)
        if num_characters not in (NUM_CHARACTERS_TRAINING, NUM_CHARACTERS_PREDICTION):
            raise InputError(
                f"{source}: char_cnn.n_characters is {num_characters}, expected {NUM_CHARACTERS_TRAINING} (256 bytes, "
                "begin and end of sentence, begin and end of word, padding) or "
                f"{NUM_CHARACTERS_PREDICTION} (the same and a row for 'no token')."
            )
        activation = fields.value("char_cnn.activation", default="relu")
        if activation not in _ACTIVATIONS:
            raise InputError(f"{source}: char_cnn.activation is {activation!r}, expected 'relu' or 'tanh'.")
        skip = fields.value("lstm.use_skip_connections", default=False)
        if not isinstance(skip, bool):
            raise InputError(f"{source}: lstm.use_skip_connections is {skip!r}, expected true or false.")
        options = cls(
            filters=fields.filters(),
            character_dim=fields.integer("char_cnn.embedding.dim"),
            num_highway=fields.integer("char_cnn.n_highway", default=0, minimum=0),
            cell_dim=fields.integer("lstm.dim"),
            projection_dim=fields.integer("lstm.projection_dim"),
            num_lstm_layers=fields.integer("lstm.n_layers", default=1),
            cell_clip=fields.clip("lstm.cell_clip"),
            projection_clip=fields.clip("lstm.proj_clip"),
            use_skip_connections=skip,
            activation=activation,
            max_characters_per_token=fields.integer("char_cnn.max_characters_per_token", minimum=3),
        )
        widest = max(width for width, _ in options.filters)
        if widest > options.max_characters_per_token:
            raise InputError(
                f"{source}: char_cnn.filters has a width of {widest}, more than max_characters_per_token "
                f"({options.max_characters_per_token})."
            )
        return options

    def to_dict(self, num_characters: int = NUM_CHARACTERS_PREDICTION) -> dict[str, Any]:
        """The content of an ``options.json`` for prediction (262 characters) or training (261)."""
        return {
            "lstm": {
                "dim": self.cell_dim,
                "projection_dim": self.projection_dim,
                "n_layers": self.num_lstm_layers,
                "cell_clip": self.cell_clip,
                "proj_clip": self.projection_clip,
                "use_skip_connections": self.use_skip_connections,
            },
            "char_cnn": {
                "activation": self.activation,
                "embedding": {"dim": self.character_dim},
                "filters": [list(pair) for pair in self.filters],
                "max_characters_per_token": self.max_characters_per_token,
                "n_characters": num_characters,
                "n_highway": self.num_highway,
            },
        }


class _Fields:
    """Typed access to dotted names in nested objects, with the dotted name in every error."""

    def __init__(self, content: Mapping[str, Any], source: str) -> None:
        if not isinstance(content, Mapping):
            raise InputError(
                f"{source}: expected a JSON object with 'lstm' and 'char_cnn', found {type(content).__name__}."
            )
        self.content = content
        self.source = source

    def value(self, name: str, **default: Any) -> Any:
        node: Any = self.content
        for key in name.split("."):
            if not isinstance(node, Mapping) or key not in node:
                if "default" in default:
                    return default["default"]
                raise InputError(f"{self.source}: the field {name} is missing.")
            node = node[key]
        return node

    def integer(self, name: str, minimum: int = 1, **default: Any) -> int:
        value = self.value(name, **default)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise InputError(f"{self.source}: {name} is {value!r}, expected a whole number of at least {minimum}.")
        return value

    def clip(self, name: str) -> float | None:
        value = self.value(name, default=None)
        if value is None:
            return None
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 < value < math.inf:
            raise InputError(f"{self.source}: {name} is {value!r}, expected a positive number or null.")
        return float(value)

    def filters(self) -> tuple[tuple[int, int], ...]:
        pairs = self.value("char_cnn.filters")
        if not isinstance(pairs, list) or not pairs:
            raise InputError(f"{self.source}: char_cnn.filters is {pairs!r}, expected a list of [width, number] pairs.")
        for pair in pairs:
            whole = isinstance(pair, (list, tuple)) and len(pair) == 2 and all(type(n) is int and n > 0 for n in pair)
            if not whole:
                raise InputError(f"{self.source}: char_cnn.filters holds {pair!r}, expected a pair [width, number].")
        return tuple((width, number) for width, number in pairs)
