"""The best one-to-one assignment of rows to columns (Kuhn 1955, Munkres 1957), for sparse weights."""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence


def best_assignment(weights: Sequence[Mapping[int, float]]) -> list[int | None]:
    """
    A column for each row, each column at most once, so that the sum of the weights is as large as it can be.

    Rows are added one by one. For each, Dijkstra's algorithm finds the cheapest chain of rows that move to another
    column until one finds a free column or goes without. The cost of a chain is counted with a price for each column,
    so that no step is negative. Only weights that are given cost time: that many, times the logarithm, for each row.

    Parameters
    ----------
    weights
        For each row its columns with weights above 0. A pair that is not there weighs 0 and is never assigned.

    Returns
    -------
    columns
        For each row its column, or None if it goes without.
    """
    # A row goes without in a column of its own with weight 0: -1 for row 0, -2 for row 1 and so on.
    columns = [-1 - row for row in range(len(weights))]
    row_in: dict[int, int] = {}
    prices: defaultdict[int, float] = defaultdict(float)
    for new in range(len(weights)):
        reached_from: dict[int, int] = {}
        distances: dict[int, float] = {}
        settled: dict[int, float] = {}
        heap: list[tuple[float, int]] = []
        row, distance = new, 0.0
        while True:
            for column, weight in (*weights[row].items(), (-1 - row, 0.0)):
                there = distance - weight - prices[column]
                if column not in settled and there < distances.get(column, float("inf")):
                    distances[column] = there
                    reached_from[column] = row
                    heapq.heappush(heap, (there, column))
            total, column = heapq.heappop(heap)
            while column in settled:
                total, column = heapq.heappop(heap)
            settled[column] = total
            if column not in row_in:
                break
            row = row_in[column]
            # The row leaves this column, which gives back what it cost.
            distance = total + (weights[row][column] if column >= 0 else 0.0) + prices[column]
        for passed, there in settled.items():
            prices[passed] += there - total
        while True:
            row = reached_from[column]
            row_in[column] = row
            columns[row], column = column, columns[row]
            if row == new:
                break
    return [column if column >= 0 else None for column in columns]
