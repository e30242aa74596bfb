"""Predictor of semantic roles: a sentence in, the arguments of each of its predicates out."""

from collections.abc import Iterable
from typing import Any

from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.predictors import Predictor
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats import colours
from elmo_tasks.formats.requests import part_of_sentence, sentence_of_request
from elmo_tasks.formats.tags import Span
from elmo_tasks.tasks.srl.verbs import RULE, guess_verbs

_VERB_POS = "VB"
_HINT = 'no predicate found; give their places, for instance "predicates": [1].'


@Predictor.register("paper_srl")
class SRLPredictor(Predictor):
    """
    Find the arguments of the predicates of ``{"sentence": "a text"}`` or ``{"tokens": ["a", "text"]}``.

    The predicates are those that ``"predicates"`` gives (places of tokens, from 0), or the tokens whose part of speech
    in ``"pos"`` begins with ``VB``, or, without either, the words that a rule takes for verbs; ``found_by`` (``given``,
    ``pos`` or ``rule``) says which, and ``rule`` what the rule is. A text is taken for one sentence and tokenised by
    rules alone.

    The answer's ``predicates`` have each ``predicate`` (its place), ``word``, ``tags``, ``arguments`` (``role``,
    ``text``, tokens from ``start`` to ``end``, characters from ``start_character`` to ``end_character``, the ends
    excluded; of tokens as if they were joined by single blanks) and ``drawing``: ``[ARG0 Mary] [V sold] [ARG1 it]``.
    Where the rule finds no predicate, a ``hint`` says how to give them.
    """

    @overrides
    def predict_json(self, inputs: JsonDict) -> JsonDict:
        """The answer to one request."""
        return self.predict_batch_json([inputs])[0]

    @overrides
    def predict_batch_json(self, inputs: list[JsonDict]) -> list[JsonDict]:
        """The answers to several requests."""
        requests = [_Request(one) for one in inputs]
        instances = [instance for request in requests for instance in self._instances(request)]
        outputs = iter(self.predict_batch_instance(instances) if instances else [])
        # as many outputs of each request as it has predicates
        return [request.answer([next(outputs) for _ in request.predicates]) for request in requests]

    @overrides
    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        """The first predicate's instance, for AllenNLP's interpreters, which want one a request."""
        request = _Request(json_dict)
        if not request.predicates:
            raise InputError(_HINT)
        return self._instances(request)[0]

    @overrides(check_signature=False)
    def predictions_to_labeled_instances(self, instance: Instance, outputs: dict[str, Any]) -> list[Instance]:
        """The sentence with the arguments found as its gold ones and the predicate where it was."""
        labeled = self._dataset_reader.text_to_instance(
            outputs["words"], outputs["predicate"], [Span(*span) for span in outputs["arguments"]]
        )
        labeled.fields["verb_indicator"] = instance["verb_indicator"]
        self._dataset_reader.apply_token_indexers(labeled)
        return [labeled]

    def _instances(self, request: "_Request") -> list[Instance]:
        return [self._dataset_reader.text_to_instance(request.words, place) for place in request.predicates]


@Predictor.register("paper_srl_brackets")
class BracketsPredictor(SRLPredictor):
    """
    As ``paper_srl``, but the answer is printed as a drawing a predicate, with a blank line behind the last.

    A sentence without predicates is printed as it is, with the hint below it; with ``--use-dataset-reader`` each
    instance has its drawing. In colours on a terminal, one for each role, unless the
    environment has ``NO_COLOR`` (https://no-color.org).
    """

    @overrides
    def dump_line(self, outputs: JsonDict) -> str:
        """The answer as text."""
        if "predicates" in outputs:
            found = [
                [(one["role"], one["start"], one["end"]) for one in each["arguments"]] for each in outputs["predicates"]
            ]
        else:  # the model's own answer, for an instance of the dataset reader
            found = [outputs["arguments"]]
        drawings = [draw(outputs["words"], [Span(*span) for span in spans], colours.wanted()) for spans in found]
        lines = drawings or [" ".join(outputs["words"]), *([outputs["hint"]] if "hint" in outputs else [])]
        return "".join(f"{line}\n" for line in [*lines, ""])


class _Request:
    """A request's words and the places of its predicates."""

    def __init__(self, request: JsonDict) -> None:
        self.text, self.spans = sentence_of_request(request)
        self.words = [self.text[start:end] for start, end in self.spans]
        self.how: dict[str, str] = {"found_by": "given"}
        if "predicates" in request:
            self.predicates = self._given(request["predicates"])
        elif "pos" in request:
            self.how = {"found_by": "pos"}
            self.predicates = self._by_pos(request["pos"])
        else:
            self.how = {"found_by": "rule", "rule": RULE}
            self.predicates = guess_verbs(self.words)

    def answer(self, outputs: list[JsonDict]) -> JsonDict:
        """The answer, from the model's outputs for each predicate."""
        predicates = []
        for place, output in zip(self.predicates, outputs, strict=True):
            spans = [Span(*span) for span in output["arguments"]]
            arguments = [
                {"role": label, **part_of_sentence(self.text, self.spans, start, end)} for label, start, end in spans
            ]
            predicates.append(
                {
                    "predicate": place,
                    "word": self.words[place],
                    "tags": output["tags"],
                    "arguments": arguments,
                    "drawing": draw(self.words, spans),
                }
            )
        hint = {} if self.predicates or self.how["found_by"] != "rule" else {"hint": _HINT}
        return {"words": self.words, **self.how, **hint, "predicates": predicates}

    def _given(self, places: Any) -> list[int]:
        if not isinstance(places, list) or not all(type(place) is int for place in places):
            raise InputError(f'"predicates" must be a list of places of words, from 0, found {places!r}.')
        outside = next((place for place in places if not 0 <= place < len(self.words)), None)
        if outside is not None:
            raise InputError(
                f'"predicates" has {outside}, but the sentence has {len(self.words)} words: expected 0 to '
                f"{len(self.words) - 1}."
            )
        return places

    def _by_pos(self, pos: Any) -> list[int]:
        if not isinstance(pos, list) or not all(isinstance(tag, str) for tag in pos):
            raise InputError(f'"pos" must be a list of parts of speech, one a word, found {pos!r}.')
        if len(pos) != len(self.words):
            raise InputError(f'"pos" has {len(pos)} parts of speech for {len(self.words)} words, expected one each.')
        return [place for place, tag in enumerate(pos) if tag.startswith(_VERB_POS)]


def draw(words: list[str], spans: Iterable[Span], in_colours: bool = False) -> str:
    """
    The words with spans in brackets behind their labels.

    Parameters
    ----------
    spans
        which do not overlap.
    in_colours
        give brackets and labels colours; a role has one, with its ``C-`` and ``R-``.
    """
    shown = list(words)
    roles: list[str] = []
    for label, start, end in spans:
        opening, closing = f"[{label}", "]"
        if in_colours:
            role = label.removeprefix("C-").removeprefix("R-")
            if role not in roles:
                roles.append(role)
            opening, closing = (colours.coloured(mark, roles.index(role)) for mark in (opening, closing))
        shown[start] = f"{opening} {shown[start]}"
        shown[end - 1] += closing
    return " ".join(shown)
