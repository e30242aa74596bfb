"""Reader of SQuAD 1.1's JSON files."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from allennlp.data import DatasetReader, Field, Instance, Token, TokenIndexer, Tokenizer
from allennlp.data.fields import ListField, MetadataField, SpanField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats.json_values import shown
from elmo_tasks.formats.squad import Answer
from elmo_tasks.tasks.squad.part import Part
from elmo_tasks.tasks.squad.tokens import SquadTokenizer, with_places

logger = logging.getLogger(__name__)


@DatasetReader.register("paper_squad")
class SquadReader(DatasetReader):
    """
    Reads questions on paragraphs, with answers that are parts of the paragraph (docs/squad.md).

    What is read is a file's path, or a part of a file (:class:`~elmo_tasks.tasks.squad.part.Part`).

    Fields of an instance: ``question`` and ``passage`` (TextField), ``spans`` (ListField of SpanField: the tokens of
    each gold answer, equal ones among them; absent where unknown) and ``metadata`` with ``id``, ``context``,
    ``question``, ``offsets`` (first character and end of each token of the passage) and ``answers`` (gold texts, where
    known).

    An answer is the tokens that share a character with it. Where these are more than the answer (it begins or ends
    within a token), no prediction of the model can be exactly right, but the tokens are what training asks for; such
    answers are counted and logged at the end. The questions of a paragraph share one text field.

    Parameters
    ----------
    tokenizer
        of passages and questions; without it that of the paper's program, ``squad``, with questions taken for one
        sentence. Any of AllenNLP's that leaves the text as it is will do.
    token_indexers
        AllenNLP's token indexers of both texts.
    read_labels
        ``False`` takes no notice of answers in a file, which may then be missing: its questions can be answered, and
        neither trained on nor evaluated.

    Raises
    ------
    InputError
        When reading, for what ``formats.squad.read_dataset`` and the part refuse, and with file and question for a text
        without a token and a tokenizer that changes it or leaves out an answer.
    """

    def __init__(
        self,
        tokenizer: Tokenizer | None = None,
        token_indexers: dict[str, TokenIndexer] | None = None,
        read_labels: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._read_labels = read_labels
        self._passage_tokenizer = tokenizer or SquadTokenizer()
        self._question_tokenizer = tokenizer or SquadTokenizer(split_sentences=False)
        self._token_indexers = token_indexers or {"tokens": SingleIdTokenIndexer()}

    @overrides
    def _read(self, file_path: Any) -> Iterator[Instance]:
        part = Part.of(file_path)
        num_paragraphs, num_questions = 0, 0
        inexact = _Inexact()
        for paragraph in part.paragraphs(self._read_labels):
            with _named(f"{part.file}: passage of question {shown(paragraph.questions[0].id)}"):
                passage = self._passage(paragraph.context)
            num_paragraphs += 1
            for question in paragraph.questions:
                num_questions += 1
                with _named(f"{part.file}: question {shown(question.id)}"):
                    for answer in question.answers:
                        inexact.check(question.id, answer, passage)
                    instance = self._instance(passage, question.text, question.answers, question.id)
                yield instance
        logger.info(
            "%s: %s questions on %s paragraphs; %s.", part.file, f"{num_questions:,}", f"{num_paragraphs:,}", inexact
        )

    @overrides(check_signature=False)
    def text_to_instance(
        self, question: str, passage: str, answers: Sequence[Answer] | None = None, question_id: str | None = None
    ) -> Instance:
        """
        Make an instance of one question.

        Parameters
        ----------
        question, passage
            the texts.
        answers
            gold answers; ``None`` where unknown.
        question_id
            what the official script knows it by.

        Raises
        ------
        InputError
            If a text has no word, or the tokenizer changes it.
        """
        return self._instance(self._passage(passage), question, answers, question_id)

    @overrides
    def apply_token_indexers(self, instance: Instance) -> None:
        """Give both texts their indexers."""
        for name in ("question", "passage"):
            text = instance[name]
            assert isinstance(text, TextField)
            text.token_indexers = self._token_indexers

    def _passage(self, context: str) -> "_Passage":
        tokens = _tokens(self._passage_tokenizer, context, "passage")
        return _Passage(context, TextField(tokens), [(token.idx, token.idx_end) for token in tokens])

    def _instance(
        self, passage: "_Passage", question: str, answers: Sequence[Answer] | None, question_id: str | None
    ) -> Instance:
        metadata: dict[str, Any] = {
            "id": question_id,
            "context": passage.context,
            "question": question,
            "offsets": passage.offsets,
        }
        fields: dict[str, Field] = {
            "question": TextField(_tokens(self._question_tokenizer, question, "question")),
            "passage": passage.field,
        }
        if answers:
            metadata["answers"] = [answer.text for answer in answers]
            fields["spans"] = ListField([SpanField(*passage.span(answer), passage.field) for answer in answers])
        fields["metadata"] = MetadataField(metadata)
        return Instance(fields)


@dataclass(frozen=True, slots=True)
class _Passage:
    context: str
    field: TextField
    offsets: list[tuple[int, int]]

    def span(self, answer: Answer) -> tuple[int, int]:
        """First and last of the tokens that share a character with an answer."""
        end = answer.start + len(answer.text)
        shared = [number for number, (first, last) in enumerate(self.offsets) if first < end and answer.start < last]
        if not shared:
            raise InputError(
                f"no token shares a character with the answer {shown(answer.text)} at {answer.start}; the tokenizer "
                "leaves out a part of the text."
            )
        return shared[0], shared[-1]

    def text(self, answer: Answer) -> str:
        """What its tokens say, as the context has it."""
        first, last = self.span(answer)
        return self.context[self.offsets[first][0] : self.offsets[last][1]]


@dataclass
class _Inexact:
    """How many answers there were, how many are no whole tokens, and the first of these."""

    count: int = 0
    inexact: int = 0
    first: str = ""

    def check(self, question_id: str, answer: Answer, passage: _Passage) -> None:
        self.count += 1
        text = passage.text(answer)
        if text != answer.text:
            self.inexact += 1
            self.first = self.first or f"{shown(answer.text)} of question {question_id} within {shown(text)}"

    def __str__(self) -> str:
        if not self.count:
            return "no answer was read"
        if not self.inexact:
            return f"each of their {self.count:,} answers is whole tokens"
        return (
            f"of their {self.count:,} answers {self.inexact:,} begin or end within a token and are taken for the whole "
            f"of it (first {self.first})"
        )


@contextmanager
def _named(where: str) -> Iterator[None]:
    """What is wrong with a text in the block is said with the place where it stands."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _tokens(tokenizer: Tokenizer, text: str, name: str) -> list[Token]:
    tokens = with_places(text, tokenizer.tokenize(text))
    if not tokens:
        raise InputError(f"a {name} without any token has no answer: give at least one word.")
    return tokens
