"""The two attentions of Clark & Gardner (2017): between passage and question, and of a passage on itself."""

import torch
from allennlp.modules import Seq2SeqEncoder
from allennlp.nn.util import masked_softmax, min_value_of_dtype
from torch import nn

# Of "attend to nothing", before training.
NO_ATTENTION_BIAS = -1.0


class TrilinearSimilarity(nn.Module):
    """
    ``a_ij = u.x_i + v.y_j + (w * x_i).y_j + b`` with learned vectors u, v, w and a learned number b (docs/squad.md).

    Only the scores themselves are made, nothing of the size of all pairs of vectors.

    Parameters
    ----------
    dim
        size of the vectors.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.first = nn.Linear(dim, 1, bias=False)
        self.second = nn.Linear(dim, 1, bias=False)
        self.product = nn.Parameter(torch.empty(1, dim))
        self.bias = nn.Parameter(torch.zeros(1))
        for weight in (self.first.weight, self.second.weight, self.product):
            nn.init.xavier_uniform_(weight)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Scores ``(batch_size, num_first, num_second)`` of ``(batch_size, num_first, dim)`` and the like."""
        scores = torch.bmm(first * self.product, second.transpose(1, 2))
        # (batch_size, num_first, 1) and (batch_size, 1, num_second)
        return scores + self.first(first) + (self.second(second) + self.bias).transpose(1, 2)


class BiAttention(nn.Module):
    """
    What each token of a passage finds in the question, and what the question finds in the passage (docs/squad.md).

    With scores a of :class:`TrilinearSimilarity`::

        q~_i = sum_j softmax_j(a_ij) q_j
        c~   = sum_i softmax_i(max_j a_ij) c_i
        [c_i; q~_i; c_i * q~_i; c_i * c~]

    The similarity's b cancels here and has no gradient; the paper's program has it nevertheless.

    Parameters
    ----------
    dim
        size of the vectors.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.similarity = TrilinearSimilarity(dim)
        self._dim = dim

    def get_output_dim(self) -> int:
        """Size of what there is for a token of the passage."""
        return 4 * self._dim

    def forward(
        self, passage: torch.Tensor, question: torch.Tensor, passage_mask: torch.Tensor, question_mask: torch.Tensor
    ) -> torch.Tensor:
        """
        Attend in both directions.

        Parameters
        ----------
        passage, question
            ``(batch_size, num_tokens, dim)``, each with its own number of tokens.
        passage_mask, question_mask
            ``(batch_size, num_tokens)``, true at tokens.

        Returns
        -------
        ``(batch_size, num_passage_tokens, 4 * dim)``; what stands at padded places has no meaning.
        """
        scores = self.similarity(passage, question)  # (batch_size, num_passage_tokens, num_question_tokens)
        of_question = question_mask.unsqueeze(1)
        in_question = torch.bmm(masked_softmax(scores, of_question, memory_efficient=True), question)
        best = scores.masked_fill(~of_question, min_value_of_dtype(scores.dtype)).amax(dim=2)
        weights = masked_softmax(best, passage_mask, memory_efficient=True)  # (batch_size, num_passage_tokens)
        in_passage = torch.bmm(weights.unsqueeze(1), passage)  # (batch_size, 1, dim)
        return torch.cat([passage, in_question, passage * in_question, passage * in_passage], dim=-1)


class ResidualSelfAttention(nn.Module):
    """
    A passage with what each of its tokens finds in the others added to it (docs/squad.md)::

        h    = dropout(GRU(dropout(x)))
        p_ij = exp(a_ij) / (sum_k exp(a_ik) + exp(b)),  k, j other than i
        s_i  = sum_j p_ij h_j
        x_i + ReLU(W [s_i; h_i; s_i * h_i] + d)

    b is a learned score of attending to nothing.

    Parameters
    ----------
    encoder
        the GRU.
    dropout
        the one at its input and output.
    """

    def __init__(self, encoder: Seq2SeqEncoder, dropout: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self._dropout = dropout
        dim = encoder.get_output_dim()
        self.similarity = TrilinearSimilarity(dim)
        self.no_attention = nn.Parameter(torch.full((1,), NO_ATTENTION_BIAS))
        self.merge = nn.Linear(3 * dim, encoder.get_input_dim())

    def forward(self, passage: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Attend to other tokens of the same passage.

        Parameters
        ----------
        passage
            x, ``(batch_size, num_tokens, dim)``.
        mask
            ``(batch_size, num_tokens)``, true at tokens.

        Returns
        -------
        ``(batch_size, num_tokens, dim)``; what stands at padded places has no meaning.
        """
        encoded = self._dropout(self.encoder(self._dropout(passage), mask))
        found = torch.bmm(self.weights(encoded, mask), encoded)
        return passage + torch.relu(self.merge(torch.cat([found, encoded, found * encoded], dim=-1)))

    def weights(self, encoded: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        The p_ij, ``(batch_size, num_tokens, num_tokens)``, of vectors h ``(batch_size, num_tokens, dim)``.

        A row is a token that reads. The weights of a row sum to less than 1.
        """
        itself = torch.eye(mask.size(1), dtype=torch.bool, device=mask.device)
        scores = self.similarity(encoded, encoded)
        scores = scores.masked_fill(~mask.unsqueeze(1) | itself, min_value_of_dtype(scores.dtype))
        total = torch.logaddexp(scores.logsumexp(dim=2, keepdim=True), self.no_attention)
        return torch.exp(scores - total)
