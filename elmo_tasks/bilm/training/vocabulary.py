"""The words a biLM predicts: a file of one word a line, the most frequent first."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from elmo_tasks.bilm.characters import BEGIN_SENTENCE, END_SENTENCE, UNKNOWN
from elmo_tasks.bilm.training.corpus import find_shards, numbered_lines, read_corpus
from elmo_tasks.bilm.training.progress import print_line
from elmo_tasks.bilm.writing import make_folder, written_aside
from elmo_tasks.errors import InputError

SPECIAL_WORDS = (BEGIN_SENTENCE, END_SENTENCE, UNKNOWN)

# bilm-tf skips such a line in its vocabulary files.
_IGNORED_LINE = "!!!MAXTERMID"


class Vocabulary:
    """
    Words and their ids; id 0, 1 and 2 are begin of sentence, end of sentence and unknown.

    The sampled softmax takes words from a log-uniform law over the ids, so they must stand in falling frequency.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self._ids = {word: number for number, word in enumerate(self.words)}
        self.begin_id, self.end_id, self.unknown_id = (self._ids[word] for word in SPECIAL_WORDS)

    def __len__(self) -> int:
        return len(self.words)

    def id(self, word: str) -> int:
        """The id of a word, or of ``<UNK>``."""
        return self._ids.get(word, self.unknown_id)

    @classmethod
    def from_file(cls, path: str | Path, max_size: int | None = None) -> "Vocabulary":
        """
        Read a vocabulary file, plain, ``.gz`` or ``.xz``; of a longer one the first ``max_size`` lines.

        Raises
        ------
        InputError
            With the line: the first three are not ``<S>``, ``</S>``, ``<UNK>``; a word is empty, comes twice or has a
            space within; or the file cannot be read.
        """
        words: list[str] = []
        seen: dict[str, int] = {}
        for number, line in numbered_lines(path):
            word = line.strip()
            if word == _IGNORED_LINE:
                continue
            if len(words) == max_size:
                break
            if len(words) < len(SPECIAL_WORDS) and word != SPECIAL_WORDS[len(words)]:
                raise InputError(
                    f"{path}:{number}: found {word!r}, expected {SPECIAL_WORDS[len(words)]}: a vocabulary begins with "
                    f"the lines {', '.join(SPECIAL_WORDS)}."
                )
            if not word:
                raise InputError(f"{path}:{number}: an empty line in the vocabulary; expected one word a line.")
            if len(word.split()) > 1:
                raise InputError(f"{path}:{number}: found {word!r}, expected one word without spaces, no counts.")
            if word in seen:
                raise InputError(f"{path}:{number}: the word {word!r} stands in line {seen[word]} already.")
            seen[word] = number
            words.append(word)
        if len(words) <= len(SPECIAL_WORDS):
            raise InputError(f"{path}: {len(words)} lines, expected {', '.join(SPECIAL_WORDS)} and at least one word.")
        return cls(words)

    @classmethod
    def from_counts(cls, counts: Counter[str], max_size: int | None = None, min_count: int = 1) -> "Vocabulary":
        """
        The words that come ``min_count`` times: by falling count, words of equal count by code points.

        Of more than ``max_size``, the three special words included, the last ones are left out.
        """
        return cls(_by_frequency(counts, max_size, min_count))

    def covered(self, counts: Counter[str]) -> float:
        """Share of the counted tokens that are not ``<UNK>``."""
        known = sum(count for word, count in counts.items() if self.id(word) != self.unknown_id)
        return known / counts.total()

    def write(self, path: str | Path) -> None:
        """Write one word a line, the file complete or not at all."""
        with written_aside(path) as aside:
            aside.write_text("".join(word + "\n" for word in self.words), encoding="utf-8", newline="\n")


def count_words(shards: Sequence[Path], say: Callable[[str], Any]) -> tuple[int, Counter[str]]:
    """Number of sentences, and how often each word comes; ``say`` as in :func:`read_corpus`."""
    counts: Counter[str] = Counter()
    sentences = 0
    for sentence in read_corpus(shards, say):
        sentences += 1
        counts.update(sentence)
    return sentences, counts


def write_vocabulary(
    patterns: Sequence[str | Path],
    path: str | Path,
    max_size: int | None = None,
    min_count: int = 1,
    say: Callable[[str], Any] = print_line,
) -> str:
    """
    Count a corpus and write its vocabulary; ``say`` as in :func:`read_corpus`.

    Returns
    -------
    A line that says how many tokens and words there are, how many words are kept, and how much of the text they cover.
    """
    path = Path(path)
    shards = find_shards(patterns)
    make_folder(path.parent)
    _, counts = count_words(shards, say)
    vocabulary = Vocabulary.from_counts(counts, max_size, min_count)
    if len(vocabulary) == len(SPECIAL_WORDS):
        raise InputError(
            f"{shards[0]}: no word of this corpus comes {min_count:,} times; lower the smallest count of a word."
        )
    vocabulary.write(path)
    return (
        f"{path}: {counts.total():,} tokens, {len(counts):,} distinct words; kept {len(vocabulary):,} with the three "
        f"special ones, which cover {100 * vocabulary.covered(counts):.2f} % of the tokens"
    )


def _by_frequency(counts: Counter[str], max_size: int | None, min_count: int) -> list[str]:
    # What is too rare goes first: of a large corpus that is most of the memory.
    kept = (item for item in counts.items() if item[1] >= min_count and item[0] not in SPECIAL_WORDS)
    words = [word for word, _ in sorted(kept, key=lambda item: (-item[1], item[0]))]
    room = len(words) if max_size is None else max_size - len(SPECIAL_WORDS)
    return [*SPECIAL_WORDS, *words[:room]]
