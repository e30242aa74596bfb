"""Where the tokens of padded sentences stand when packed by length, and which words of a batch are the same."""

import torch


class Packing:
    """
    Positions of a padded batch ``(batch_size, num_positions)`` in packed order (see ``lstm.py``).

    Parameters
    ----------
    lengths : int64 ``(batch_size,)``, at least 1 each.
    num_positions : places of a row, padding included.

    Attributes
    ----------
    order, restore : rows by falling length, and the way back.
    batch_sizes : rows of each time step.
    forward, backward : for each packed place the flat position (``row * num_positions + t``) it is read from, with t
        counted from a sentence's begin or from its end.
    """

    def __init__(self, lengths: torch.Tensor, num_positions: int) -> None:
        self.batch_size = lengths.size(0)
        self.num_positions = num_positions
        self.order = torch.argsort(lengths, descending=True, stable=True)
        self.restore = torch.argsort(self.order)
        sorted_lengths = lengths[self.order]
        times = torch.arange(num_positions, device=lengths.device)
        # (num_positions, batch_size): time steps first, so that the true entries come in packed order.
        alive = times.unsqueeze(1) < sorted_lengths.unsqueeze(0)
        step, rank = alive.nonzero(as_tuple=True)
        row = self.order[rank]
        self.forward = row * num_positions + step
        self.backward = row * num_positions + sorted_lengths[rank] - 1 - step
        self.batch_sizes: list[int] = [size for size in alive.sum(dim=1).tolist() if size]

    def unpack(self, packed: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """``(num_packed, dim)`` back to ``(batch_size, num_positions, dim)``, zeros where there is no token."""
        dim = packed.size(-1)
        flat = packed.new_zeros(self.batch_size * self.num_positions, dim)
        return flat.index_copy(0, positions, packed).view(self.batch_size, self.num_positions, dim)


def distinct_rows(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """
    The distinct rows of an int64 matrix, and for each row which of them it is.

    Rows are told apart by a 64-bit hash; should two distinct rows share one, the slow exact way is taken.
    """
    generator = torch.Generator().manual_seed(20180215)
    multipliers = torch.randint(-(2**62), 2**62, (rows.size(1),), generator=generator).to(rows.device)
    hashes, inverse = torch.unique((rows * multipliers).sum(dim=1), return_inverse=True)
    first = inverse.new_full((hashes.size(0),), rows.size(0))
    first.scatter_reduce_(0, inverse, torch.arange(rows.size(0), device=rows.device), "amin")
    distinct = rows[first]
    if not torch.equal(distinct[inverse], rows):
        distinct, inverse = torch.unique(rows, dim=0, return_inverse=True)
    return distinct, inverse
