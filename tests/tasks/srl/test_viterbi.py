"""Viterbi against enumeration of all well-formed sequences of tags."""

import itertools

import pytest
import torch

from elmo_tasks.formats.tags import TagError, decode
from elmo_tasks.tasks.srl.viterbi import TagDecoder

TAGS = {
    "two roles": ["O", "B-X", "I-X", "B-Y", "I-Y"],
    "labels with hyphens": ["B-V", "I-C-X", "O", "B-X", "B-C-X", "I-X"],
    "no inside": ["B-V", "O"],
    "an inside that nothing begins": ["O", "I-X", "B-Y"],
}


def well_formed(tags: list[str]) -> bool:
    try:
        decode(tags, "IOB2")
    except TagError:
        return False
    return True


@pytest.mark.parametrize("tags", TAGS.values(), ids=list(TAGS))
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_it_finds_the_best_well_formed_sequence_of_each_sentence(tags: list[str], scale: float) -> None:
    generator = torch.Generator().manual_seed(4)
    lengths = [4, 1, 3, 2, 4]
    decoder = TagDecoder(tags)
    allowed = {
        length: [
            path
            for path in itertools.product(range(len(tags)), repeat=length)
            if well_formed([tags[tag] for tag in path])
        ]
        for length in set(lengths)
    }
    bound = 0
    for _ in range(20):
        scores = scale * torch.randn(len(lengths), 4, len(tags), generator=generator, dtype=torch.float64)
        mask = torch.arange(4) < torch.tensor(lengths).unsqueeze(1)
        paths = decoder(torch.log_softmax(scores, dim=-1), mask)
        for row, (path, length) in enumerate(zip(paths, lengths, strict=True)):
            best = max(allowed[length], key=lambda one: sum(float(scores[row, t, tag]) for t, tag in enumerate(one)))
            assert tuple(path) == best
            bound += scores[row, :length].argmax(dim=1).tolist() != path
    assert bound == 0 if tags == TAGS["no inside"] else bound >= 20


def test_padding_and_neighbours_do_not_matter() -> None:
    tags = TAGS["two roles"]
    torch.manual_seed(1)
    scores = torch.log_softmax(5 * torch.randn(6, 50, len(tags)), dim=-1)
    lengths = torch.tensor([50, 1, 17, 33, 2, 49])
    mask = torch.arange(50) < lengths.unsqueeze(1)
    decoder = TagDecoder(tags)
    together = decoder(scores, mask)
    for row, length in enumerate(lengths.tolist()):
        alone = decoder(scores[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool))
        assert [together[row]] == alone
        assert len(together[row]) == length
        assert well_formed([tags[tag] for tag in together[row]])
