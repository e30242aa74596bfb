"""A rule that guesses which words are verbs, for predictions on text without parts of speech."""

from collections.abc import Sequence
from itertools import pairwise

RULE = (
    "words that are a frequent form of an irregular or auxiliary verb, or end in -ed, -ing, -ise, -ize, -ify or their "
    "-s forms, not behind a, an or the"
)
"""What the rule does, for who reads its answers."""

_TEXT = """
    am is are was were be been being has have had having do does did doing done can could may might must shall should
    will would
    became become becomes began begin begins begun bought brought build builds built buy buys came catch caught choose
    chose chosen come comes cost cut drank drink drive driven drove eat eaten fall fallen fell felt find finds fought
    found gave get gets give given gives go goes gone got grew grow grown heard held hide hit hold holds hung hurt keep
    keeps kept knew know known knows laid lay lead leave leaves led left lend lent let lie lose loses lost made make
    makes meant meet meets met paid put ran read rise risen rose run runs said sang sat saw say says seek seen sell
    sells send sends sent shook shot show shown shows shut sing sings sleep slept sold sought speak spend spent spoke
    spoken spread stand stands steal stole stolen stood sung swam take taken takes taught teach tell tells think thinks
    thought threw throw thrown told took understand understood wake went win wins woke won wore worn write writes
    written wrote
"""
_FORMS = frozenset(_TEXT.split())
_ENDINGS = ("ed", "ing", "ise", "ises", "ize", "izes", "ify", "ifies")
# Shorter words with such an ending are mostly none: red, bed, king, rise of the sun.
_MIN_LETTERS = 5
_BEFORE_NOUNS = frozenset({"a", "an", "the"})


def guess_verbs(words: Sequence[str]) -> list[int]:
    """The places of the words that the rule takes for verbs, from 0."""
    lowered = ["", *(word.lower() for word in words)]
    return [
        place
        for place, (before, word) in enumerate(pairwise(lowered))
        if before not in _BEFORE_NOUNS
        and (word in _FORMS or (len(word) >= _MIN_LETTERS and word.isalpha() and word.endswith(_ENDINGS)))
    ]
