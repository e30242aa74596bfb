"""Finding the user's mistake behind what was raised."""

import traceback

import pytest
from allennlp.common import FromParams, Params
from allennlp.data.data_loaders.multiprocess_data_loader import WorkerError

from elmo_tasks.errors import InputError
from elmo_tasks.user_mistakes import user_mistake

SENTENCE = "dev.txt:3: found label 'x', expected 0 to 4"


class Refusing(FromParams):
    def __init__(self, size: int = 0) -> None:
        raise InputError(SENTENCE)


class OfAUnion(FromParams):
    def __init__(self, part: Refusing | list[int]) -> None:
        self.part = part


def test_directly() -> None:
    assert user_mistake(InputError(SENTENCE)) == SENTENCE


def test_as_a_cause() -> None:
    with pytest.raises(RuntimeError) as raised:
        try:
            raise InputError(SENTENCE)
        except InputError as error:
            raise RuntimeError("while reading") from error
    assert user_mistake(raised.value) == SENTENCE


def test_from_a_union_that_allennlp_tried() -> None:
    with pytest.raises(Exception, match="Failed to construct argument part") as raised:
        OfAUnion.from_params(Params({"part": {"size": 1}}))
    assert user_mistake(raised.value) == SENTENCE


def test_from_a_worker_process() -> None:
    try:
        raise InputError(SENTENCE)
    except InputError as error:
        # As the data loader does: the exception's repr and the text of its trace.
        from_worker = WorkerError(repr(error), traceback.format_exc())  # type: ignore[arg-type]
    assert user_mistake(from_worker) == SENTENCE


def test_others_are_no_mistakes() -> None:
    assert user_mistake(ValueError("x")) is None
    assert user_mistake(KeyError()) is None
    # Raised while handling a mistake, but not because of it: a fault of the program.
    with pytest.raises(KeyError) as raised:
        try:
            raise InputError(SENTENCE)
        except InputError:
            {}["x"]
    assert user_mistake(raised.value) is None


def test_a_ring_of_causes_ends() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert user_mistake(first) is None
