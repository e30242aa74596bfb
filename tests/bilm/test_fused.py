"""Which functions are compiled, and what is said where they cannot be."""

from collections.abc import Iterator

import pytest
import torch

from elmo_tasks.bilm import fused as module
from elmo_tasks.bilm.fused import can_compile, fused


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    for function in (can_compile, fused):
        function.cache_clear()
    yield
    for function in (can_compile, fused):
        function.cache_clear()


def double(values: torch.Tensor) -> torch.Tensor:
    return values * 2.0


def test_on_the_cpu_a_function_stays_as_it_is() -> None:
    assert fused(double, "cpu") is double


def test_on_a_gpu_it_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "can_compile", lambda device_type: True)
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: compiled.append((function, dynamic)) or "compiled")
    assert fused(double, "cuda") == fused(double, "cuda") == "compiled"
    assert compiled == [(double, False)]


def test_without_a_compiler_it_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(function):
        raise RuntimeError("Failed to find C compiler\nand much more")

    monkeypatch.setattr(torch, "compile", fail)
    with pytest.warns(UserWarning, match="training on this device is slower: Failed to find C compiler$"):
        assert fused(double, "cuda") is double
    assert fused(double, "cuda") is double, "the second time without a word"
