"""Several trained models of one kind that answer as one."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import torch
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.predictors import Predictor
from overrides import overrides

from elmo_tasks.errors import InputError

Scores = dict[str, torch.Tensor]


class EnsembleMember(Model, ABC):
    """
    A model whose work has two halves: what its network computes of a batch, and what follows from that.

    Between the two an :class:`Ensemble` puts the average of several models.
    """

    official_keys: ClassVar[tuple[str, ...]]

    @abstractmethod
    def scores(self, *args: Any, **batch: Any) -> Scores:
        """All that depends on the weights, for the arguments of ``forward``, given by name."""

    @staticmethod
    @abstractmethod
    def average(members: list[Scores]) -> Scores:
        """The scores of the ensemble from those of its members; their order does not matter."""

    @abstractmethod
    def answer(self, scores: Scores, *args: Any, **batch: Any) -> dict[str, Any]:
        """What ``forward`` returns for its arguments; also counts the batch in the metrics."""

    @abstractmethod
    def official_predictions(self, items: Iterable[tuple[Any, ...]]) -> Iterator[str]:
        """The text of the task's official file of predictions; see ``elmo_tasks.reproduce.official``."""

    @overrides(check_signature=False)
    def forward(self, **batch: Any) -> dict[str, Any]:
        """The answer to a batch; the task's model says which arguments there are."""
        return self.answer(self.scores(**batch), **batch)


@Model.register("ensemble")
class Ensemble(Model):
    """
    The average of trained models of one kind (paper, Table 1's text: SNLI of five members, SQuAD of eleven).

    ``elmo-tasks ensemble`` makes the archive of one. It evaluates and predicts as its members do; it is not trained.

    Parameters
    ----------
    vocab
        the vocabulary, the same for all members.
    members
        the models.

    Raises
    ------
    InputError
        If there are fewer than two members, they are of different kinds, or of a kind that cannot be averaged.
    """

    default_predictor = "ensemble"

    def __init__(self, vocab: Vocabulary, members: list[Model], **kwargs: Any) -> None:
        super().__init__(vocab, **kwargs)
        kinds = {type(member) for member in members}
        if len(members) < 2 or len(kinds) > 1:
            names = ", ".join(type(member).__name__ for member in members) or "none"
            raise InputError(f"model.members are {names}; expected two or more models of one kind.")
        if not all(isinstance(member, EnsembleMember) for member in members):
            raise InputError(f"model.members: {kinds.pop().__name__} is no model that an ensemble can average.")
        self.members = torch.nn.ModuleList(members)

    @property
    def member(self) -> EnsembleMember:
        """The member that makes answers of the averaged scores, and counts them."""
        return next(self._members())

    @overrides(check_signature=False)
    def forward(self, **batch: Any) -> dict[str, Any]:
        """The members' answer to a batch, from the average of their scores."""
        scores = self.member.average([member.scores(**batch) for member in self._members()])
        return self.member.answer(scores, **batch)

    @overrides
    def get_metrics(self, reset: bool = False) -> dict[str, float]:
        """The members' metrics, of the ensemble's answers."""
        return self.member.get_metrics(reset)

    @overrides(check_signature=False)
    def make_output_human_readable(self, output_dict: dict[str, Any]) -> dict[str, Any]:
        """What the members make of an answer."""
        return self.member.make_output_human_readable(output_dict)

    @property
    def official_in_one_piece(self) -> bool:
        """Whether the official file of predictions is one object, and not an item after another."""
        return bool(getattr(self.member, "official_in_one_piece", False))

    @property
    def official_keys(self) -> tuple[str, ...]:
        """The outputs that the official file of predictions needs."""
        return self.member.official_keys

    def official_predictions(self, items: Iterable[tuple[Any, ...]]) -> Iterator[str]:
        """The text of the official file of predictions."""
        return self.member.official_predictions(items)

    @overrides(check_signature=False)
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any:
        """
        Take over the tensors of a saved state as they are.

        What is equal in several members, mostly the frozen biLM, an archive has once. Copied into each member's own, it
        would be in memory as often as there are members.
        """
        # Of torch itself: AllenNLP's own has no such option.
        return torch.nn.Module.load_state_dict(self, state_dict, strict=strict, assign=True)

    def _members(self) -> Iterator[EnsembleMember]:
        for member in self.members:
            assert isinstance(member, EnsembleMember)
            yield member


@Predictor.register("ensemble", constructor="of_members")
class EnsemblePredictor(Predictor):
    """Gives the members' own predictor, which an ensemble does not know before it is built."""

    @classmethod
    def of_members(cls, model: Model, dataset_reader: DatasetReader, **kwargs: Any) -> Predictor:
        """The members' predictor, with the ensemble as its model."""
        assert isinstance(model, Ensemble)
        own: type[Predictor] = Predictor.by_name(model.member.default_predictor)
        return own(model, dataset_reader, **kwargs)
