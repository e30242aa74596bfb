"""Words by their characters: which of them count, and the convolution against a loop."""

import numpy as np
import pytest
import torch
from allennlp.data import Token, Vocabulary

from elmo_tasks.errors import InputError
from elmo_tasks.tasks.squad.characters import FirstCharactersIndexer, MaskedCNN


def test_the_first_characters_have_indices_and_all_are_counted() -> None:
    indexer = FirstCharactersIndexer(max_characters=3)
    vocabulary = Vocabulary(counter={"token_characters": {"a": 2, "b": 1, "c": 1}}, min_count={})
    tokens = [Token("abcabc"), Token("b"), Token("aßz")]
    assert indexer.tokens_to_indices(tokens, vocabulary)["token_characters"] == [[2, 3, 4], [3], [2, 1, 1]]
    counter: dict[str, dict[str, int]] = {"token_characters": dict.fromkeys("abc", 0)}
    indexer.count_vocab_items(Token("abcabc"), counter)
    assert counter["token_characters"] == {"a": 2, "b": 2, "c": 2}
    with pytest.raises(InputError, match="max_characters is 0, expected 1 or more"):
        FirstCharactersIndexer(max_characters=0)


def test_each_filter_gives_the_largest_of_the_windows_that_begin_in_the_word() -> None:
    torch.manual_seed(4)
    cnn = MaskedCNN(embedding_dim=3, num_filters=6, ngram_filter_size=4).double().eval()
    with torch.no_grad():
        cnn.convolution.bias.normal_()
    lengths = (7, 1, 0, 3)
    vectors = torch.randn(4, 9, 3, dtype=torch.float64)
    mask = torch.arange(9) < torch.tensor(lengths).unsqueeze(1)
    with torch.no_grad():
        found = cnn(vectors, mask).numpy()
    kernel, bias = cnn.convolution.weight.detach().numpy(), cnn.convolution.bias.detach().numpy()
    for row, length in enumerate(lengths):
        word = np.concatenate([vectors[row, :length].numpy(), np.zeros((4, 3))])
        for f in range(6):
            windows = [bias[f] + sum(kernel[f, :, k] @ word[at + k] for k in range(4)) for at in range(length)]
            assert found[row, f] == pytest.approx(max([0.0, *windows]), abs=1e-12)
    assert (found == 0).any()
    assert (found[1] > 0).any(), "a word shorter than the window is seen too"
    with torch.no_grad():
        np.testing.assert_allclose(cnn(vectors[:, :7], mask[:, :7]).numpy(), found, atol=1e-14)


def test_dropout_is_of_single_numbers_in_training_alone() -> None:
    cnn = MaskedCNN(embedding_dim=2, num_filters=2, ngram_filter_size=1, dropout=0.5)
    with torch.no_grad():
        cnn.convolution.weight.copy_(torch.eye(2).unsqueeze(2))
    ones, mask = torch.ones(200, 1, 2), torch.ones(200, 1)
    assert set(cnn.eval()(ones, mask).unique().tolist()) == {1.0}
    assert set(cnn.train()(ones, mask).unique().tolist()) == {0.0, 2.0}
