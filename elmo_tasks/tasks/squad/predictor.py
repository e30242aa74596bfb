"""Predictor of answers: a passage and a question in, parts of the passage out."""

from typing import Any

from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.predictors import Predictor
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats.squad import Answer

_KEYS = ("passage", "question", "k", "id")


@Predictor.register("paper_squad")
class SquadPredictor(Predictor):
    """
    Answer ``{"passage": "a text", "question": "another"}``.

    The answer is ``best_span_text``. ``answers`` has the best, or with ``"k": 5`` the five best different spans: each
    with ``text``, its characters in the passage from ``start_character`` to ``end_character``, its tokens from
    ``start`` to ``end``, the ends excluded, ``score`` and ``probability``. An ``"id"``, a string, is
    handed on.
    """

    @overrides
    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        if unknown := ", ".join(f'"{key}"' for key in json_dict if key not in _KEYS):
            raise InputError(
                f'a request has the keys "passage", "question" and, optional, "k" and "id"; found {unknown}.'
            )
        passage, question = (_text(json_dict, key) for key in ("passage", "question"))
        count = json_dict.get("k", 1)
        if type(count) is not int or count < 1:
            raise InputError(f'"k" is {count!r}, expected a whole number of at least 1.')
        if "id" in json_dict and not isinstance(json_dict["id"], str):
            raise InputError(f'"id" must be a string, found {type(json_dict["id"]).__name__}.')
        instance = self._dataset_reader.text_to_instance(question, passage, question_id=json_dict.get("id"))
        instance["metadata"].metadata["num_answers"] = count
        return instance

    @overrides(check_signature=False)
    def predictions_to_labeled_instances(self, instance: Instance, outputs: dict[str, Any]) -> list[Instance]:
        """The question with the best answer as its gold one, for AllenNLP's interpreters."""
        metadata, best = instance["metadata"].metadata, outputs["answers"][0]
        labeled = self._dataset_reader.text_to_instance(
            metadata["question"], metadata["context"], [Answer(best["text"], best["start_character"])], metadata["id"]
        )
        self._dataset_reader.apply_token_indexers(labeled)
        return [labeled]


def _text(request: JsonDict, key: str) -> str:
    if key not in request:
        found = ", ".join(f'"{name}"' for name in request) or "an empty object"
        raise InputError(f'expected {{"passage": "a text", "question": "another"}}, found {found}.')
    text = request[key]
    if not isinstance(text, str):
        raise InputError(f'"{key}" must be a text, found {type(text).__name__}.')
    if not text.strip():
        raise InputError(f'"{key}" is empty: give a text of at least one word.')
    return text
