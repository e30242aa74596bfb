"""SQuAD's tokenisation: what the paper's program splits, and places that hold for any text and any tokenizer."""

import pytest
from allennlp.data import Token
from allennlp.data.tokenizers import LettersDigitsTokenizer, WhitespaceTokenizer
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.tasks.squad.tokens import SquadTokenizer, places, with_places

TEXTS = (
    st.text(st.sampled_from("aB1.,'\"`()[]-–—−/~_$£%&:;?!é湖\u2019\u201d\u201c\u00a0\u200b \n\t"), max_size=40)
    | st.text()
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # the treebank's rules
        ("He can't pay $5, or 1,000.50%.", "He ca n ' t pay $ 5 , or 1,000.50 % ."),
        ("(Mr Vale's) e-mail: a/b~c", "( Mr Vale ' s ) e - mail : a / b ~ c"),
        # full stops: after an abbreviation too, not after an initial or within a number
        ("It is 3 p.m. now. Then J. Lee left, 1.5 hours on.", "It is 3 p.m . now . Then J. Lee left , 1.5 hours on ."),
        # separators of any kind
        ("5£6€7¥8¢9₹10", "5 £ 6 € 7 ¥ 8 ¢ 9 ₹ 10"),
        ("1903–04 and 5°", "1903 – 04 and 5 °"),
        ("\u2018a\u2019 \u201db\u201d", "\u2018 a \u2019 \u201d b \u201d"),
        # an underscore between two others
        ("a_b _c d_ e__f", "a _ b _c d_ e__f"),
        # one word
        ("湖は冬に凍る。", "湖は冬に凍る。"),
    ],
)
def test_words_and_separators(text: str, tokens: str) -> None:
    assert [token.text for token in SquadTokenizer().tokenize(text)] == tokens.split(" ")


def test_quotes_and_dashes_are_cleaned_once_their_places_are_known() -> None:
    text = "\"It\" is ``so'' \u22125 a\u2014b"
    tokens = SquadTokenizer().tokenize(text)
    assert [token.text for token in tokens] == ['"', "It", '"', "is", '"', "so", '"', "-", "5", "a", "\u2013", "b"]
    surfaces = [text[token.idx : token.idx_end] for token in tokens]
    assert surfaces == ['"', "It", '"', "is", "``", "so", "''", "\u2212", "5", "a", "\u2014", "b"]


def test_a_question_is_one_sentence() -> None:
    text = "Who came. Before Tom."
    assert [token.text for token in SquadTokenizer().tokenize(text)] == ["Who", "came", ".", "Before", "Tom", "."]
    one = SquadTokenizer(split_sentences=False).tokenize(text)
    assert [token.text for token in one] == ["Who", "came.", "Before", "Tom", "."]


@given(TEXTS)
@example("''\"''`` \"''")
@example("'''\"\"\"")
@example("a. " * 200 + "x" * 5000)
def test_tokens_of_any_text_are_its_parts(text: str) -> None:
    for sentences in (True, False):
        tokens = SquadTokenizer(sentences).tokenize(text)
        assert "".join(text[token.idx : token.idx_end] for token in tokens) == "".join(text.split())
        assert all(token.idx < token.idx_end for token in tokens)
        assert not any(character.isspace() for token in tokens for character in token.text)


@given(TEXTS)
def test_places_of_another_tokenizers_tokens(text: str) -> None:
    for tokenizer in (WhitespaceTokenizer(), LettersDigitsTokenizer()):
        tokens = with_places(text, tokenizer.tokenize(text))
        assert [text[token.idx : token.idx_end] for token in tokens] == [token.text for token in tokens]


def test_words_are_found_from_left_to_right() -> None:
    assert list(places("a b a", ["a", "b", "a"])) == [(0, 1), (2, 3), (4, 5)]
    assert list(places("say “a”", ["say", "a"])) == [(0, 3), (5, 6)]
    sentence = "the tokenizer gives 'A', which does not stand in the text; for SQuAD it has to leave the text as it is"
    with pytest.raises(InputError, match=sentence):
        with_places("a", [Token("A")])
