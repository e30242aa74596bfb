"""Predictor of sentiment: a text or its tokens in, class and probabilities out."""

from typing import Any

import numpy
from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.data.fields import LabelField
from allennlp.predictors import Predictor
from nltk.tokenize import TreebankWordTokenizer
from overrides import overrides

from elmo_tasks.errors import InputError


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
        return self._dataset_reader.text_to_instance(_tokens_of(json_dict))

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


def _tokens_of(request: JsonDict) -> list[str]:
    if "tokens" in request:
        tokens = request["tokens"]
        if not isinstance(tokens, list) or not all(isinstance(token, str) and token for token in tokens):
            raise InputError('"tokens" must be a list of words, each a non-empty string.')
        if not tokens:
            raise InputError('"tokens" is empty: give at least one word.')
        return tokens
    if "sentence" in request:
        sentence = request["sentence"]
        if not isinstance(sentence, str):
            raise InputError(f'"sentence" must be a text, found {type(sentence).__name__}.')
        tokens = treebank_tokens(sentence)
        if not tokens:
            raise InputError('"sentence" is empty: give a text of at least one word.')
        return tokens
    found = ", ".join(f'"{key}"' for key in request) or "an empty object"
    raise InputError(f'expected {{"sentence": "a text"}} or {{"tokens": ["a", "text"]}}, found {found}.')
