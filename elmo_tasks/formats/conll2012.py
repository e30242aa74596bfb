"""
The files of CoNLL-2012 (OntoNotes): documents with parts of speech, parse, predicates, speakers, names, coreference.

A document stands between ``#begin document (ID); part NNN`` and ``#end document``. Its sentences are rows, one a token,
with a blank line behind each. The columns, with blanks between them: document, part, number of the word, word, part of
speech, parse bit, predicate lemma, frameset, word sense, speaker, named entity; then one column for each predicate, in
their order; last coreference. A row is a predicate's if it has a frameset: a lemma alone goes with a word sense.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from elmo_tasks.errors import InputError
from elmo_tasks.formats.brackets import check_nested, decode_flat, decode_mentions, encode_mentions
from elmo_tasks.formats.files import open_to_write, read_lines
from elmo_tasks.formats.tags import Span, TagError

logger = logging.getLogger(__name__)

NOTHING = "-"
"""What stands in a column where there is no lemma, frameset, sense, speaker or mention."""
SUFFIXES = ("gold_conll", "gold_conll.gz", "gold_conll.xz")
"""How the names of such files end."""
VERB = "V"
"""The label of the span that is the predicate itself."""

_SPACE = " \t\r"
_BLANKS = re.compile(r"[ \t]+")
_BEGIN = re.compile(r"#begin document \((?P<id>[^()]*)\);[ \t]*part[ \t]+(?P<part>[0-9]{1,9})")
_END = "#end document"
_EXPECTED = f"'#begin document (ID); part 000' and later '{_END}'"

_DOCUMENT, _PART, _NUMBER, _WORD, _POS, _PARSE, _LEMMA, _FRAMESET, _SENSE, _SPEAKER, _ENTITY = range(11)
_FIRST_PREDICATE = 11
# All of the above and coreference.
_MIN_COLUMNS = 12

_Decoded = TypeVar("_Decoded")


@dataclass(frozen=True, slots=True)
class Proposition:
    """
    A predicate with its arguments.

    Parameters
    ----------
    predicate : the row with lemma and frameset. The span of the verb can begin before it and even lie elsewhere.
    lemma, frameset : as they stand there, ``kill`` and ``01``.
    arguments : their spans in order, one :data:`VERB` among them at most; labels with their ``C-`` and ``R-``.
    """

    predicate: int
    lemma: str
    frameset: str
    arguments: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """
    A sentence, column by column.

    Parameters
    ----------
    line : of its first row in the file, from 1.
    words, pos, parse, lemmas, framesets, senses, speakers : one cell a token, as it stands in the file.
    entities : named entities, in order.
    propositions : one for each predicate, in order of their rows.
    without_verb : those whose column has no :data:`VERB`, which are not among the former.
    mentions : of coreference, each labelled with the number of its cluster, in order of start and end.
    """

    line: int
    words: tuple[str, ...]
    pos: tuple[str, ...]
    parse: tuple[str, ...]
    lemmas: tuple[str, ...]
    framesets: tuple[str, ...]
    senses: tuple[str, ...]
    speakers: tuple[str, ...]
    entities: tuple[Span, ...]
    propositions: tuple[Proposition, ...]
    without_verb: tuple[Proposition, ...]
    mentions: tuple[Span, ...]


class Mention(NamedTuple):
    """Tokens ``start`` to ``end``, the latter excluded, of a document's sentence, all three from 0."""

    sentence: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """
    A document, or a part of one.

    Parameters
    ----------
    id, part : as ``#begin document`` has them.
    sentences : in order; a document may have none.
    lines : the text it was read from, blank lines around it included, each without its line feed.
    line : of the first of these lines in the file, from 1.
    file : that it was read from.
    """

    id: str
    part: int
    sentences: tuple[Sentence, ...]
    lines: tuple[str, ...]
    line: int
    file: str = field(compare=False)

    def clusters(self) -> dict[str, list[Mention]]:
        """The mentions of each cluster by its number; clusters and mentions in order of sentence, start and end."""
        clusters: dict[str, list[Mention]] = {}
        for number, sentence in enumerate(self.sentences):
            for cluster, start, end in sentence.mentions:
                clusters.setdefault(cluster, []).append(Mention(number, start, end))
        return clusters

    def with_clusters(self, clusters: Mapping[str, Iterable[Mention]]) -> "Document":
        """
        The same document with other coreference; the spacing of its rows stays.

        Parameters
        ----------
        clusters : mentions by the cluster's number, ``{"0": [Mention(0, 3, 5), ...]}``.

        Raises
        ------
        ValueError
            If a mention leaves its sentence, two of one cluster cross, or a cluster's name is no number.
        """
        spans: list[list[Span]] = [[] for _ in self.sentences]
        for cluster, mentions in clusters.items():
            for mention in mentions:
                spans[mention.sentence].append(Span(cluster, mention.start, mention.end))
        lines, sentences = list(self.lines), []
        for sentence, found in zip(self.sentences, spans, strict=True):
            cells = encode_mentions(found, len(sentence.words))
            for row, cell in enumerate(cells, start=sentence.line - self.line):
                lines[row] = _with_last_cell(lines[row], cell)
            sentences.append(replace(sentence, mentions=tuple(decode_mentions(cells))))
        return replace(self, sentences=tuple(sentences), lines=tuple(lines))


def read_documents(path: str | Path) -> Iterator[Document]:
    """
    The documents of a file, plain, .gz or .xz, or of a folder.

    Of a folder and the folders in it all files are read whose names end in ``gold_conll``, ``gold_conll.gz`` or
    ``gold_conll.xz``, in sorted order; how many others there are is logged.

    Raises
    ------
    InputError
        With file and line, for everything that is not in the format: brackets of any column that do not match, a
        mention that leaves its sentence, a predicate's column with two :data:`VERB`, a row of another number of
        columns, a blank line that is missing, more or fewer predicates than columns for them, a document that has no
        end or stands twice, bytes that are not UTF-8, damaged compression; a file or folder without any document.
    """
    seen: dict[tuple[str, int], str] = {}
    for file in column_files(path):
        for line, lines in _split(file):
            document = _document(file, line, lines)
            where = seen.setdefault((document.id, document.part), f"{file}:{line}")
            if where != f"{file}:{line}":
                raise InputError(
                    f"{file}:{line}: document ({document.id}), part {document.part} was read from {where} already; "
                    "remove one of the two."
                )
            yield document


def plain_document(
    name: str, part: int, sentences: Sequence[Sequence[str]], speakers: Sequence[Sequence[str]]
) -> Document:
    """
    A document of words and speakers alone; with its clusters it is what a system hands to the official scorer.

    Parameters
    ----------
    name, part : as ``#begin document`` will have them.
    sentences, speakers : words of each sentence, and who says each.

    Raises
    ------
    InputError
        If a word, a speaker or the name is empty or has a blank in it, which the columns cannot hold.
    """
    lines = [f"#begin document ({name}); part {part:03}"]
    for words, names in zip(sentences, speakers, strict=True):
        for number, (word, speaker) in enumerate(zip(words, names, strict=True)):
            cells = [name, str(part), str(number), word, "XX", "*", NOTHING, NOTHING, NOTHING, speaker, "*", NOTHING]
            bad = [cell for cell in cells if not cell or _BLANKS.search(cell) or "\n" in cell]
            if bad:
                raise InputError(
                    f"{bad[0]!r} of document {name!r} cannot stand in a column: it is empty or has a blank."
                )
            lines.append(" ".join(cells))
        lines.append("")
    lines.append(_END)
    return _document(Path(name), 1, lines)


def write_documents(path: str | Path, documents: Iterable[Document]) -> None:
    """Write documents; what :func:`read_documents` read comes out byte for byte (with a line feed at the end)."""
    with open_to_write(path) as handle:
        for document in documents:
            handle.writelines(f"{line}\n" for line in document.lines)


def column_files(path: str | Path) -> list[Path]:
    """
    The file, or the files of a folder that are read, in their order.

    Raises
    ------
    InputError
        If there is none in the folder.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file())
    found = [file for file in files if file.name.endswith(SUFFIXES)]
    if not found:
        raise InputError(f"{path}: no file of this folder has a name that ends in {', '.join(SUFFIXES)}.")
    if len(found) < len(files):
        other = next(file for file in files if file not in found)
        logger.info("%s: %d files are not read for their names, the first is %s", path, len(files) - len(found), other)
    return found


def _split(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of each document with the number of the first; blank lines between two belong to the first of them."""
    lines: list[str] = []
    begin = end = number = 0
    for number, line in read_lines(file):
        if line.startswith("#begin document"):
            if begin > end:
                raise InputError(
                    f"{file}:{number}: a document begins, but that of line {begin} has no '{_END}' before it."
                )
            if begin:
                yield number - len(lines), lines
                lines = []
            begin = number
        elif line.startswith(_END):
            if begin <= end:
                raise InputError(f"{file}:{number}: a document ends, but none has begun.")
            end = number
        elif begin <= end and line.strip(_SPACE):
            raise InputError(f"{file}:{number}: found {line[:60]!r} outside of documents, expected {_EXPECTED}.")
        lines.append(line)
    if begin > end:
        raise InputError(f"{file}:{begin}: this document has no end; expected '{_END}' at the latest in line {number}.")
    if not begin:
        raise InputError(f"{file}: no document in this file, expected {_EXPECTED}.")
    yield number + 1 - len(lines), lines


def _document(file: Path, line: int, lines: list[str]) -> Document:
    name, part = "", 0
    sentences = []
    rows: list[str] = []
    for number, text in enumerate(lines, start=line):
        if text.startswith("#begin"):
            begin = _BEGIN.fullmatch(text.rstrip(_SPACE))
            if not begin:
                raise InputError(f"{file}:{number}: found {text[:80]!r}, expected {_EXPECTED}.")
            name, part = begin["id"], int(begin["part"])
        elif text.startswith(_END) or not text.strip(_SPACE):
            if rows:
                sentences.append(_sentence(rows, file, number - len(rows), name, part))
            rows = []
        else:
            rows.append(text)
    return Document(name, part, tuple(sentences), tuple(lines), line, str(file))


def _sentence(rows: list[str], file: Path, line: int, name: str, part: int) -> Sentence:
    columns = _columns(rows, file, line, name, part)

    def decoded(column: int, what: str, decode: Callable[[Sequence[str]], _Decoded]) -> _Decoded:
        try:
            return decode(columns[column])
        except TagError as error:
            raise InputError(f"{file}:{line + error.position}: column {column + 1} ({what}): {error}.") from None

    decoded(_PARSE, "parse", check_nested)
    predicates = [row for row, frameset in enumerate(columns[_FRAMESET]) if frameset != NOTHING]
    _check_predicates(predicates, columns, file, line)
    propositions: list[Proposition] = []
    without_verb: list[Proposition] = []
    for column, predicate in enumerate(predicates, start=_FIRST_PREDICATE):
        lemma = columns[_LEMMA][predicate]
        what = f"predicate {lemma!r} of word {predicate}"
        arguments = decoded(column, what, decode_flat)
        verbs = [argument for argument in arguments if argument.label == VERB]
        if len(verbs) > 1:
            raise InputError(
                f"{file}:{line + verbs[1].start}: column {column + 1} ({what}): found {len(verbs)} spans of {VERB!r}, "
                "expected exactly one."
            )
        proposition = Proposition(predicate, lemma, columns[_FRAMESET][predicate], tuple(arguments))
        (propositions if verbs else without_verb).append(proposition)
    return Sentence(
        line,
        words=columns[_WORD],
        pos=columns[_POS],
        parse=columns[_PARSE],
        lemmas=columns[_LEMMA],
        framesets=columns[_FRAMESET],
        senses=columns[_SENSE],
        speakers=columns[_SPEAKER],
        entities=tuple(decoded(_ENTITY, "named entity", decode_flat)),
        propositions=tuple(propositions),
        without_verb=tuple(without_verb),
        mentions=tuple(decoded(len(columns) - 1, "coreference", decode_mentions)),
    )


def _columns(rows: list[str], file: Path, line: int, name: str, part: int) -> list[tuple[str, ...]]:
    """The cells of rows, column by column; document, part and number of the word are checked."""
    table: list[list[str]] = []
    for number, text in enumerate(rows):
        where = f"{file}:{line + number}"
        cells = _BLANKS.split(text.strip(_SPACE))
        if len(cells) < _MIN_COLUMNS:
            raise InputError(f"{where}: found {len(cells)} columns ({text[:60]!r}), expected {_MIN_COLUMNS} or more.")
        if number and cells[_NUMBER] == "0":
            raise InputError(
                f"{where}: the words are numbered from 0 again, expected {number}; is a blank line missing here?"
            )
        if table and len(cells) != len(table[0]):
            raise InputError(
                f"{where}: found {len(cells)} columns, expected {len(table[0])} as in the sentence's first line {line}."
            )
        if cells[_NUMBER] != str(number):
            raise InputError(f"{where}: the number of the word is {cells[_NUMBER]!r}, expected {number}.")
        if cells[_DOCUMENT] != name or cells[_PART].zfill(9) != f"{part:09}":
            raise InputError(
                f"{where}: found document {cells[_DOCUMENT]!r}, part {cells[_PART]!r}, expected {name!r}, part {part}."
            )
        table.append(cells)
    return list(zip(*table, strict=True))


def _check_predicates(predicates: list[int], columns: list[tuple[str, ...]], file: Path, line: int) -> None:
    num_columns = len(columns) - _MIN_COLUMNS
    # The format's own description has one empty column where a sentence has no predicate.
    empty = not predicates and num_columns == 1 and set(columns[_FIRST_PREDICATE]) == {"*"}
    if num_columns != len(predicates) and not empty:
        raise InputError(
            f"{file}:{line}: this sentence has {num_columns} columns of arguments for {len(predicates)} predicates "
            f"(rows with a frameset in column {_FRAMESET + 1}), expected one for each."
        )
    for predicate in predicates:
        if columns[_LEMMA][predicate] == NOTHING:
            raise InputError(
                f"{file}:{line + predicate}: column {_LEMMA + 1} has no lemma, expected that of frameset "
                f"{columns[_FRAMESET][predicate]!r}."
            )


def _with_last_cell(row: str, cell: str) -> str:
    text = row.rstrip(_SPACE)
    begin = max(text.rfind(" "), text.rfind("\t")) + 1
    return text[:begin] + cell + row[len(text) :]
