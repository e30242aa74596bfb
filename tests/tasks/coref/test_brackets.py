"""Mentions marked in a text: side by side, in each other, across each other, in colours."""

import re

from hypothesis import given
from hypothesis import strategies as st

from elmo_tasks.tasks.coref.brackets import bracketed

TEXT = "Mara sold her old ferry"


def test_mentions_are_in_brackets_with_the_number_of_their_cluster() -> None:
    assert bracketed(TEXT, [[(0, 4), (10, 13)], [(10, 23)]]) == "[Mara]0 sold [[her]0 old ferry]1"
    assert bracketed(TEXT, [[(18, 23)], [(10, 23)]]) == "Mara sold [her old [ferry]0]1"
    assert bracketed("ab", [[(0, 1)], [(1, 2)]]) == "[a]0[b]1"
    assert bracketed(TEXT, []) == TEXT


def test_colours_are_one_a_cluster() -> None:
    shown = bracketed(TEXT, [[(0, 4)], [(10, 23)], [(10, 13)]], colours=True)
    assert re.sub("\033\\[[0-9]+m", "", shown) == "[Mara]0 sold [[her]2 old ferry]1"
    colours = re.findall("\033\\[([1-9][0-9]*)m", shown)
    assert colours == ["31", "31", "32", "34", "34", "32"]


@given(st.lists(st.tuples(st.integers(0, 22), st.integers(1, 8)), max_size=6))
def test_the_text_stays_and_brackets_are_as_many_as_mentions(spans: list[tuple[int, int]]) -> None:
    clusters = [[(start, min(start + length, len(TEXT)))] for start, length in spans]
    shown = bracketed(TEXT, clusters)
    assert re.sub(r"\[|\][0-9]+", "", shown) == TEXT
    assert shown.count("[") == len(re.findall(r"\][0-9]+", shown)) == len(spans)
