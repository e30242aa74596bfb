"""Places of packed sentences, and the distinct rows of a matrix."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.bilm.packing import Packing, distinct_rows


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(0, 3))
def test_packed_and_back(lengths: list[int], more: int) -> None:
    places = max(lengths) + more
    packing = Packing(torch.tensor(lengths), places)
    values = torch.arange(1.0, len(lengths) * places + 1).view(len(lengths), places)
    kept = torch.arange(places) < torch.tensor(lengths).unsqueeze(1)
    assert sum(packing.batch_sizes) == sum(lengths)
    assert packing.batch_sizes == sorted(packing.batch_sizes, reverse=True)
    for positions in (packing.forward, packing.backward):
        packed = values.flatten()[positions].unsqueeze(-1)
        assert torch.equal(packing.unpack(packed, positions).squeeze(-1), values * kept)
    # Step by step each row reads its sentence from the begin, or from its own end.
    start = 0
    for step, size in enumerate(packing.batch_sizes):
        for rank in range(size):
            row = int(packing.order[rank])
            assert int(packing.forward[start + rank]) == row * places + step
            assert int(packing.backward[start + rank]) == row * places + lengths[row] - 1 - step
        start += size
    assert torch.equal(packing.order[packing.restore], torch.arange(len(lengths)))


@given(st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), max_size=12))
def test_distinct_rows(rows: list[list[int]]) -> None:
    matrix = torch.tensor(rows, dtype=torch.int64).view(-1, 3)
    distinct, inverse = distinct_rows(matrix)
    assert torch.equal(distinct[inverse], matrix)
    assert len(distinct) == len({tuple(row) for row in rows})


def test_two_rows_with_one_hash() -> None:
    generator = torch.Generator().manual_seed(20180215)
    first, second = torch.randint(-(2**62), 2**62, (2,), generator=generator).tolist()
    # first * second + second * 0 and first * 0 + second * first: the same sum.
    matrix = torch.tensor([[second, 0], [0, first], [second, 0]])
    multipliers = torch.tensor([first, second])
    sums = (matrix * multipliers).sum(dim=1)
    assert sums[0] == sums[1], "the rows do not share a hash, the test proves nothing"
    distinct, inverse = distinct_rows(matrix)
    assert len(distinct) == 2
    assert torch.equal(distinct[inverse], matrix)
