"""Options files: the released models' parse to the published sizes, and every mistake is named."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from elmo_tasks.bilm import BiLM, BiLMOptions
from elmo_tasks.errors import InputError

FILTERS = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]


def released(cells: int, projection: int, num_highway: int) -> dict[str, Any]:
    """The content of a released model's options file (key for key as the small and the original one have it)."""
    return {
        "lstm": {
            "use_skip_connections": True,
            "projection_dim": projection,
            "cell_clip": 3,
            "proj_clip": 3,
            "dim": cells,
            "n_layers": 2,
        },
        "char_cnn": {
            "activation": "relu",
            "filters": FILTERS,
            "n_highway": num_highway,
            "embedding": {"dim": 16},
            "n_characters": 262,
            "max_characters_per_token": 50,
        },
    }


RELEASED = {
    "small": (released(1024, 128, 1), 13_593_296, 256),
    "medium": (released(2048, 256, 1), 28_027_728, 512),
    "original and 5.5B": (released(4096, 512, 2), 93_600_848, 1024),
}


@pytest.mark.parametrize(("content", "num_parameters", "layer_dim"), RELEASED.values(), ids=RELEASED.keys())
def test_released_models_have_the_published_sizes(content, num_parameters: int, layer_dim: int) -> None:
    options = BiLMOptions.from_dict(content)
    with torch.device("meta"):
        bilm = BiLM(options)
    # Row 0 of the character embedding, "no token", is in no file.
    count = sum(parameter.numel() for parameter in bilm.parameters()) - options.character_dim
    assert count == num_parameters
    assert (bilm.num_layers, bilm.layer_dim) == (3, layer_dim)


@pytest.mark.parametrize("content", [content for content, _, _ in RELEASED.values()], ids=RELEASED.keys())
def test_written_and_read_again(content, tmp_path: Path) -> None:
    options = BiLMOptions.from_dict(content)
    assert options.to_dict() == content
    (tmp_path / "options.json").write_text(json.dumps(options.to_dict(num_characters=261)))
    assert BiLMOptions.from_file(tmp_path / "options.json") == options


def test_what_training_adds_is_ignored() -> None:
    content = released(4096, 512, 2)
    content |= {"bidirectional": True, "dropout": 0.1, "n_tokens_vocab": 793471, "unroll_steps": 20}
    content["lstm"]["something"] = 1
    assert BiLMOptions.from_dict(content) == BiLMOptions.from_dict(released(4096, 512, 2))


def test_what_may_be_missing() -> None:
    content = released(8, 4, 1)
    for key in ("use_skip_connections", "cell_clip", "proj_clip", "n_layers"):
        del content["lstm"][key]
    for key in ("n_highway", "activation", "n_characters"):
        del content["char_cnn"][key]
    options = BiLMOptions.from_dict(content)
    assert not options.use_skip_connections
    assert (options.cell_clip, options.projection_clip, options.num_lstm_layers) == (None, None, 1)
    assert (options.num_highway, options.activation) == (0, "relu")


@pytest.mark.parametrize("name", ["allennlp", "bilm_tf"])
def test_the_shared_models(name: str, shared_folder: Path) -> None:
    folder = shared_folder / "data" / "elmo" / name
    bilm = BiLM.from_files(folder / "options.json", folder / "lm_weights.hdf5")
    assert not bilm.training
    assert bilm.options.use_skip_connections == (name == "allennlp")
    assert (bilm.num_layers, bilm.layer_dim, bilm.options.num_highway) == (3, 32, 2)


MISSING = object()

MISTAKES = [
    ("lstm", MISSING, "the field lstm.projection_dim is missing|the field lstm.dim is missing"),
    ("lstm.dim", MISSING, "the field lstm.dim is missing"),
    ("lstm.dim", 0, "lstm.dim is 0, expected a whole number of at least 1"),
    ("lstm.dim", "4096", "lstm.dim is '4096', expected a whole number"),
    ("lstm.dim", True, "lstm.dim is True, expected a whole number"),
    ("lstm.projection_dim", MISSING, "the field lstm.projection_dim is missing"),
    ("lstm.projection_dim", 1.5, "lstm.projection_dim is 1.5, expected a whole number"),
    ("lstm.n_layers", 0, "lstm.n_layers is 0, expected a whole number of at least 1"),
    ("lstm.cell_clip", -3, "lstm.cell_clip is -3, expected a positive number or null"),
    ("lstm.cell_clip", float("nan"), "lstm.cell_clip is nan, expected a positive number or null"),
    ("lstm.proj_clip", "3", "lstm.proj_clip is '3', expected a positive number or null"),
    ("lstm.use_skip_connections", "yes", "lstm.use_skip_connections is 'yes', expected true or false"),
    ("char_cnn", MISSING, "no 'char_cnn' object.*only character biLMs are supported"),
    ("char_cnn", [], "the field char_cnn.* is missing"),
    ("char_cnn.activation", "gelu", "char_cnn.activation is 'gelu', expected 'relu' or 'tanh'"),
    ("char_cnn.activation", ["relu"], "char_cnn.activation is .*, expected 'relu' or 'tanh'"),
    ("char_cnn.embedding", MISSING, "the field char_cnn.embedding.dim is missing"),
    ("char_cnn.embedding.dim", -1, "char_cnn.embedding.dim is -1"),
    ("char_cnn.filters", MISSING, "the field char_cnn.filters is missing"),
    ("char_cnn.filters", [], r"char_cnn.filters is \[\], expected a list of \[width, number\] pairs"),
    ("char_cnn.filters", {"1": 32}, "char_cnn.filters is .*, expected a list"),
    ("char_cnn.filters", [[1, 32], [2]], r"char_cnn.filters holds \[2\], expected a pair \[width, number\]"),
    ("char_cnn.filters", [[1, 0]], r"char_cnn.filters holds \[1, 0\]"),
    ("char_cnn.filters", [[51, 4]], "char_cnn.filters has a width of 51, more than max_characters_per_token"),
    ("char_cnn.n_highway", -1, "char_cnn.n_highway is -1, expected a whole number of at least 0"),
    ("char_cnn.n_characters", 260, "char_cnn.n_characters is 260, expected 261 .*or 262"),
    ("char_cnn.max_characters_per_token", MISSING, "the field char_cnn.max_characters_per_token is missing"),
    ("char_cnn.max_characters_per_token", 2, "max_characters_per_token is 2, expected a whole number of at least 3"),
]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    MISTAKES,
    ids=[f"{f} missing" if v is MISSING else f"{f}={v!r}"[:50] for f, v, _ in MISTAKES],
)
def test_mistakes_name_file_and_field(field: str, value: Any, message: str, tmp_path: Path) -> None:
    content = copy.deepcopy(released(64, 16, 1))
    *parents, last = field.split(".")
    node = content
    for key in parents:
        node = node[key]
    if value is MISSING:
        del node[last]
    else:
        node[last] = value
    path = tmp_path / "options.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"options.json: .*({message})") as caught:
        BiLMOptions.from_file(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "options file cannot be read .*No such file"),
        (b'{"lstm": {},\n "char_cnn": \n}', "options.json:3: not valid JSON"),
        (b"[1, 2]", "expected a JSON object with 'lstm' and 'char_cnn', found list"),
        (b"", "not valid JSON"),
        (b"\x89HDF\r\n\x1a\n\x00", "cannot be read"),
    ],
)
def test_files_that_are_no_options(text: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(InputError, match=message) as caught:
        BiLMOptions.from_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
