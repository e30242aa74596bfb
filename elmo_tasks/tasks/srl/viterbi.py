"""The best well-formed sequence of tags, for all sentences of a batch at once."""

from collections.abc import Sequence

import torch

from elmo_tasks.formats.tags import OUTSIDE


class TagDecoder(torch.nn.Module):
    """
    Viterbi in IOB2: transitions weigh 0 where they are allowed and minus infinity where not (docs/srl.md).

    ``I-X`` follows ``B-X`` or ``I-X`` alone and never comes first; every other tag may stand anywhere. So a step
    needs no table of all pairs of tags: before ``I-X`` there are two to choose from, before all others the best one.

    Parameters
    ----------
    tags
        The tags by their indices.
    """

    predecessors: torch.Tensor
    inside: torch.Tensor

    def __init__(self, tags: Sequence[str]) -> None:
        super().__init__()
        indices = {tag: index for index, tag in enumerate(tags)}
        # Of I-X the indices of B-X and I-X; of other tags nothing that is used.
        pairs = [(indices.get(f"B-{tag[2:]}", index), index) for index, tag in enumerate(tags)]
        self.register_buffer("predecessors", torch.tensor(pairs), persistent=False)
        self.register_buffer(
            "inside", torch.tensor([tag != OUTSIDE and tag.startswith("I-") for tag in tags]), persistent=False
        )

    def forward(self, scores: torch.Tensor, mask: torch.Tensor) -> list[list[int]]:
        """
        Decode sentences.

        Parameters
        ----------
        scores
            ``(batch_size, num_tokens, num_tags)``, finite; the best sequence has the greatest sum of them.
        mask
            bool ``(batch_size, num_tokens)``, true at tokens, which come first.

        Returns
        -------
        The indices of the best well-formed sequence of each sentence, as long as the sentence.
        """
        state = scores[:, 0].masked_fill(self.inside, -torch.inf)  # (batch_size, num_tags), best sequence to each tag
        steps: list[torch.Tensor] = []  # each (batch_size, num_tags), the tag before each tag in that sequence
        stay = torch.arange(scores.size(2), device=scores.device).expand_as(state)
        for token in range(1, scores.size(1)):
            any_score, any_tag = state.max(dim=1, keepdim=True)  # (batch_size, 1)
            own_score, choice = state[:, self.predecessors].max(dim=2)  # (batch_size, num_tags)
            own_tag = self.predecessors.expand(len(state), -1, 2).gather(2, choice.unsqueeze(2)).squeeze(2)
            is_token = mask[:, token : token + 1]
            before = torch.where(self.inside, own_tag, any_tag)
            # behind a sentence's end its state stays, and leads to itself
            steps.append(torch.where(is_token, before, stay))
            state = torch.where(is_token, torch.where(self.inside, own_score, any_score) + scores[:, token], state)
        tag = state.argmax(dim=1, keepdim=True)  # (batch_size, 1)
        path = [tag]
        for before in reversed(steps):
            tag = before.gather(1, tag)
            path.append(tag)
        paths = torch.cat(path[::-1], dim=1).tolist()
        return [tags[:length] for tags, length in zip(paths, mask.sum(dim=1).tolist(), strict=True)]
