"""The files of predicates and their arguments of CoNLL-2005, which `srl-eval.pl` and ``score srl`` read."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from elmo_tasks.formats.brackets import encode_flat
from elmo_tasks.formats.conll2012 import NOTHING, Proposition, Sentence, read_documents
from elmo_tasks.formats.files import open_to_write


def write_props(path: str | Path, sentences: Iterable[tuple[int, Sequence[Proposition]]]) -> None:
    """
    Write the lines of :func:`props_lines`.

    Parameters
    ----------
    sentences : number of tokens and propositions of each; gold and predicted files need the same ones.

    Raises
    ------
    ValueError
        If arguments of a proposition overlap or leave the sentence, or two propositions have one row.
    """
    with open_to_write(path) as handle:
        handle.writelines(props_lines(sentences))


def props_lines(sentences: Iterable[tuple[int, Sequence[Proposition]]]) -> Iterator[str]:
    """
    A row a token, with a blank line behind each sentence; with line feeds.

    The first column has the lemma of each predicate, then comes a column of brackets for each, in order of their rows.

    Parameters
    ----------
    sentences : number of tokens and propositions of each.

    Raises
    ------
    ValueError
        If arguments of a proposition overlap or leave the sentence, or two propositions have one row.
    """
    for num_tokens, propositions in sentences:
        columns = _columns(num_tokens, propositions)
        widths = [max(map(len, column)) for column in columns]
        for row in zip(*columns, strict=True):
            cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            yield "  ".join(cells).rstrip() + "\n"
        yield "\n"


def gold_propositions(path: str | Path) -> Iterator[tuple[int, Sequence[Proposition]]]:
    """
    Number of tokens and propositions of every sentence of a file or folder in CoNLL-2012's columns.

    Those without a verb are among them: srl-eval.pl counts their arguments too.

    Raises
    ------
    InputError
        As :func:`~elmo_tasks.formats.conll2012.read_documents` does.
    """
    for document in read_documents(path):
        for sentence in document.sentences:
            yield _gold(sentence)


def gold_lines(path: str | Path) -> Iterator[tuple[str, str]]:
    """
    The lines that :func:`props_lines` makes of :func:`gold_propositions`, each with its place, ``FILE:LINE``.

    Raises
    ------
    InputError
        As :func:`~elmo_tasks.formats.conll2012.read_documents` does.
    """
    for document in read_documents(path):
        for sentence in document.sentences:
            for line, row in enumerate(props_lines([_gold(sentence)]), start=sentence.line):
                yield f"{document.file}:{line}", row


def _gold(sentence: Sentence) -> tuple[int, Sequence[Proposition]]:
    return len(sentence.words), sentence.propositions + sentence.without_verb


def _columns(num_tokens: int, propositions: Sequence[Proposition]) -> list[list[str]]:
    lemmas = [NOTHING] * num_tokens
    columns = [lemmas]
    for proposition in sorted(propositions, key=lambda proposition: proposition.predicate):
        if lemmas[proposition.predicate] != NOTHING:
            raise ValueError(f"two predicates in row {proposition.predicate}: {proposition.lemma!r} is the second")
        lemmas[proposition.predicate] = proposition.lemma
        columns.append(encode_flat(proposition.arguments, num_tokens))
    return columns
