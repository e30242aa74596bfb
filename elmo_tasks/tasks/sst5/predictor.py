"""Predictor of sentiment: a text or its tokens in, class and probabilities out."""

from typing import Any

import numpy
from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.data.fields import LabelField
from allennlp.predictors import Predictor
from nltk.tokenize import TreebankWordTokenizer
from overrides import overrides

from elmo_tasks.formats.requests import tokens_of_request


@Predictor.register("paper_sst5")
class SST5Predictor(Predictor):
    """
    Classify ``{"sentence": "a text"}`` or ``{"tokens": ["a", "text"]}``.

    A text is tokenised as the treebank is, by rules alone (nltk's ``TreebankWordTokenizer``, which needs no download):
    brackets become ``-LRB-`` and ``-RRB-``, quotes two backquotes or apostrophes, slashes and asterisks are escaped.
    Tokens are taken as they are.

    The answer holds ``label`` (index of the class as a string; at five classes the treebank's own label), ``name``,
    ``probabilities`` in the order of the indices, ``logits`` and ``tokens``.
    """

    @overrides
    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        return self._dataset_reader.text_to_instance(tokens_of_request(json_dict, treebank_tokens))

    @overrides(check_signature=False)
    def predictions_to_labeled_instances(self, instance: Instance, outputs: dict[str, Any]) -> list[Instance]:
        """The text with the most probable class as its label, for AllenNLP's interpreters."""
        labeled = instance.duplicate()
        labeled.add_field("label", LabelField(int(numpy.argmax(outputs["probabilities"])), skip_indexing=True))
        return [labeled]


def treebank_tokens(text: str) -> list[str]:
    """The words of a text in the treebank's convention."""
    tokens = TreebankWordTokenizer().tokenize(text, convert_parentheses=True)
    return [token.replace("/", "\\/").replace("*", "\\*") for token in tokens]
