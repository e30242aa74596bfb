"""Clusters shown in a text: brackets around each mention, with the number of its cluster behind them."""

from collections.abc import Iterable, Sequence

from elmo_tasks.formats.colours import coloured


def bracketed(text: str, clusters: Iterable[Sequence[tuple[int, int]]], colours: bool = False) -> str:
    """
    The text with its mentions in brackets: ``[Mara]0 sold [her ferry]1``.

    Parameters
    ----------
    text
        as it was given.
    clusters
        first characters and ends of each cluster's mentions.
    colours
        give each cluster's brackets and number a colour, by the codes that terminals know.
    """
    opening: dict[int, list[tuple[int, str]]] = {}
    closing: dict[int, list[tuple[int, str]]] = {}
    for number, cluster in enumerate(clusters):
        for start, end in cluster:
            opening.setdefault(start, []).append((-end, _coloured("[", number, colours)))
            closing.setdefault(end, []).append((-start, _coloured(f"]{number}", number, colours)))
    shown = []
    for place in range(len(text) + 1):
        # where mentions lie in each other the longer one begins first and ends last
        for marks in (closing, opening):
            shown += [mark for _, mark in sorted(marks.get(place, ()))]
        shown.append(text[place : place + 1])
    return "".join(shown)


def _coloured(mark: str, number: int, colours: bool) -> str:
    return coloured(mark, number) if colours else mark
