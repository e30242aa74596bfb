"""What must hold for every biLM: vectors depend on the sentence alone, or on the documented state, on nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tasks.bilm import BiLM, batch_to_ids
from elmo_tasks.bilm.characters import word_to_ids
from elmo_tasks.errors import InputError
from tests.bilm.conftest import TINY, MakeBiLM, excite

SENTENCES = [
    ["The", "cat", "sat", "on", "the", "mat"],
    ["Hello"],
    [],
    ["naïve", "😀", "", "x" * 90, "the"],
    ["the"] * 25,
    ["<S>", "odd", "</S>"],
]

# Products of other shapes add up in another order, and float32 rounds; in float64 the same is 1e-13.
TOLERANCE = 2e-6


def fresh_bilm() -> BiLM:
    torch.manual_seed(5)
    bilm = BiLM(TINY)
    excite(bilm, 1.5)
    return bilm.eval()


def run(bilm: BiLM, sentences: list[list[str]]) -> list[np.ndarray]:
    with torch.no_grad():
        layers = bilm(batch_to_ids(sentences, bilm.options.max_characters_per_token)).layers
    return [layers[:, row, : len(sentence)].numpy() for row, sentence in enumerate(sentences)]


def test_a_batch_is_its_sentences() -> None:
    bilm = fresh_bilm()
    for sentence, vectors in zip(SENTENCES, run(bilm, SENTENCES), strict=True):
        np.testing.assert_allclose(vectors, run(bilm, [sentence])[0], atol=TOLERANCE)


@settings(max_examples=20)
@given(st.permutations(range(len(SENTENCES))), st.integers(0, 20))
def test_neither_order_nor_padding_matter(order: list[int], more: int) -> None:
    bilm = fresh_bilm().double()
    expected = run(bilm, SENTENCES)
    sentences = [SENTENCES[i] for i in order]
    ids = batch_to_ids(sentences)
    padded = torch.cat([ids, ids.new_zeros(len(ids), more, 50)], dim=1)
    with torch.no_grad():
        output = bilm(padded)
    for row, i in enumerate(order):
        length = len(SENTENCES[i])
        np.testing.assert_allclose(output.layers[:, row, :length], expected[i], atol=1e-12)
        assert not output.layers[:, row, length:].any()
        assert output.mask[row].tolist() == [True] * length + [False] * (ids.size(1) + more - length)


def test_more_padding_alone_changes_no_bit() -> None:
    bilm = fresh_bilm()
    ids = batch_to_ids(SENTENCES)
    padded = torch.cat([ids, ids.new_zeros(len(ids), 9, 50)], dim=1)
    with torch.no_grad():
        assert torch.equal(bilm(padded).layers[:, :, : ids.size(1)], bilm(ids).layers)


def test_the_same_batch_twice_is_the_same_to_the_bit() -> None:
    bilm = fresh_bilm()
    ids = batch_to_ids(SENTENCES)
    with torch.no_grad():
        first, again = bilm(ids).layers, bilm(ids).layers
    assert torch.equal(first, again)


def test_carried_states_change_the_second_time_and_can_be_forgotten() -> None:
    bilm = fresh_bilm()
    without = run(bilm, SENTENCES)
    bilm.state_policy = "carry"
    first, second = run(bilm, SENTENCES), run(bilm, SENTENCES)
    for plain, ours, later in zip(without, first, second, strict=True):
        np.testing.assert_array_equal(ours, plain)
        # Layer 0 has no state.
        np.testing.assert_array_equal(later[0], plain[0])
        if len(plain[0]):
            assert np.abs(later[1:] - plain[1:]).max() > 1e-3
    bilm.reset_states()
    for plain, ours in zip(without, run(bilm, SENTENCES), strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_a_row_carries_its_own_state_alone() -> None:
    """What stands in other rows, and how the batch is sorted by length inside, does not matter to a row."""
    bilm = fresh_bilm().double()
    bilm.state_policy = "carry"
    rows = [[["a", "b", "c"], ["d"], ["e", "f"]], [["g"], ["h", "i", "j", "k"], ["l"]]]
    together = [run(bilm, [rows[0][turn], rows[1][turn]]) for turn in range(3)]
    for row in (0, 1):
        bilm.reset_states()
        for turn in range(3):
            alone = run(bilm, [rows[row][turn]])[0]
            np.testing.assert_allclose(together[turn][row], alone, atol=1e-12)


def test_sentence_boundaries_kept() -> None:
    bilm = fresh_bilm()
    ids = batch_to_ids(SENTENCES)
    with torch.no_grad():
        inner, kept = bilm(ids), bilm(ids, keep_sentence_boundaries=True)
    assert kept.layers.shape[2] == ids.size(1) + 2
    for row, sentence in enumerate(SENTENCES):
        length = len(sentence)
        assert kept.mask[row].sum() == length + 2
        assert torch.equal(kept.layers[:, row, 1 : length + 1], inner.layers[:, row, :length])
        assert not kept.layers[:, row, length + 2 :].any()
        # The markers' own vectors, also where there is no token between them.
        table = bilm.encoder(torch.tensor([word_to_ids("<S>"), word_to_ids("</S>")])).detach()
        torch.testing.assert_close(kept.layers[0, row, 0], table[0].repeat(2))
        torch.testing.assert_close(kept.layers[0, row, length + 1], table[1].repeat(2))


@pytest.mark.parametrize("num_tokens", [0, 4])
@pytest.mark.parametrize("batch_size", [0, 3])
@pytest.mark.parametrize("policy", ["reset", "carry"])
def test_rows_without_a_token(batch_size: int, num_tokens: int, policy: str, make_bilm: MakeBiLM) -> None:
    bilm = make_bilm(state_policy=policy)
    ids = torch.zeros(batch_size, num_tokens, 50, dtype=torch.int64)
    for _ in range(2):
        output = bilm(ids)
        assert output.layers.shape == (3, batch_size, num_tokens, 12)
        assert not output.layers.any()
        assert not output.mask.any()
    assert bilm(ids, keep_sentence_boundaries=True).mask.sum() == 2 * batch_size


def test_ids_that_are_no_batch_of_sentences(make_bilm: MakeBiLM) -> None:
    bilm = make_bilm()
    ids = batch_to_ids([["a", "b", "c"]])
    gap = ids.clone()
    gap[0, 1] = 0
    with pytest.raises(ValueError, match="behind a padded place"):
        bilm(gap)
    with pytest.raises(ValueError, match=r"shape \(1, 3, 20\), expected \(batch_size, num_tokens, 50\)"):
        bilm(ids[:, :, :20])
    with pytest.raises(ValueError, match="shape"):
        bilm(ids[0])
    with pytest.raises(InputError, match="state_policy is 'keep', expected 'reset' or 'carry'"):
        BiLM(TINY, "keep")


class TestEmbed:
    def test_order_and_lengths(self) -> None:
        bilm = fresh_bilm()
        # Room for one long sentence, or for several short ones.
        for batch_tokens in (1, 7, 4096):
            vectors = bilm.embed(SENTENCES, batch_tokens=batch_tokens)
            for sentence, ours, expected in zip(SENTENCES, vectors, run(bilm, SENTENCES), strict=True):
                assert ours.dtype == np.float32
                assert ours.shape == (3, len(sentence), 12)
                np.testing.assert_allclose(ours, expected, atol=TOLERANCE)

    def test_nothing(self) -> None:
        bilm = fresh_bilm()
        assert bilm.embed([]) == []
        assert [array.shape for array in bilm.embed([[], []])] == [(3, 0, 12)] * 2

    def test_leaves_the_mode_as_it_was(self) -> None:
        bilm = fresh_bilm().train()
        bilm.embed([["a"]])
        assert bilm.training

    def test_arrays_own_their_numbers(self) -> None:
        first, second = fresh_bilm().embed([["a"], ["a"]])
        first[:] = 0.0
        assert second.all()

    def test_carry_reads_the_sentences_as_rows_of_one_batch(self) -> None:
        bilm = fresh_bilm()
        bilm.state_policy = "carry"
        expected = [run(bilm, SENTENCES), run(bilm, SENTENCES)]
        bilm.reset_states()
        for batch in expected:
            for ours, theirs in zip(bilm.embed(SENTENCES, batch_tokens=3), batch, strict=True):
                np.testing.assert_array_equal(ours, theirs)

    def test_words_of_the_options_length(self, make_bilm: MakeBiLM) -> None:
        bilm = make_bilm(gain=1.5, max_characters_per_token=6)
        long, cut, other = bilm.embed([["abcdefgh"], ["abcd"], ["abcx"]])
        np.testing.assert_allclose(long, cut, atol=TOLERANCE)
        assert np.abs(long - other).max() > 1e-3


def test_words_convolved_to_the_end() -> None:
    """What a GPU's training does gives the vectors of the convolution that stops behind each word."""
    torch.manual_seed(0)
    encoder = BiLM(TINY).encoder
    words = [[words] for words in ("a", "cat", "unheard-of", "é" * 40)]
    ids = batch_to_ids(words, TINY.max_characters_per_token).squeeze(1)
    torch.testing.assert_close(encoder(ids, by_length=False), encoder(ids), atol=1e-6, rtol=1e-5)
