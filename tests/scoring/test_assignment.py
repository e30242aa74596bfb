"""The best assignment against trying them all, and against scipy's."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_tasks.scoring.assignment import best_assignment

weights = st.lists(
    st.dictionaries(st.integers(0, 5), st.integers(1, 6) | st.floats(0.01, 1, allow_nan=False), max_size=6), max_size=5
)


def best_of_all(rows: list[dict[int, float]]) -> float:
    """The largest sum over every way to give each row a column of its own or none."""
    choices = [*range(6), *[-1] * len(rows)]
    return max(
        sum(row.get(column, 0) for row, column in zip(rows, chosen, strict=True))
        for chosen in set(permutations(choices, len(rows)))
    )


@given(weights)
@example([{0: 3, 1: 2}, {0: 2}])
@example([{0: 5}, {0: 5}, {0: 5, 1: 1}, {1: 1}])
@example([])
def test_no_other_assignment_is_better(rows: list[dict[int, float]]) -> None:
    if len(rows) > 3:
        rows = [{column: weight for column, weight in row.items() if column < 4} for row in rows]
    chosen = best_assignment(rows)
    taken = [column for column in chosen if column is not None]
    assert len(taken) == len(set(taken))
    assert all(column is None or column in row for row, column in zip(rows, chosen, strict=True))
    total = sum(row[column] for row, column in zip(rows, chosen, strict=True) if column is not None)
    assert total == pytest.approx(best_of_all(rows), rel=1e-12)


@pytest.mark.parametrize("kept", [0.02, 0.2, 1.0])
def test_large_matrices_equal_scipys(kept: float) -> None:
    from scipy.optimize import linear_sum_assignment

    generator = np.random.default_rng(13)
    for shape in ((60, 60), (80, 30), (30, 80)):
        matrix = generator.random(shape) * (generator.random(shape) < kept)
        rows = [{column: weight for column, weight in enumerate(row) if weight} for row in matrix.tolist()]
        chosen = best_assignment(rows)
        total = sum(row[column] for row, column in zip(rows, chosen, strict=True) if column is not None)
        assert total == pytest.approx(matrix[linear_sum_assignment(matrix, maximize=True)].sum(), rel=1e-12)
