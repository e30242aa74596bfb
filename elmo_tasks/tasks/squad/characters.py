"""Words by their first characters: the indexer and the convolutional encoder of the paper's SQuAD program."""

from typing import Any

import torch
from allennlp.data import Token, TokenIndexer, Vocabulary
from allennlp.data.token_indexers import TokenCharactersIndexer
from allennlp.modules import Seq2VecEncoder
from allennlp.nn.util import min_value_of_dtype
from overrides import overrides

from elmo_tasks.errors import InputError


@TokenIndexer.register("first_characters")
class FirstCharactersIndexer(TokenCharactersIndexer):
    """
    AllenNLP's ``characters`` of the beginning of each word.

    The vocabulary counts the characters of whole words. A text without blanks, a single long word, so costs no more
    than any other word.

    Parameters
    ----------
    max_characters
        how many of a word's characters are kept.
    kwargs
        those of AllenNLP's ``characters``.
    """

    def __init__(self, max_characters: int, **kwargs: Any) -> None:
        super().__init__(min_padding_length=kwargs.pop("min_padding_length", 1), **kwargs)
        if max_characters < 1:
            raise InputError(f"max_characters is {max_characters}, expected 1 or more.")
        self.max_characters = max_characters

    @overrides
    def tokens_to_indices(self, tokens: list[Token], vocabulary: Vocabulary) -> dict[str, list[list[int]]]:
        """Indices of the first characters of each token."""
        cut = [Token(token.ensure_text()[: self.max_characters]) for token in tokens]
        indices: dict[str, list[list[int]]] = super().tokens_to_indices(cut, vocabulary)
        return indices


@Seq2VecEncoder.register("masked_cnn")
class MaskedCNN(Seq2VecEncoder):
    """
    One convolution over embedded characters, ReLU, and the largest output for each filter (docs/squad.md).

    A window begins at each character of the word and may reach beyond its end, where there are zeros: so a word shorter
    than the window has outputs too. How much padding there is changes nothing.

    Parameters
    ----------
    embedding_dim
        size of a character's vector.
    num_filters
        size of the output.
    ngram_filter_size
        characters in a window.
    dropout
        rate on the embedded characters, single numbers.
    """

    def __init__(self, embedding_dim: int, num_filters: int, ngram_filter_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self._embedding_dim = embedding_dim
        self._num_filters = num_filters
        self._beyond = ngram_filter_size - 1
        self.convolution = torch.nn.Conv1d(embedding_dim, num_filters, ngram_filter_size)
        assert self.convolution.bias is not None
        self._dropout = torch.nn.Dropout(dropout)
        torch.nn.init.xavier_uniform_(self.convolution.weight)
        torch.nn.init.zeros_(self.convolution.bias)

    @overrides
    def get_input_dim(self) -> int:
        """Size of a character's vector."""
        return self._embedding_dim

    @overrides
    def get_output_dim(self) -> int:
        """Number of filters."""
        return self._num_filters

    @overrides(check_signature=False)
    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Encode words.

        Parameters
        ----------
        tokens
            ``(num_words, num_characters, embedding_dim)``.
        mask
            ``(num_words, num_characters)``, true or 1 at characters.

        Returns
        -------
        ``(num_words, num_filters)``, 0 for a word without characters.
        """
        inside = mask.bool().unsqueeze(1)  # (num_words, 1, num_characters)
        # (num_words, num_characters, embedding_dim) -> (num_words, embedding_dim, num_characters)
        characters = self._dropout(tokens.transpose(1, 2).masked_fill(~inside, 0.0))
        windows = self.convolution(torch.nn.functional.pad(characters, (0, self._beyond)))
        # ReLU of the largest is the largest ReLU, of far fewer numbers
        return torch.relu(windows.masked_fill(~inside, min_value_of_dtype(windows.dtype)).amax(dim=2))
