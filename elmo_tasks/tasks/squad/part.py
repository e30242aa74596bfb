"""Parts of a SQuAD file: some of its articles, some of their questions."""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elmo_tasks.errors import InputError
from elmo_tasks.formats.squad import Article, Paragraph, read_dataset

_KEYS = ("file", "articles", "questions", "seed")
_RANGE = re.compile(r"(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Part:
    """
    What is to be read of a file.

    A config gives a path for the whole file, or ``{ file: path, articles: '0:50', questions: '4000', seed: '13' }``;
    AllenNLP wants texts for all of it.

    Parameters
    ----------
    file
        the path.
    articles
        first article and end, counted from 0; ``None`` for all.
    questions
        how many of their questions, drawn without replacement; ``None`` for all.
    seed
        of that draw alone: the same file and numbers give the same questions in any program.
    """

    file: Path
    articles: tuple[int, int] | None = None
    questions: int | None = None
    seed: int = 0

    @classmethod
    def of(cls, source: Any) -> "Part":
        """
        From what a config gives.

        Raises
        ------
        InputError
            If it is neither a path nor such an object.
        """
        if not isinstance(source, Mapping):
            return cls(Path(source))
        if "file" not in source or set(source) - set(_KEYS):
            raise InputError(
                f"a part of a SQuAD file is an object with the keys {', '.join(_KEYS)} (file is needed), found "
                f"{', '.join(source) or 'an empty object'}."
            )
        articles = None
        if "articles" in source:
            found = _RANGE.fullmatch(str(source["articles"]))
            if found is None:
                raise InputError(f"articles is {source['articles']!r}, expected two numbers such as '0:50'.")
            articles = int(found[1]), int(found[2])
        questions = _number(source, "questions") if "questions" in source else None
        return cls(Path(source["file"]), articles, questions, _number(source, "seed") if "seed" in source else 0)

    def paragraphs(self, read_answers: bool = True) -> Iterator[Paragraph]:
        """
        The paragraphs with the questions that were chosen, in the order of the file.

        Parameters
        ----------
        read_answers
            as for :func:`~elmo_tasks.formats.squad.read_dataset`.

        Raises
        ------
        InputError
            If the file cannot be read, or has fewer articles or questions than asked for.
        """
        chosen = [paragraph for article in self._articles(read_answers) for paragraph in article.paragraphs]
        count = sum(len(paragraph.questions) for paragraph in chosen)
        drawn = range(count) if self.questions is None else self._draw(count)
        number = 0
        for paragraph in chosen:
            numbered = enumerate(paragraph.questions, start=number)
            number += len(paragraph.questions)
            if questions := tuple(question for place, question in numbered if place in drawn):
                yield Paragraph(paragraph.context, questions)

    def _articles(self, read_answers: bool) -> tuple[Article, ...]:
        articles = read_dataset(self.file, read_answers).articles
        if self.articles is None:
            return articles
        start, end = self.articles
        if not start < end <= len(articles):
            raise InputError(
                f"{self.file}: articles is '{start}:{end}', but the file has the {len(articles)} articles "
                f"'0:{len(articles)}'."
            )
        return articles[start:end]

    def _draw(self, count: int) -> frozenset[int]:
        assert self.questions is not None
        if not 0 < self.questions <= count:
            raise InputError(f"{self.file}: questions is '{self.questions}', but there are {count} to draw from.")
        return frozenset(random.Random(self.seed).sample(range(count), self.questions))


def _number(source: Mapping[str, Any], key: str) -> int:
    text = str(source[key])
    if not re.fullmatch(r"\d+", text, re.ASCII):
        raise InputError(f"{key} is {text!r}, expected a whole number such as '13'.")
    return int(text)
