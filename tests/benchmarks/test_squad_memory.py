"""How benchmarks/squad_memory.py measures memory, and which batch it takes."""

import mmap
import random
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from elmo_tasks.tasks.squad.reader import SquadReader

squad_memory = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "squad_memory.py"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_what_was_before_does_not_count() -> None:
    def take(megabytes: int) -> None:
        # straight from the system: an allocator may have that much to give again, of tests before
        pages = mmap.mmap(-1, megabytes * 1_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        np.frombuffer(pages, np.uint8).fill(1)

    take(300)
    before = squad_memory["memory_now"]()
    squad_memory["forget_largest"]()
    take(100)
    assert squad_memory["largest_memory"]() - before == pytest.approx(0.1, abs=0.03)


def test_the_batch_is_the_samplers_with_the_most_pairs_of_tokens(repository: Path) -> None:
    instances = list(SquadReader().read(repository / "fixtures" / "squad" / "train.json"))
    lengths = [len(instance["passage"].tokens) for instance in instances]
    random.seed(1)  # the sampler puts noise on the lengths
    largest_batch, budget = squad_memory["largest_batch"], 2 * max(lengths)
    batch = largest_batch(instances, budget)
    longest = max(len(instance["passage"].tokens) for instance in batch)
    assert len(batch) * longest <= budget
    assert longest == max(lengths)  # not the many questions on short passages that fit too
    assert len(largest_batch(instances, 10**6)) == 17
