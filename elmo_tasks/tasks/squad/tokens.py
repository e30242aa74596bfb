"""Tokens with their places in the text they come from: the tokenisation of the paper's program, and any other."""

import re
from collections.abc import Iterable, Iterator

from allennlp.data import Token, Tokenizer
from nltk.tokenize import TreebankWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer
from overrides import overrides

from elmo_tasks.errors import InputError

# Further splits behind the treebank's, each separator a token of its own (docs/squad.md). U+D01C is a slip of the
# original for U+201C, and stays: what is compared with is that program.
_SEPARATORS = "-£€¥¢₹\u2212\u2014\u2013/~\"'\ud01c\u2019\u201d\u2018\u00b0"
_SPLIT = re.compile(f"``|''|[{re.escape(_SEPARATORS)}]|(?<=[^_])_(?=[^_])")
# What a token is turned into once its place is known.
_CLEANED = {"``": '"', "''": '"', "\u2212": "-", "\u2014": "\u2013"}
# A text's double quotes, which the treebank's rules rewrite into one another.
_QUOTES = ('"', "``", "''")


@Tokenizer.register("squad")
class SquadTokenizer(Tokenizer):
    """
    The tokens of the paper's SQuAD program (docs/squad.md): sentences, words by the treebank's rules, further splits at
    dashes, quotes, slashes, currency signs and the like, and a clean-up of quotes and dashes.

    ``idx`` and ``idx_end`` of a token are its characters in the text; ``text`` is these characters after the clean-up.
    Together the tokens hold every character of the text that is not white space.

    Sentences are found by nltk's Punkt without its trained parameters, which would have to be downloaded. It matters
    for full stops alone, which the treebank's rules split off at the end of a sentence.

    Parameters
    ----------
    split_sentences
        ``False`` takes a text for one sentence, as questions are.
    """

    def __init__(self, split_sentences: bool = True) -> None:
        self._sentences = PunktSentenceTokenizer() if split_sentences else None
        self._words = TreebankWordTokenizer()

    @overrides
    def tokenize(self, text: str) -> list[Token]:
        """The tokens of a text."""
        sentences = [(0, len(text))] if self._sentences is None else self._sentences.span_tokenize(text)
        tokens = []
        for first, last in sentences:
            for start, end in places(text, self._words.tokenize(text[first:last]), first):
                for part_start, part_end in _parts(text[start:end]):
                    part = text[start + part_start : start + part_end]
                    tokens.append(Token(_CLEANED.get(part, part), idx=start + part_start, idx_end=start + part_end))
        return tokens


def with_places(text: str, tokens: Iterable[Token]) -> list[Token]:
    """
    Tokens of any tokenizer with ``idx`` and ``idx_end``, found in the text where the tokenizer gives none.

    Raises
    ------
    InputError
        If a token does not stand in the text.
    """
    tokens = list(tokens)
    if any(token.idx is None for token in tokens):
        spans = list(places(text, [token.ensure_text() for token in tokens]))
    else:
        spans = [(token.idx, token.idx_end or token.idx + len(token.ensure_text())) for token in tokens]
    return [
        Token(token.ensure_text(), idx=start, idx_end=end) for token, (start, end) in zip(tokens, spans, strict=True)
    ]


def places(text: str, words: Iterable[str], start: int = 0) -> Iterator[tuple[int, int]]:
    """
    First character and end of each of a text's words, looked for from left to right.

    Double quotes may have been rewritten as the treebank does.

    Raises
    ------
    InputError
        If a word does not stand in the text behind the ones before it.
    """
    for word in words:
        while start < len(text) and text[start].isspace():
            start += 1
        forms = (word, *_QUOTES) if word in _QUOTES else (word,)
        form = next((form for form in forms if text.startswith(form, start)), None)
        if form is None:
            form, start = word, text.find(word, start)
        if start < 0:
            raise InputError(
                f"the tokenizer gives {word!r}, which does not stand in the text; for SQuAD it has to leave the text "
                "as it is, because answers are parts of it."
            )
        yield start, start + len(form)
        start += len(form)


def _parts(word: str) -> Iterator[tuple[int, int]]:
    """First character and end of a word's separators and of what lies between them."""
    start = 0
    for separator in _SPLIT.finditer(word):
        if start < separator.start():
            yield start, separator.start()
        yield separator.span()
        start = separator.end()
    if start < len(word):
        yield start, len(word)
