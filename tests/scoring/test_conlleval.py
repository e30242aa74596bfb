"""conlleval's score of tags and of files: official outputs, an independent reading, and mutated lines."""

import io
import json
import lzma
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.scoring import conlleval
from elmo_tasks.scoring.conlleval import Phrase, PhraseScore, PhraseScorer, phrases
from elmo_tasks.scoring.refusal import RefusalError

CASES = sorted(path.stem for path in (Path(__file__).parents[2] / "fixtures/scoring/ner").glob("*.txt"))
GOLDEN = (
    "case01_perfect_iob1_full",
    "case02_all_O",
    "case03_boundary_errors",
    "case04_type_errors_iob2",
    "case05_gold_iob1_pred_iob2",
    "case06_gold_iob2_pred_bioes",
    "case07_both_bioes_drops_and_spurious",
    "case08_ill_formed_tag_noise",
    "case09_adjacent_entities_B_lost",
    "case10_no_sentence_breaks_no_final_newline",
    "case11_docstart_lines_kept",
    "case12_mixed_errors_full_testb",
    "case13_missing_and_unknown_types",
    "case14_chunks_touching_sentence_ends",
    "case15_raw_tags_option_r",
)

Span = tuple[str, int, int]

tags = st.one_of(
    st.just("O"),
    st.builds("{}-{}".format, st.sampled_from("BIES"), st.sampled_from(["X", "Y", "X-Y"])),
)
sentences = st.lists(st.lists(st.tuples(tags, tags | st.none()), min_size=1, max_size=8), max_size=5)


def score_text(text: str | bytes, raw: bool = False) -> tuple[PhraseScore, list[str]]:
    content = text if isinstance(text, bytes) else text.encode()
    return conlleval.score_lines(enumerate(io.BytesIO(content), start=1), "file", raw)


def spans(sentence: list[str]) -> set[Span]:
    """Written from what goes on in a phrase, where the scorer asks what starts and what ends."""
    found: set[Span] = set()
    open_at: int | None = None
    for position, tag in enumerate(sentence):
        goes_on = (
            open_at is not None
            and tag[2:] == sentence[position - 1][2:]
            and sentence[position - 1][0] + tag[0] not in ("BB", "IB", "EI", "EE")
        )
        if goes_on:
            continue
        if open_at is not None:
            found.add((sentence[open_at][2:], open_at, position))
        open_at = None if tag == "O" else position
    if open_at is not None:
        found.add((sentence[open_at][2:], open_at, len(sentence)))
    return found


def slow_report(parallel: list[tuple[list[str], list[str]]]) -> str:
    """The whole report from sets of spans; for tags that are `O` or have one of the prefixes B, I, E, S and a type."""
    gold = {(number, *span) for number, (tags, _) in enumerate(parallel) for span in spans(tags)}
    found = {(number, *span) for number, (_, tags) in enumerate(parallel) for span in spans(tags)}
    pairs = [pair for sentence in parallel for pair in zip(*sentence, strict=True)]

    def figures(gold: set, found: set) -> str:
        both = len(gold & found)
        precision = 100 * both / len(found) if found else 0
        recall = 100 * both / len(gold) if gold else 0
        f1 = 2 * precision * recall / (precision + recall) if both else 0
        return f"precision: {precision:6.2f}%; recall: {recall:6.2f}%; FB1: {f1:6.2f}"

    lines = [
        f"processed {len(pairs)} tokens with {len(gold)} phrases; found: {len(found)} phrases; "
        f"correct: {len(gold & found)}."
    ]
    if pairs:
        lines.append(f"accuracy: {100 * sum(a == b for a, b in pairs) / len(pairs):6.2f}%; {figures(gold, found)}")
    for name in sorted({span[1] for span in gold | found}):
        of_type = [{span for span in spans if span[1] == name} for spans in (gold, found)]
        lines.append(f"{name.rjust(17)}: {figures(*of_type)}  {len(of_type[1])}")
    return "".join(f"{line}\n" for line in lines)


def parallel_tags(drawn: list[list[tuple[str, str | None]]]) -> list[tuple[list[str], list[str]]]:
    """Sentences of gold and predicted tags; nothing drawn for a prediction means that it is right."""
    return [([gold for gold, _ in each], [predicted or gold for gold, predicted in each]) for each in drawn]


@pytest.mark.parametrize("case", CASES)
def test_own_cases_are_printed_to_the_byte(repository: Path, case: str) -> None:
    folder = repository / "fixtures/scoring/ner"
    score, _ = score_text((folder / f"{case}.txt").read_bytes(), raw=case.endswith("_raw"))
    assert conlleval.report(score).encode("latin-1") == (folder / f"{case}.out").read_bytes()


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 10


@pytest.mark.parametrize("case", GOLDEN)
def test_official_outputs_are_printed_to_the_byte(shared_folder: Path, case: str) -> None:
    folder = shared_folder / "data/golden/ner"
    score, _ = score_text(lzma.decompress((folder / f"{case}.txt.xz").read_bytes()), raw=case.endswith("_r"))
    assert conlleval.report(score).encode("latin-1") == (folder / f"{case}.out").read_bytes()


def test_no_official_output_is_left_out(shared_folder: Path) -> None:
    assert sorted(path.stem for path in (shared_folder / "data/golden/ner").glob("*.out")) == sorted(GOLDEN)


@pytest.mark.parametrize("case", ["case06_gold_iob2_pred_bioes", "case08_ill_formed_tag_noise"])
def test_the_slow_reference_is_right_itself(shared_folder: Path, case: str) -> None:
    folder = shared_folder / "data/golden/ner"
    parallel: list[tuple[list[str], list[str]]] = []
    for block in lzma.decompress((folder / f"{case}.txt.xz").read_bytes()).decode().split("\n\n"):
        rows = [row.split() for row in block.splitlines()]
        parallel.append(([row[-2] for row in rows], [row[-1] for row in rows]))
    assert slow_report(parallel) == (folder / f"{case}.out").read_text(encoding="utf-8")


@given(sentences)
@settings(max_examples=400)
@example([[("B-X", None), ("E-X", None), ("B-X", None)]])
@example([[("S-X", "B-X"), ("S-X", "E-X"), ("O", None)]])
def test_scorer_equals_sets_of_spans(drawn: list[list[tuple[str, str | None]]]) -> None:
    parallel = parallel_tags(drawn)
    scorer = PhraseScorer()
    for gold, predicted in parallel:
        scorer.add_sentence(gold, predicted)
    assert conlleval.report(scorer.score()) == slow_report(parallel)


@given(sentences)
def test_a_file_of_the_tags_has_the_same_score(drawn: list[list[tuple[str, str | None]]]) -> None:
    parallel = parallel_tags(drawn)
    rows = ["\n".join(f"w {a} {b}" for a, b in zip(*each, strict=True)) for each in parallel]
    score, _ = score_text("\n\n".join(rows) or "\n")
    assert conlleval.report(score) == slow_report(parallel)


@given(st.lists(tags, max_size=10))
def test_phrases_are_the_spans(sentence: list[str]) -> None:
    found = phrases(sentence)
    assert found == sorted(found, key=lambda phrase: phrase.start)
    assert set(found) == spans(sentence)


@given(
    st.lists(st.sampled_from(["O", "B", "I", "E", "S", "B-X", "I-X", "S-X", ".", "[", "]-X", "-X", "B-0", "O-X", ""]))
)
def test_phrases_are_as_many_as_the_scorer_counts_for_any_tags(sentence: list[str]) -> None:
    scorer = PhraseScorer()
    scorer.add_sentence(sentence, sentence)
    counted = {name: counts.found for name, counts in scorer.score().types.items()}
    assert Counter(phrase.type for phrase in phrases(sentence)) == counted


def test_phrases_by_hand() -> None:
    assert phrases([]) == []
    assert phrases(["I-X", "I-X", "B-X", "I-Y", "O", "E-X"]) == [
        Phrase("X", 0, 2),
        Phrase("X", 2, 3),
        Phrase("Y", 3, 4),
        Phrase("X", 5, 6),
    ]
    assert phrases(["[-X", "]-X", "I-X"]) == [Phrase("X", 0, 1), Phrase("X", 1, 2)]
    assert phrases(iter(["B", "S", "O", "B"])) == [Phrase("", 0, 3), Phrase("", 3, 4)]


@given(sentences, st.randoms(use_true_random=False))
def test_the_order_of_sentences_does_not_matter(drawn: list[list[tuple[str, str | None]]], random) -> None:
    parallel = parallel_tags(drawn)
    scores = []
    for _ in range(2):
        scorer = PhraseScorer()
        for gold, predicted in parallel:
            scorer.add_sentence(gold, predicted)
        scores.append(scorer.score())
        random.shuffle(parallel)
    assert scores[0] == scores[1]


def test_a_score_may_be_asked_for_on_the_way() -> None:
    scorer = PhraseScorer()
    scorer.add_token("B-X", "B-X")
    first = scorer.score()
    assert (first.overall.gold, first.overall.correct, first.types["X"].correct) == (1, 1, 1)
    scorer.add_token("I-X", "O")
    assert scorer.score().overall.correct == 0
    assert first.overall.correct == 1
    assert (first.accuracy, scorer.score().accuracy) == (100, 50)


def test_sentences_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 gold tags and 1 predicted ones"):
        PhraseScorer().add_sentence(["O", "O"], ["O"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a O O\n\nb O\n",
            "file:3: unexpected number of features: 2 (3); every line needs as many columns as the first",
        ),
        ("a O O\nb x O O\n", "file:2: unexpected number of features: 4 (3); every line needs as many columns"),
        ("a O O\nb  O O\n", "file:2: unexpected number of features: 4 (3); two blanks in a row make an empty column."),
        (
            "a O O\nb\tO O\n",
            "file:2: unexpected number of features: 2 (3); columns are separated by one blank, but the",
        ),
        ("a O O\r\n\r\n", "file:2: unexpected number of features: 1 (3); the line ends in a carriage return: convert"),
        ("a O O\n-X-\n", "file:2: unexpected number of features: 1 (3); every line needs"),
        (
            "\na\tO\tO\n",
            r"file:2: conlleval: unexpected number of features in line 'a\tO\tO'; columns are separated by",
        ),
        (
            "-X-\nvé\n",
            "file:2: conlleval: unexpected number of features in line 'vé'; every line needs as many columns",
        ),
    ],
)
def test_what_the_script_refuses(text: str, sentence: str) -> None:
    with pytest.raises(RefusalError) as refused:
        score_text(text)
    assert str(refused.value).startswith(sentence)


def test_a_file_without_any_line_is_refused() -> None:
    with pytest.raises(InputError, match="^file: the file is empty, expected a token a line: word, gold tag"):
        score_text("")


@pytest.mark.parametrize(
    ("text", "raw", "warnings"),
    [
        ("a O B-X\nb I-X E-X\nc S-X O\n", False, ["file:2: tag 'E-X' is not BIO: neighbouring phrases of one type"]),
        ("a O O\r\n", False, [r"file:1: tag 'O\r' ends in a carriage return, which is part of it here"]),
        ("a O O\nb PER O\n", False, ["file:2: tag 'PER' has no type: if tags are bare types, score with -r."]),
        ("a O O\nb PER O\n", True, []),
        ("a O O\nb B-PER O\n", True, ["file:2: tag 'B-PER' has a prefix, but -r takes all of it for a type."]),
        ("a B-X I-X\n", False, []),
    ],
)
def test_tags_that_are_likely_not_meant_so_are_named(text: str, raw: bool, warnings: list[str]) -> None:
    found = score_text(text, raw)[1]
    assert len(found) == len(warnings)
    assert all(one.startswith(start) for one, start in zip(found, warnings, strict=True))


@given(
    st.integers(0, 200),
    st.lists(
        st.tuples(
            st.integers(0, 2000),
            st.sampled_from(["delete", "insert", "replace", "cut", "double"]),
            st.sampled_from([b" ", b"\n", b"-", b"B", b"O", b"0", b"\t", b"\r", b"\xe9", b"\x00", b"-X-", b"\x85"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
@settings(max_examples=400)
def test_a_changed_file_has_a_score_or_the_error(
    repository: Path, case: int, edits: list[tuple[int, str, bytes]], raw: bool
) -> None:
    content = (repository / f"fixtures/scoring/ner/{CASES[case % len(CASES)]}.txt").read_bytes()
    for position, edit, character in edits:
        at = position % (len(content) + 1)
        content = {
            "delete": content[:at] + content[at + 1 :],
            "insert": content[:at] + character + content[at:],
            "replace": content[:at] + character + content[at + 1 :],
            "cut": content[:at],
            "double": content[:at] + content,
        }[edit]
    score, refusal, mistake = None, "", ""
    try:
        score, warnings = score_text(content, raw)
    except RefusalError as error:
        refusal = str(error)
    except InputError as error:
        mistake = str(error)
    if score is not None:
        assert conlleval.report(score).encode("latin-1").startswith(b"processed %d tokens with " % score.tokens)
        assert json.loads(json.dumps(conlleval.to_dict(score)))["tokens"] == score.tokens
        assert all(warning.isprintable() for warning in warnings)
        assert 0 <= score.overall.correct <= min(score.overall.gold, score.overall.found)
    elif content:
        assert refusal.startswith("file:")
        assert ": unexpected number of features" in refusal
        assert refusal.isprintable()
    else:
        assert mistake.startswith("file: the file is empty")


def test_values_for_json() -> None:
    text = "a B-X B-X\nb O B-\u00c4\nc B-X O\nd B-X B-X\ne O O\nf O O\n"
    assert conlleval.to_dict(score_text(text)[0]) == {
        "tokens": 6,
        "correct_tokens": 4,
        "accuracy": 66.67,
        "all": {"gold": 3, "found": 3, "correct": 2, "precision": 66.67, "recall": 66.67, "f1": 66.67},
        "types": {
            "X": {"gold": 3, "found": 2, "correct": 2, "precision": 100.0, "recall": 66.67, "f1": 80.0},
            "\u00c4": {"gold": 0, "found": 1, "correct": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0},
        },
    }
    latin1 = score_text(b"a B-\xc4 O\n")[0]
    assert list(conlleval.to_dict(latin1)["types"]) == [r"\xc4"]
