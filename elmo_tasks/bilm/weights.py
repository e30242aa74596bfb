"""
Weight files of biLMs: HDF5 in the layout that bilm-tf writes and AllenNLP reads (docs/file-format.md).

One list of entries, each a data set and the tensor it belongs to, serves reading, checking and writing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import torch

from elmo_tasks.bilm.writing import written_aside
from elmo_tasks.errors import InputError

if TYPE_CHECKING:
    from elmo_tasks.bilm.model import BiLM

# Blocks of the files' gate columns: input, candidate, forget, output. Ours: input, forget, output, candidate.
_FILE_TO_OURS = (0, 2, 3, 1)
_OURS_TO_FILE = (0, 3, 1, 2)

# A data set that is present although the options do not ask for it means: weights and options of different models.
_GROUPS = ("char_embed", "CNN", "CNN_high", "CNN_proj", "RNN_")

_DTYPES = ("float32", "float16")


@dataclass(frozen=True)
class _Entry:
    """
    One data set: its name and shape in the file, and the tensors of the model that its rows are, one after the other.

    ``gates`` is the number of cells where the last axis holds gates, which file and model order differently.
    """

    name: str
    shape: tuple[int, ...]
    targets: tuple[torch.Tensor, ...]
    gates: int = 0
    transposed: bool = False

    def read(self, array: np.ndarray) -> None:
        values = torch.from_numpy(array)
        values = _reorder(values, self.gates, _FILE_TO_OURS)
        if self.transposed:
            values = values.t()
        for target, part in zip(self.targets, values.chunk(len(self.targets)), strict=True):
            target.copy_(part.reshape(target.shape))

    def write(self) -> np.ndarray:
        values = torch.cat([target.detach().float().cpu() for target in self.targets])
        if self.transposed:
            values = values.t()
        return _reorder(values.reshape(self.shape), self.gates, _OURS_TO_FILE).numpy()


def _reorder(values: torch.Tensor, cells: int, order: tuple[int, ...]) -> torch.Tensor:
    if not cells:
        return values
    blocks = values.split(cells, dim=-1)
    return torch.cat([blocks[block] for block in order], dim=-1)


def _entries(bilm: "BiLM") -> Iterator[_Entry]:
    options, encoder = bilm.options, bilm.encoder
    dim, size = options.character_dim, options.num_filters
    cells, projected = options.cell_dim, options.projection_dim
    yield _Entry("char_embed", (261, dim), (encoder.embedding.weight[1:],))
    convolutions = zip(options.filters, encoder.filters, encoder.filter_biases, strict=True)
    for i, ((width, number), matrix, bias) in enumerate(convolutions):
        yield _Entry(f"CNN/W_cnn_{i}", (1, width, dim, number), (matrix,))
        yield _Entry(f"CNN/b_cnn_{i}", (number,), (bias,))
    for i, highway in enumerate(encoder.highways):
        weight, bias = highway.linear.weight, highway.linear.bias
        yield _Entry(f"CNN_high_{i}/W_transform", (size, size), (weight[:size],), transposed=True)
        yield _Entry(f"CNN_high_{i}/b_transform", (size,), (bias[:size],))
        yield _Entry(f"CNN_high_{i}/W_carry", (size, size), (weight[size:],), transposed=True)
        yield _Entry(f"CNN_high_{i}/b_carry", (size,), (bias[size:],))
    if encoder.projection is not None:
        yield _Entry("CNN_proj/W_proj", (size, projected), (encoder.projection.weight,), transposed=True)
        yield _Entry("CNN_proj/b_proj", (projected,), (encoder.projection.bias,))
    for direction in (0, 1):
        for i, layer in enumerate(bilm.lstm.layers):
            cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{i}/LSTMCell"
            kernel = (layer.input_weight[direction], layer.state_weight[direction])
            yield _Entry(f"{cell}/W_0", (2 * projected, 4 * cells), kernel, cells)
            yield _Entry(f"{cell}/B", (4 * cells,), (layer.bias[direction],), cells)
            if layer.projection is not None:
                yield _Entry(f"{cell}/W_P_0", (cells, projected), (layer.projection[direction],))


def load_weights(bilm: "BiLM", path: str | Path) -> None:
    """
    Read all weights of ``bilm`` from ``path``; if that fails, the model is left as it was.

    Raises
    ------
    InputError
        Naming file and data set: file missing, not HDF5 or cut short; data set missing, of another shape, not
        floating-point, not finite; or present although the options have no place for it.
    """
    _check_signature(path)
    entries = list(_entries(bilm))
    try:
        with h5py.File(path, "r") as file:
            _check_surplus(file, {entry.name for entry in entries}, path)
            arrays = [_read(file, entry, path) for entry in entries]
    except (OSError, RuntimeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: the HDF5 file is damaged or cut short ({reason}); fetch or export it again."
        ) from error
    with torch.no_grad():
        for entry, array in zip(entries, arrays, strict=True):
            entry.read(array)


def _read(file: h5py.File, entry: _Entry, path: str | Path) -> np.ndarray:
    found = file.get(entry.name)
    if not isinstance(found, h5py.Dataset):
        raise InputError(f"{path}: the data set {entry.name} is missing; options and weights are of different models.")
    if found.shape != entry.shape:
        raise InputError(
            f"{path}: the data set {entry.name} has the shape {found.shape}, expected {entry.shape} by the options; "
            "options and weights are of different models."
        )
    if found.dtype.kind != "f":
        raise InputError(f"{path}: the data set {entry.name} holds {found.dtype}, expected floating-point numbers.")
    with np.errstate(over="ignore"):
        array = found[...].astype(np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"{path}: the data set {entry.name} holds numbers that are not finite (NaN or infinite).")
    return array


def _check_signature(path: str | Path) -> None:
    try:
        with Path(path).open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise InputError(f"{path}: the biLM's weight file cannot be read ({error.strerror}).") from error
    if start != b"\x89HDF\r\n\x1a\n":
        raise InputError(f"{path}: not an HDF5 file; expected the weights of a biLM (weights.hdf5).")


def _check_surplus(file: h5py.File, known: set[str], path: str | Path) -> None:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    for name in names:
        if name not in known and name.startswith(_GROUPS):
            raise InputError(
                f"{path}: the data set {name} has no place in a model of these options; options and weights are of "
                "different models."
            )


def save_weights(bilm: "BiLM", path: str | Path, dtype: str = "float32") -> None:
    """
    Write all weights of ``bilm`` to ``path``, complete or not at all; the same weights make the same bytes.

    In a ``float16`` file the LSTMs' biases stay float32: readers add the forget bias of 1 to the numbers as they find
    them, and in float16 that sum is another one. Such a file is compressed too.

    Raises
    ------
    InputError
        If ``dtype`` is another one, a weight is not finite in it, or the file cannot be written.
    """
    if dtype not in _DTYPES:
        raise InputError(f"dtype is {dtype!r}, expected 'float32' or 'float16'.")
    with written_aside(path) as aside, h5py.File(aside, "w") as file:
        for entry in _entries(bilm):
            with np.errstate(over="ignore"):
                values = entry.write().astype("float32" if entry.name.endswith("/B") else dtype)
            if not np.isfinite(values).all():
                raise InputError(f"{path}: {entry.name} would hold numbers that are not finite as {dtype}.")
            # One chunk a data set: it is read as a whole, and a chunk has its price in bytes.
            packed = {"compression": "gzip", "shuffle": True, "chunks": entry.shape} if dtype == "float16" else {}
            file.create_dataset(entry.name, data=values, **packed)


def scatter_weights(source: str | Path, target: str | Path, seed: int = 1) -> None:
    """
    Write the control of a biLM that has learned nothing: in every data set the numbers of ``source``, in random places.

    Weights as a training begins with would give vectors many times smaller than the trained ones, and so a control that
    a task's model cannot but ignore.

    Raises
    ------
    InputError
        If ``source`` cannot be read as HDF5, or ``target`` not be written.
    """
    random = np.random.default_rng(seed)
    try:
        trained = h5py.File(source, "r")
    except OSError as error:
        raise InputError(f"{source}: the weights cannot be read ({str(error).splitlines()[0]}).") from error
    with trained, written_aside(target) as aside, h5py.File(aside, "w") as scattered:

        def scatter(name: str, entry: h5py.Group | h5py.Dataset) -> None:
            if isinstance(entry, h5py.Dataset):
                numbers = random.permutation(entry[...].reshape(-1)).reshape(entry.shape)
                packed = {"compression": entry.compression, "shuffle": entry.shuffle, "chunks": entry.chunks}
                scattered.create_dataset(name, data=numbers, **packed)

        trained.visititems(scatter)
