"""Predictors of coreference: a text or its sentences' words in, clusters with their places out."""

from collections.abc import Sequence
from typing import Any

from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.predictors import Predictor
from nltk.tokenize import TreebankWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats import colours
from elmo_tasks.formats.conll2012 import Mention
from elmo_tasks.tasks.coref.brackets import bracketed

_KEYS = ("document", "sentences", "speakers", "genre")
# Of the model's answer, what is no part of a request's.
_NOT_TOLD = ("document", "loss", "part", "spans", "speakers")
_EXPECTED = '{"document": "a text"} or {"sentences": [["a", "sentence"], ["another"]]}'

Places = list[list[tuple[int, int]]]
"""First character and end of each word, sentence by sentence."""


@Predictor.register("paper_coref")
class CorefPredictor(Predictor):
    """
    Find the clusters of ``{"document": "a text"}`` or ``{"sentences": [["a", "sentence"], ["another"]]}``.

    A text is split by rules alone: sentences by nltk's Punkt without trained parameters, words by its
    ``TreebankWordTokenizer``; nothing is downloaded. Beside it may stand ``"speakers"``, a name for each sentence, and
    ``"genre"``, as training data name it.

    The answer holds ``text`` (of words joined by single blanks and sentences by line feeds, where words were given),
    ``words`` by sentence, ``clusters``: each mention with ``text``, its ``sentence``, its tokens there from ``start``
    to ``end`` and its characters from ``start_character`` to ``end_character``, the ends excluded; and ``bracketed``,
    the text with its mentions marked: ``[Mara]0 sold [her]0 ferry``. With ``--use-dataset-reader`` a document's answer
    is that of its words by sentence, with its id as ``document`` and its ``part``.
    """

    @overrides
    def dump_line(self, outputs: JsonDict) -> str:
        """The answer in JSON."""
        return super().dump_line(_answer(outputs))

    @overrides
    def predict_json(self, inputs: JsonDict) -> JsonDict:
        """The answer to one request."""
        return _located(super().predict_json(inputs), *_read(inputs))

    @overrides
    def predict_batch_json(self, inputs: list[JsonDict]) -> list[JsonDict]:
        """The answers to several requests."""
        answers = super().predict_batch_json(inputs)
        return [_located(answer, *_read(request)) for request, answer in zip(inputs, answers, strict=True)]

    @overrides
    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        if unknown := ", ".join(f'"{key}"' for key in json_dict if key not in _KEYS):
            raise InputError(f"a request is {_EXPECTED}, with speakers and genre if wanted; found {unknown}.")
        text, places = _read(json_dict)
        words = [[text[start:end] for start, end in sentence] for sentence in places]
        speakers = json_dict.get("speakers")
        if speakers is not None:
            if not isinstance(speakers, list) or not all(isinstance(name, str) for name in speakers):
                raise InputError('"speakers" must be a list of names, one for each sentence.')
            if len(speakers) != len(words):
                raise InputError(f'"speakers" has {len(speakers)} names, but there are {len(words)} sentences.')
            speakers = [[name] * len(sentence) for name, sentence in zip(speakers, words, strict=True)]
        genre = json_dict.get("genre", "")
        if not isinstance(genre, str):
            raise InputError(f'"genre" must be a text, found {type(genre).__name__}.')
        return self._dataset_reader.text_to_instance(words, speakers, genre)

    @overrides(check_signature=False)
    def predictions_to_labeled_instances(self, instance: Instance, outputs: dict[str, Any]) -> list[Instance]:
        """The document with the clusters found as its gold ones, for AllenNLP's interpreters."""
        clusters = [[Mention(*mention) for mention in cluster] for cluster in outputs["clusters"]]
        labeled = self._dataset_reader.text_to_instance(
            outputs["words"], outputs["speakers"], instance["genre"].label, clusters, outputs["document"]
        )
        self._dataset_reader.apply_token_indexers(labeled)
        return [labeled]


@Predictor.register("paper_coref_brackets")
class BracketsPredictor(CorefPredictor):
    """
    As ``paper_coref``, but the answer is printed as the text with its mentions marked.

    In colours on a terminal, unless the environment has ``NO_COLOR`` (https://no-color.org).
    """

    @overrides
    def dump_line(self, outputs: JsonDict) -> str:
        """The answer as text."""
        outputs = _answer(outputs)
        clusters = [[(one["start_character"], one["end_character"]) for one in some] for some in outputs["clusters"]]
        return bracketed(outputs["text"], clusters, colours.wanted()) + "\n"


def _read(request: JsonDict) -> tuple[str, Places]:
    """The text of a request, and where its words stand in it."""
    if "sentences" in request:
        return _joined(request["sentences"])
    if "document" not in request:
        found = ", ".join(f'"{key}"' for key in request) or "an empty object"
        raise InputError(f"expected {_EXPECTED}, found {found}.")
    text = request["document"]
    if not isinstance(text, str):
        raise InputError(f'"document" must be a text, found {type(text).__name__}.')
    places: Places = []
    for first, last in PunktSentenceTokenizer().span_tokenize(text):
        spans = TreebankWordTokenizer().span_tokenize(text[first:last])
        places.append([(first + start, first + end) for start, end in spans])
    return text, [sentence for sentence in places if sentence]


def _joined(sentences: Any) -> tuple[str, Places]:
    if not isinstance(sentences, list) or not all(isinstance(sentence, list) and sentence for sentence in sentences):
        raise InputError('"sentences" must be a list of sentences, each a list of one or more words.')
    lines: list[str] = []
    places: Places = []
    start = 0
    for sentence in sentences:
        if not all(isinstance(word, str) and word for word in sentence):
            raise InputError('"sentences" must hold lists of words, each a non-empty string.')
        places.append([])
        for word in sentence:
            places[-1].append((start, start + len(word)))
            start += len(word) + 1
        lines.append(" ".join(sentence))
    return "\n".join(lines), places


def _answer(outputs: JsonDict) -> JsonDict:
    """The answer to a request, or one made of the model's own for a document of the dataset reader."""
    if "text" in outputs:
        return outputs
    names = {key: outputs[key] for key in ("document", "part")}
    return names | _located(outputs, *_joined(outputs["words"]))


def _located(answer: JsonDict, text: str, places: Places) -> JsonDict:
    clusters = [[_placed(text, places, *mention) for mention in cluster] for cluster in answer["clusters"]]
    marks = [[(one["start_character"], one["end_character"]) for one in cluster] for cluster in clusters]
    kept = {key: value for key, value in answer.items() if key not in _NOT_TOLD}
    return {"text": text, **kept, "clusters": clusters, "bracketed": bracketed(text, marks)}


def _placed(text: str, places: Sequence[Sequence[tuple[int, int]]], sentence: int, start: int, end: int) -> JsonDict:
    characters = places[sentence][start][0], places[sentence][end - 1][1]
    return {
        "text": text[slice(*characters)],
        "sentence": sentence,
        "start": start,
        "end": end,
        "start_character": characters[0],
        "end_character": characters[1],
    }
