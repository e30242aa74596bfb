"""The biLM as it is trained: encoder, LSTMs and softmax over packed text, with the paper's dropout places."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from elmo_tasks.bilm.characters import batch_to_ids
from elmo_tasks.bilm.lstm import LSTMState
from elmo_tasks.bilm.model import BiLM
from elmo_tasks.bilm.training.corpus import NO_TARGET, Batch
from elmo_tasks.bilm.training.softmax import Softmax


class BidirectionalLanguageModel(nn.Module):
    """
    A biLM with its softmax.

    Parameters
    ----------
    bilm : the part that becomes ELMo.
    softmax : over the vocabulary.
    dropout : rate at the input of every LSTM layer and before the softmax, in training.
    """

    def __init__(self, bilm: BiLM, softmax: Softmax, dropout: float = 0.0) -> None:
        super().__init__()
        self.bilm = bilm
        self.softmax = softmax
        self.dropout = dropout

    def initial_state(self, batch_size: int) -> LSTMState:
        """The state before any text."""
        return LSTMState.zeros(self.bilm.options, batch_size, self.softmax.weight.weight.detach())

    def outputs(self, batch: Batch, state: LSTMState) -> tuple[torch.Tensor, LSTMState]:
        """
        The LSTMs' top outputs ``(2, unroll_steps * batch_size, projection_dim)`` and the final state, which holds no
        history.
        """
        num_steps, batch_size = batch.index.shape[1:]
        # A training step on a GPU is in few kernels, and waits for none of them, so that it can be recorded.
        on_gpu = self.training and batch.index.is_cuda
        table = self.bilm.encoder(batch.character_ids, by_length=not on_gpu)
        tokens = functional.embedding(batch.index.flatten(1), table)
        tokens = functional.dropout(tokens, self.dropout, self.training)
        gates = self.bilm.lstm.layers[0].input_gates(tokens)
        outputs, final = self.bilm.lstm(gates, [batch_size] * num_steps, state, self.dropout, unrolled=on_gpu)
        return functional.dropout(outputs[-1], self.dropout, self.training), final.detach()

    def forward(self, batch: Batch, state: LSTMState) -> tuple[torch.Tensor, LSTMState]:
        """Loss of a batch, the mean of the two directions' mean losses in nats, and the final state."""
        outputs, final = self.outputs(batch, state)
        losses = [self.softmax(rows, targets.flatten()) for rows, targets in zip(outputs, batch.targets, strict=True)]
        return (losses[0] + losses[1]) / 2, final

    def sentence_losses(
        self, sentences: Sequence[Sequence[str]], targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Losses of sentences that start from zero states, with the full softmax.

        Parameters
        ----------
        sentences : tokenised, none empty.
        targets : int64 ``(batch_size, longest + 2)``: ids of the words between their markers, ``NO_TARGET`` behind.

        Returns
        -------
        Forward and backward loss of each target, flat, 0 where there is none.
        """
        ids = batch_to_ids(sentences, self.bilm.options.max_characters_per_token)
        top = self.bilm(ids.to(targets.device), keep_sentence_boundaries=True).layers[-1]
        forward, backward = top.chunk(2, dim=-1)
        # Forward a place predicts the word behind it, backward the word before it.
        losses_forward = self.softmax.full(forward[:, :-1].flatten(0, 1), targets[:, 1:].flatten())
        seen = targets[:, :-1].masked_fill(targets[:, 1:] < 0, NO_TARGET)
        losses_backward = self.softmax.full(backward[:, 1:].flatten(0, 1), seen.flatten())
        return losses_forward, losses_backward
