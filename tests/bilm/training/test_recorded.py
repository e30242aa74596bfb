"""The fixed places that a recorded step reads; test_gpu.py has the recording itself."""

import torch

from elmo_tasks.bilm.lstm import LSTMState
from elmo_tasks.bilm.training.corpus import Batch
from elmo_tasks.bilm.training.recorded import FixedPlaces

CPU = torch.device("cpu")


def batch_of(words: int, seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    places = (2, 50, 16)
    return Batch(
        torch.randint(1, 257, (words, 7), generator=generator),
        torch.randint(words, places, generator=generator),
        torch.randint(99, places, generator=generator),
    )


def state_of(seed: int) -> LSTMState:
    generator = torch.Generator().manual_seed(seed)
    return LSTMState(torch.randn(1, 2, 16, 3, generator=generator), torch.randn(1, 2, 16, 5, generator=generator))


def test_every_batch_is_found_there() -> None:
    """Its words where its indices point, whatever the batch before has left behind them."""
    places = FixedPlaces(batch_of(300, 0), state_of(0), CPU)
    for seed, words in enumerate((300, 380, 200, 384, 1)):
        batch, state = batch_of(words, seed), state_of(seed)
        assert places.holds(batch)
        if seed:
            places.put(batch, state)
        found = places.batch
        assert torch.equal(found.character_ids[found.index], batch.character_ids[batch.index])
        assert torch.equal(found.targets, batch.targets)
        assert torch.equal(places.state.hidden, state.hidden)
        assert torch.equal(places.state.cell, state.cell)


def test_room() -> None:
    """A quarter more than the first batch, in blocks of 256; never more than a batch has places."""
    assert FixedPlaces(batch_of(300, 0), state_of(0), CPU).room == 512
    assert FixedPlaces(batch_of(1500, 0), state_of(0), CPU).room == 1600
    assert not FixedPlaces(batch_of(300, 0), state_of(0), CPU).holds(batch_of(513, 1))


def test_what_is_given_stays_as_it_was() -> None:
    batch, state = batch_of(20, 0), state_of(0)
    places = FixedPlaces(batch, state, CPU)
    places.put(batch_of(30, 1), state_of(1))
    assert torch.equal(batch.character_ids, batch_of(20, 0).character_ids)
    assert torch.equal(state.hidden, state_of(0).hidden)
