"""A rule that guesses which words are verbs, for predictions on text without parts of speech."""

from collections.abc import Sequence
from itertools import pairwise

RULE = (
    "words that are a frequent form of be, have, do or another verb, or end in -ed, -ing, -ise, -ize, -ify or their -s "
    "forms, not behind a, an, the, my, your, his, its, our or their"
)
"""What the rule does, for who reads its answers."""

# Modal verbs are no predicates.
_IRREGULAR = """
    am is are was were be been being has have had having do does did doing done 'm 're 've
    beat became become becomes began begin begins begun bit bite bought break broke brought build builds built buy
    buys came catch caught choose chose chosen come comes cost cut deal dealt draw drew drink drive driven drove eat
    eaten fall fallen feel feels fell felt fight find finds flew fly forget forgot fought found gave get gets give
    given gives go goes gone got gotten grew grow grown hear heard hears held hide hit hold holds hung hurt keep keeps
    kept knew know known knows laid lay lead leave leaves led left lend lent let lets lie lose loses lost made make
    makes mean means meant meet meets met paid pay pays put ran read rise risen rose run runs said sang sat saw say
    says see seek seen sees sell sells send sends sent set shook shot show shown shows shut sing sings sit sits sleep
    slept sold sought speak spend spent spoke spoken spread stand stands steal stole stolen stood sung swam take taken
    takes taught teach tell tells think thinks thought threw throw thrown told took understand understood wake wear
    wears went win wins woke won wore worn write writes written wrote
"""
# Their forms in -ed and -ing have the endings below. Not "like", which is a preposition two times of three.
_REGULAR = """
    accept achieve act add agree allow announce answer appear apply appreciate argue arrive ask assume avoid believe
    belong call carry change check claim click close confirm consider contain continue cook create cry decide deliver
    depend describe destroy develop die discuss enjoy ensure enter exist expect explain explore fill fix follow guess
    handle happen hate help hope imagine improve include increase join jump kill laugh learn listen live look love
    manage marry mention move need obtain offer open own pass pick play prefer prepare prevent produce protect prove
    provide pull push raise reach receive recommend reduce refer remain remember remove replace represent require
    respond return save seem serve sign sound start stay stop suffer suggest support talk thank travel treat try turn
    use visit wait walk want watch wish wonder work worry
"""
_ENDINGS = ("ed", "ing", "ise", "ises", "ize", "izes", "ify", "ifies")
# Shorter words with such an ending are mostly none: red, bed, king, rise of the sun.
_MIN_LETTERS = 5
_NO_VERBS = frozenset(
    ["anything", "during", "evening", "everything", "meeting", "morning", "nothing", "something", "thanks", "thing"]
)
_BEFORE_NOUNS = frozenset(["a", "an", "the", "my", "your", "his", "its", "our", "their"])


def _third_person(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "ch", "sh")) else f"{verb}s"


_FORMS = frozenset(_IRREGULAR.split()).union(
    *((verb, _third_person(verb)) for verb in _REGULAR.split()), ("died", "likes", "used")
)


def guess_verbs(words: Sequence[str]) -> list[int]:
    """The places of the words that the rule takes for verbs, from 0."""
    lowered = ["", *(word.lower() for word in words)]
    return [
        place
        for place, (before, word) in enumerate(pairwise(lowered))
        if before not in _BEFORE_NOUNS
        and word not in _NO_VERBS
        and (word in _FORMS or (len(word) >= _MIN_LETTERS and word.isalpha() and word.endswith(_ENDINGS)))
    ]
