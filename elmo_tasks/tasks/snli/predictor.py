"""Predictor of inference: a premise and a hypothesis in, their label and its probabilities out."""

from typing import Any

from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.data.fields import LabelField
from allennlp.predictors import Predictor
from overrides import overrides

from elmo_tasks.formats.requests import tokens_at
from elmo_tasks.formats.snli import LABELS
from elmo_tasks.tasks.snli.reader import SNLIReader


@Predictor.register("paper_snli")
class SNLIPredictor(Predictor):
    """
    Judge ``{"premise": "a text", "hypothesis": "another"}``; either may be a list of its tokens.

    A text is tokenised as the reader does it, by rules alone; tokens are taken as they are. The answer holds ``label``,
    ``probabilities`` by the labels' names, ``logits``, and the words of ``premise`` and ``hypothesis``.
    """

    @overrides
    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        reader = self._dataset_reader
        assert isinstance(reader, SNLIReader)
        premise, hypothesis = (tokens_at(json_dict, key, reader.words_of_text) for key in ("premise", "hypothesis"))
        return reader.text_to_instance(premise, hypothesis)

    @overrides(check_signature=False)
    def predictions_to_labeled_instances(self, instance: Instance, outputs: dict[str, Any]) -> list[Instance]:
        """The pair with the most probable label as its own, for AllenNLP's interpreters."""
        labeled = instance.duplicate()
        labeled.add_field("label", LabelField(LABELS.index(outputs["label"]), skip_indexing=True))
        return [labeled]
