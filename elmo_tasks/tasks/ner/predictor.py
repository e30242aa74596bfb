"""Predictor of named entities: a text or its tokens in, entities with their places out."""

from typing import Any

from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.predictors import Predictor
from overrides import overrides

from elmo_tasks.formats.requests import part_of_sentence, sentence_of_request
from elmo_tasks.formats.tags import Span


@Predictor.register("paper_ner")
class NERPredictor(Predictor):
    """
    Find the entities of ``{"sentence": "a text"}`` or ``{"tokens": ["a", "text"]}``.

    A text is taken for one sentence and tokenised by rules alone (nltk's ``TreebankWordTokenizer``, which needs no
    download). The answer holds ``words``, ``tags`` and ``entities``: each with ``label``, ``text``, its tokens from
    ``start`` to ``end`` and its characters from ``start_character`` to ``end_character``, the ends excluded. Characters
    are counted in the text; in tokens as if they were joined by single spaces.
    """

    @overrides
    def predict_json(self, inputs: JsonDict) -> JsonDict:
        """The answer to one request."""
        return _located(inputs, super().predict_json(inputs))

    @overrides
    def predict_batch_json(self, inputs: list[JsonDict]) -> list[JsonDict]:
        """The answers to several requests."""
        answers = super().predict_batch_json(inputs)
        return [_located(request, answer) for request, answer in zip(inputs, answers, strict=True)]

    @overrides
    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        text, spans = sentence_of_request(json_dict)
        return self._dataset_reader.text_to_instance([text[start:end] for start, end in spans])

    @overrides(check_signature=False)
    def predictions_to_labeled_instances(self, instance: Instance, outputs: dict[str, Any]) -> list[Instance]:
        """The sentence with the entities found as its gold ones, for AllenNLP's interpreters."""
        words = [token.text for token in instance["tokens"].tokens]
        found = [Span(*entity) for entity in outputs["entities"]]
        labeled = self._dataset_reader.text_to_instance(words, found)
        self._dataset_reader.apply_token_indexers(labeled)
        return [labeled]


def _located(request: JsonDict, answer: JsonDict) -> JsonDict:
    text, spans = sentence_of_request(request)
    entities = [
        {"label": label, **part_of_sentence(text, spans, start, end)} for label, start, end in answer["entities"]
    ]
    return {**answer, "entities": entities}
