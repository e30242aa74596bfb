"""
Scores of phrases as `conlleval` computes and prints them (the script of CoNLL-2000 to 2003, version 2004-01-26).

A tag is a prefix and a type around the first hyphen. Where phrases start and end follows from two neighbouring tags
alone; the rules were made for BIO and an old bracket coding, so that `S` is no prefix and `B` behind `E` of the same
type starts nothing. Tags in BIOES are therefore converted to BIO before they are scored.

`PhraseScorer` counts sequences of tags, `score_lines` the rows of a file, `report` prints.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from elmo_tasks.errors import InputError
from elmo_tasks.scoring.latin1 import as_text, shown
from elmo_tasks.scoring.refusal import RefusalError

OUTSIDE = "O"
BOUNDARY_WORD = "-X-"
"""A row with this word ends a sentence, whatever its tags are, and is no token."""

# (prefix of one tag, prefix of the next): pairs that start or end a phrase even if both tags are of one type.
_STARTS = frozenset({"BB", "IB", "OB", "OI", "EI", "EE", "OE"})
_ENDS = frozenset({"BB", "IB", "BO", "IO", "EI", "EE", "EO"})
# Prefixes that a change of type leaves alone, and those of phrases that are one token long.
_NO_PHRASE = frozenset({OUTSIDE, "."})
_BRACKETS = frozenset({"[", "]"})
# More different pairs of tags than any tag set has; a bound for files that hold something else.
_CACHED = 1 << 14


@lru_cache(_CACHED)
def split_tag(tag: str) -> tuple[str, str]:
    """
    Prefix and type of a tag: `("B", "ORG-COM")` for `B-ORG-COM`; a tag without hyphen has the empty type.

    The type `0` is empty too, because it counts as no type in the script's language.
    """
    prefix, _, name = tag.partition("-")
    return prefix, "" if name == "0" else name


class Step(NamedTuple):
    """What happens between a tag and the next one of the same sequence."""

    ends: bool
    starts: bool


@lru_cache(_CACHED)
def step(previous: str, tag: str) -> Step:
    """Whether a phrase ends before `tag`, and whether one starts with it."""
    previous_prefix, previous_type = split_tag(previous)
    prefix, name = split_tag(tag)
    # Prefixes are joined only if both have one character: "B" and "O" are a pair, "" and "BO" are none.
    pair = previous_prefix + prefix if len(prefix) == 1 else ""
    changes = previous_type != name
    return Step(
        ends=pair in _ENDS or previous_prefix in _BRACKETS or (changes and previous_prefix not in _NO_PHRASE),
        starts=pair in _STARTS or prefix in _BRACKETS or (changes and prefix not in _NO_PHRASE),
    )


class Phrase(NamedTuple):
    """Tokens `start` to `end` (excluded) of a sentence, and their type."""

    type: str
    start: int
    end: int


def phrases(tags: Iterable[str]) -> list[Phrase]:
    """
    The phrases of one sentence, in order.

    As many as the script counts in it. If all tags are `O` or have a type and the prefix B, I or E, then the phrases
    that it counts as correct are those that gold and predicted tags have in common. (For other prefixes it can miss
    an end; such a phrase goes on to the next start here.)
    """
    found: list[Phrase] = []
    name, start = "", -1
    previous = OUTSIDE
    position = 0
    for position, tag in enumerate([*tags, OUTSIDE]):
        ends, starts = step(previous, tag)
        if start >= 0 and (ends or starts):
            found.append(Phrase(name, start, position))
            start = -1
        if starts:
            name, start = split_tag(tag)[1], position
        previous = tag
    if start >= 0:
        found.append(Phrase(name, start, position))
    return found


@dataclass(frozen=True, slots=True)
class PhraseCounts:
    """Numbers of phrases: in the gold tags, found in the predicted ones, and correct among those found."""

    gold: int = 0
    found: int = 0
    correct: int = 0

    @property
    def precision(self) -> float:
        """Percentage of the found phrases that are correct; 0 if none is found."""
        return 100 * self.correct / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Percentage of the gold phrases that are found; 0 if there is none."""
        return 100 * self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in percent; 0 if both are."""
        precision, recall = self.precision, self.recall
        return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


@dataclass(frozen=True, slots=True)
class PhraseScore:
    """
    The counts of a scored text.

    Parameters
    ----------
    tokens
        Number of tokens.
    correct_tokens
        Tokens whose predicted tag equals the gold one, prefix and type; those with two `O` are among them.
    overall
        Phrases of all types together.
    types
        Phrases of each type that is in the gold or in the predicted tags, sorted by type.
    """

    tokens: int
    correct_tokens: int
    overall: PhraseCounts
    types: dict[str, PhraseCounts]

    @property
    def accuracy(self) -> float:
        """Percentage of the tokens whose tag is correct; 0 without tokens."""
        return 100 * self.correct_tokens / self.tokens if self.tokens else 0.0


class PhraseScorer:
    """
    Counts sentence after sentence; `score` may be asked for at any time.

    A phrase is correct if it starts and ends at the same tokens in gold and predicted tags and has the same type.
    """

    def __init__(self) -> None:
        self._tokens = 0
        self._correct_tokens = 0
        self._gold_phrases: Counter[str] = Counter()
        self._found_phrases: Counter[str] = Counter()
        self._correct_phrases: Counter[str] = Counter()
        self._gold = OUTSIDE
        self._predicted = OUTSIDE
        # Whether gold and predicted tags agree on a phrase since its start, and both are still inside.
        self._agree = False

    def add_sentence(self, gold: Sequence[str], predicted: Sequence[str]) -> None:
        """
        Counts a sentence.

        Raises
        ------
        ValueError
            If the two are not of one length.
        """
        if len(gold) != len(predicted):
            raise ValueError(f"{len(gold)} gold tags and {len(predicted)} predicted ones, expected one pair a token")
        for gold_tag, predicted_tag in zip(gold, predicted, strict=True):
            self.add_token(gold_tag, predicted_tag)
        self.end_sentence()

    def add_token(self, gold: str, predicted: str) -> None:
        """Counts the next token of a sentence."""
        self._tokens += 1
        if gold == predicted or split_tag(gold) == split_tag(predicted):
            self._correct_tokens += 1
        self._go_to(gold, predicted)

    def end_sentence(self) -> None:
        """Closes what is open; the next token is the first of a sentence."""
        self._go_to(OUTSIDE, OUTSIDE)

    def score(self) -> PhraseScore:
        """The score of all that was counted so far; a sentence that is not ended counts as ending here."""
        gold, found, correct = self._gold_phrases, self._found_phrases, self._correct_phrases
        if self._agree:
            correct = correct + Counter([split_tag(self._gold)[1]])
        return PhraseScore(
            self._tokens,
            self._correct_tokens,
            PhraseCounts(gold.total(), found.total(), correct.total()),
            {name: PhraseCounts(gold[name], found[name], correct[name]) for name in sorted(gold.keys() | found.keys())},
        )

    def _go_to(self, gold: str, predicted: str) -> None:
        gold_ends, gold_starts = step(self._gold, gold)
        predicted_ends, predicted_starts = step(self._predicted, predicted)
        gold_type, predicted_type = split_tag(gold)[1], split_tag(predicted)[1]
        if self._agree:
            if gold_ends and predicted_ends:
                self._agree = False
                self._correct_phrases[split_tag(self._gold)[1]] += 1
            elif gold_ends or predicted_ends or gold_type != predicted_type:
                self._agree = False
        if gold_starts:
            self._gold_phrases[gold_type] += 1
        if predicted_starts:
            self._found_phrases[predicted_type] += 1
            if gold_starts and gold_type == predicted_type:
                self._agree = True
        self._gold, self._predicted = gold, predicted


def score_lines(
    lines: Iterable[tuple[int, bytes]], source: str = "standard input", raw: bool = False
) -> tuple[PhraseScore, list[str]]:
    """
    Scores a file of rows: word, further columns, gold tag, predicted tag, with one blank between them.

    An empty line ends a sentence, and so does a row whose word is `-X-`. Bytes are taken as Latin-1 characters, so
    that any encoding is read, and types are sorted and aligned by bytes as the script does it.

    Parameters
    ----------
    lines
        Pairs of line number and line.
    source
        What messages call the file.
    raw
        Tags are bare types, and each token that has one is a phrase of its own (the script's option `-r`).

    Returns
    -------
    score, warnings
        The second are sentences about tags that the script most likely counts otherwise than meant.

    Raises
    ------
    RefusalError
        Where the script refuses a line for its number of columns.
    InputError
        If there is no line at all.
    """
    scorer = PhraseScorer()
    first_lines: dict[str, int] = {}
    width = 0
    number = 0
    for number, line in lines:
        # Columns that are empty at the end of a line do not count in the script's language.
        text = line.decode("latin-1").removesuffix("\n").rstrip(" ")
        if not text:
            scorer.end_sentence()
            continue
        columns = text.split(" ")
        if len(columns) != width:
            if width:
                raise RefusalError(
                    f"{source}:{number}: unexpected number of features: {len(columns)} ({width}); {_remedy(text)}."
                )
            width = len(columns)
        if columns[0] == BOUNDARY_WORD:
            scorer.end_sentence()
            continue
        if width < 2:
            raise RefusalError(
                f"{source}:{number}: conlleval: unexpected number of features in line {shown(text)}; {_remedy(text)}."
            )
        gold, predicted = columns[-2:]
        first_lines.setdefault(gold, number)
        first_lines.setdefault(predicted, number)
        if raw:
            gold = OUTSIDE if gold == OUTSIDE else f"B-{gold}"
            predicted = OUTSIDE if predicted == OUTSIDE else f"B-{predicted}"
        scorer.add_token(gold, predicted)
    if number == 0:
        raise InputError(f"{source}: the file is empty, expected a token a line: word, gold tag, predicted tag.")
    return scorer.score(), list(_doubts(first_lines, source, raw))


def _remedy(text: str) -> str:
    if "\t" in text:
        return "columns are separated by one blank, but the line has a tab"
    if text.endswith("\r"):
        return "the line ends in a carriage return: convert the file to Unix line ends"
    if "  " in text:
        return "two blanks in a row make an empty column"
    return "every line needs as many columns as the first one, with one blank between them"


def _doubts(first_lines: dict[str, int], source: str, raw: bool) -> Iterator[str]:
    """One sentence for each kind of tag that one would not expect, with the first line that has one."""
    kinds: dict[str, tuple[int, str]] = {}
    for tag, number in first_lines.items():
        prefix, hyphen, _ = tag.partition("-")
        if tag.endswith("\r"):
            kind = "ends in a carriage return, which is part of it here; convert the file to Unix line ends"
        elif raw and hyphen and prefix in ("B", "I", "E", "S"):
            kind = "has a prefix, but -r takes all of it for a type"
        elif not raw and prefix in ("S", "E"):
            kind = "is not BIO: neighbouring phrases of one type can count as one phrase; convert the tags to BIO first"
        elif not raw and not hyphen and tag != OUTSIDE:
            kind = "has no type: if tags are bare types, score with -r"
        else:
            continue
        kinds.setdefault(kind, (number, tag))
    for kind, (number, tag) in kinds.items():
        yield f"{source}:{number}: tag {shown(tag)} {kind}."


def report(score: PhraseScore) -> str:
    """What the script prints, to the byte if its types came from `score_lines` (and are written as Latin-1)."""
    overall = score.overall
    pieces = [
        f"processed {score.tokens} tokens with {overall.gold} phrases; "
        f"found: {overall.found} phrases; correct: {overall.correct}.\n"
    ]
    if score.tokens:
        pieces.append(f"accuracy: {score.accuracy:6.2f}%; {_figures(overall)}\n")
    for name, counts in score.types.items():
        line = f"{name:>17}: {_figures(counts)}  {counts.found}\n"
        # The script takes an empty type that is in both, gold and predicted tags, for two types.
        pieces.append(line * 2 if not name and counts.gold and counts.found else line)
    return "".join(pieces)


def _figures(counts: PhraseCounts) -> str:
    return f"precision: {counts.precision:6.2f}%; recall: {counts.recall:6.2f}%; FB1: {counts.f1:6.2f}"


def to_dict(score: PhraseScore) -> dict[str, Any]:
    """
    The score as plain values for JSON; percentages are rounded to two digits, as `report` prints them.

    Keys are `tokens`, `correct_tokens`, `accuracy` and `all`, which has `gold`, `found`, `correct`, `precision`,
    `recall` and `f1`, and `types` with the same for each type.
    """
    return {
        "tokens": score.tokens,
        "correct_tokens": score.correct_tokens,
        "accuracy": round(score.accuracy, 2),
        "all": _values(score.overall),
        "types": {as_text(name): _values(counts) for name, counts in score.types.items()},
    }


def _values(counts: PhraseCounts) -> dict[str, float]:
    return {
        "gold": counts.gold,
        "found": counts.found,
        "correct": counts.correct,
        "precision": round(counts.precision, 2),
        "recall": round(counts.recall, 2),
        "f1": round(counts.f1, 2),
    }
