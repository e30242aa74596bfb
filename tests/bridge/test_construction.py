"""Unions written with a bar, in constructors that AllenNLP calls."""

from typing import Optional

import pytest
from allennlp.common import FromParams, Lazy, Params
from allennlp.common.checks import ConfigurationError


class Part(FromParams):
    def __init__(self, size: int = 1) -> None:
        self.size = size


class Other(FromParams):
    def __init__(self, name: str) -> None:
        self.name = name


class WithBars(FromParams):
    def __init__(
        self,
        part: Part | None = None,
        parts: list[Part | Other] | None = None,
        named: dict[str, Part | Other] | None = None,
        lazy: Lazy[Part] | None = None,
        rate: float | None = None,
    ) -> None:
        self.part, self.parts, self.named, self.lazy, self.rate = part, parts, named, lazy, rate


class WithOptional(FromParams):
    def __init__(self, part: Optional[Part] = None) -> None:  # noqa: UP045
        self.part = part


def test_a_block_becomes_an_object() -> None:
    for whole in (WithBars, WithOptional):
        made = whole.from_params(Params({"part": {"size": 3}}))
        assert isinstance(made.part, Part)
        assert made.part.size == 3
        assert whole.from_params(Params({})).part is None


def test_unions_inside_lists_and_dictionaries() -> None:
    made = WithBars.from_params(
        Params({"parts": [{"size": 2}, {"name": "y"}], "named": {"a": {"size": 5}, "b": {"name": "x"}}, "rate": 0.5})
    )
    assert made.parts[0].size == 2
    assert made.parts[1].name == "y"
    assert made.named["a"].size == 5
    assert made.named["b"].name == "x"
    assert made.rate == 0.5


def test_lazy_stays_lazy() -> None:
    made = WithBars.from_params(Params({"lazy": {"size": 7}}))
    assert isinstance(made.lazy, Lazy)
    assert made.lazy.construct().size == 7


def test_a_block_that_fits_no_member_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Failed to construct argument named.a"):
        WithBars.from_params(Params({"named": {"a": {"neither": 1}}}))
