"""srl-eval.pl's score of files: official outputs, figures by hand, and changed files."""

import io
import json
import re
import tarfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elmo_tasks.errors import InputError
from elmo_tasks.scoring.refusal import RefusalError
from elmo_tasks.scoring.srl import Argument, RoleScore, report, to_dict
from elmo_tasks.scoring.srl_files import BracketError, arguments, score_lines

FIXTURES = Path(__file__).parents[2] / "fixtures/scoring/srl"
GOLDEN = (
    "01_identical",
    "02_boundary",
    "03_label_swap",
    "04_c_prefix",
    "05_r_prefix",
    "06_v_missing_or_moved",
    "07_extra_args",
    "08_only_v",
    "09_all_outside",
    "10_missing_args",
    "11_predicates_missing_or_wrong_lemma",
    "12_spurious_predicates",
    "13_discontinuous",
    "14_merged_neighbours",
    "15_mixed_noise",
    "16_mixed_noise_one_block_per_predicate",
    "17_mixed_noise_conll2005_labels",
    "18_heuristic_labeller",
    "19_gold_without_args",
)
# Sentences, propositions, perfect ones; arguments correct, excess, missed; the same of the verb.
BY_HAND = {
    "boundaries": ((1, 1, 0), (1, 2, 2), (1, 0, 0)),
    "bytes": ((1, 1, 0), (2, 2, 2), (1, 0, 0)),
    "columns": ((1, 2, 1), (2, 1, 0), (1, 1, 0)),
    "exact": ((3, 3, 3), (5, 0, 0), (3, 0, 0)),
    "labels": ((1, 1, 0), (1, 3, 3), (1, 0, 0)),
    "long_labels": ((1, 1, 0), (1, 1, 2), (1, 0, 0)),
    "nested": ((1, 2, 0), (3, 2, 3), (2, 0, 0)),
    "no_predicates": ((2, 0, 0), (0, 0, 0), None),
    "nothing_in_gold": ((1, 1, 0), (0, 2, 0), (1, 0, 0)),
    "nothing_predicted": ((2, 2, 1), (0, 0, 2), (0, 0, 2)),
    "other_predicates": ((1, 3, 0), (1, 1, 4), (1, 0, 2)),
    "pieces": ((2, 3, 1), (3, 2, 2), (2, 0, 1)),
    "pieces_alone": ((1, 2, 2), (4, 0, 0), (2, 0, 0)),
    "ragged": ((1, 1, 0), (2, 0, 1), (1, 0, 0)),
    "references": ((1, 1, 0), (3, 1, 1), (1, 0, 0)),
    "two_blank_lines": ((1, 1, 1), (1, 0, 0), (1, 0, 0)),
    "verbs": ((3, 4, 4), (4, 0, 0), (1, 2, 3)),
}


def score_bytes(gold: bytes, predicted: bytes) -> tuple[RoleScore, list[str]]:
    return score_lines(enumerate(io.BytesIO(gold), 1), enumerate(io.BytesIO(predicted), 1), "gold", "predicted")


def case(name: str) -> tuple[bytes, bytes]:
    return (FIXTURES / f"{name}.gold.props").read_bytes(), (FIXTURES / f"{name}.predicted.props").read_bytes()


@pytest.fixture(scope="module")
def golden(shared_folder: Path) -> dict[str, bytes]:
    """The recorded files by their names."""
    with tarfile.open(shared_folder / "data/golden/srl/golden_srl.tar.xz") as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        return {member.name.removeprefix("srl/"): archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]


@pytest.mark.parametrize("name", BY_HAND)
def test_own_cases_are_printed_to_the_byte_and_are_what_was_derived_by_hand(name: str) -> None:
    score, warnings = score_bytes(*case(name))
    assert report(score).encode("latin-1") == (FIXTURES / f"{name}.out").read_bytes()
    numbers, overall, verb = BY_HAND[name]
    assert (score.sentences, score.propositions, score.perfect) == numbers
    assert (score.overall.correct, score.overall.excess, score.overall.missed) == overall
    assert (score.verb and (score.verb.correct, score.verb.excess, score.verb.missed)) == verb
    err = FIXTURES / f"{name}.err"
    assert len(warnings) == (err.read_text(encoding="utf-8").count("\n") if err.exists() else 0)


def test_there_are_enough_cases() -> None:
    assert sorted(BY_HAND) == sorted(path.name.removesuffix(".gold.props") for path in FIXTURES.glob("*.gold.props"))
    assert len(BY_HAND) >= 10


@pytest.mark.parametrize("name", GOLDEN)
def test_official_outputs_are_printed_to_the_byte(golden: dict[str, bytes], name: str) -> None:
    score, warnings = score_bytes(golden[f"{name}/gold.props"], golden[f"{name}/pred.props"])
    assert report(score).encode("latin-1") == golden[f"{name}/scorer.out"]
    assert to_dict(score) == json.loads(golden["expected.json"])[name]
    assert bool(warnings) == (f"{name}/scorer.err" in golden)


def test_a_warning_says_how_many_predicates_it_is_about(golden: dict[str, bytes]) -> None:
    name = "11_predicates_missing_or_wrong_lemma"
    _, warnings = score_bytes(golden[f"{name}/gold.props"], golden[f"{name}/pred.props"])
    official = golden[f"{name}/scorer.err"].decode()
    missing, other = official.count("missing predicted prop"), official.count("props do not match")
    assert warnings == [
        f"predicted:19: a predicate of gold is not predicted, its arguments count as missed (the first of {missing}).",
        "predicted:45: the predicate has another lemma than in gold, its arguments count as missed "
        f"(the first of {other}).",
    ]
    # The script says nothing about those behind the last predicate of gold.
    name = "12_spurious_predicates"
    gold, predicted = golden[f"{name}/gold.props"], golden[f"{name}/pred.props"]
    rows = zip(gold.splitlines(), predicted.splitlines(), strict=True)
    spurious = sum(one.startswith(b"-") and other[:1] not in (b"-", b"") for one, other in rows)
    assert score_bytes(gold, predicted)[1] == [
        f"predicted:10: a predicate that gold has not, it does not count (the first of {spurious})."
    ]


def test_no_official_output_is_left_out(golden: dict[str, bytes]) -> None:
    assert sorted(GOLDEN) == sorted(name.removesuffix("/scorer.out") for name in golden if name.endswith("/scorer.out"))
    assert sorted(GOLDEN) == sorted(json.loads(golden["expected.json"]))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["*", "(A0*", "*)", "(V*)"], [Argument("A0", 1, 3), Argument("V", 3, 4)]),
        (["(A0*)", "(C-A0*", "*)"], [Argument("A0", 0, 3, ((0, 1), (1, 3)))]),
        (["(A0*A0)", "(A1*", "*A1)"], [Argument("A0", 0, 1), Argument("A1", 1, 3)]),
        # a name of 0 is none for the script
        (["(A0*0)"], [Argument("A0", 0, 1)]),
        # an escaped star belongs to the label, and so does a closing bracket
        ([r"(A\*0*)", "(A)1*)"], [Argument(r"A\*0", 0, 1), Argument("A)1", 1, 2)]),
        # the inner one is a piece of the outer one; of two with the same ends the outer one is forgotten
        (["(A0*", "(A1(A2*))", "*)"], [Argument("A0", 0, 3, ((1, 2),)), Argument("A2", 1, 2)]),
        ([], []),
    ],
)
def test_columns_by_hand(column: list[str], expected: list[Argument]) -> None:
    assert arguments(column) == expected


@pytest.mark.parametrize(
    ("column", "position", "reason"),
    [
        (["*", "A0"], 1, "phrase_set->load_SE_tagging: opening nodes -- bad format in 'A0'"),
        (["(A0"], 0, "phrase_set->load_SE_tagging: opening nodes -- bad format in '(A0'"),
        (["(*)"], 0, "phrase_set->load_SE_tagging: opening nodes -- bad format in '(*)'"),
        (["(A0*", "*A0"], 1, "phrase_set->load_SE_tagging: closing phrases -- bad format in '*A0'"),
        (["(A0*)*"], 0, "phrase_set->load_SE_tagging: closing phrases -- bad format in '(A0*)*'"),
        (["(A0*", "*A1)"], 1, "phrase_set->load_SE_tagging: types do not match: 'A0' and 'A1'"),
        (["*", "*)"], 1, "'*)' closes a bracket, but none is open"),
        (["*", "(A0*", "*"], 1, "phrase_set->load_SE_tagging: some phrases are unclosed"),
    ],
)
def test_columns_that_the_script_refuses(column: list[str], position: int, reason: str) -> None:
    with pytest.raises(BracketError) as refused:
        arguments(column)
    assert str(refused.value) == reason
    assert refused.value.position == position


@pytest.mark.parametrize(
    ("gold", "predicted", "sentence"),
    [
        (
            b"go (V*)\n- *\n\ndo (V*)\n",
            b"go (V*)\n- *\n\ndo (V*\n",
            "predicted:4: phrase_set->load_SE_tagging: some phrases are unclosed; expected '*', '(A0*', '*)' or "
            "'(A0*)', with brackets that match, in the column of 'do', the predicate of line 4.",
        ),
        (b"- *)\ngo (V*)\n", b"- *\ngo (V*)\n", "gold:1: '*)' closes a bracket, but none is open; expected "),
        # a cell is missing in the first row, the one that breaks stands in the second
        (b"go\n- A0\n", b"go *\n- *\n", "gold:2: phrase_set->load_SE_tagging: opening nodes -- bad format in 'A0'; "),
        (
            b"- \n\ngo (V*)\n-\n",
            b"-\n\ngo (V*)\n",
            "predicted:3: ERROR : sentence 1 : gold and pred sentences do not align correctly! This one has 1 rows, "
            "that of gold:3 has 2; is a blank line missing in gold?",
        ),
        (b"-\n\n-\n\n-\n", b"-\n\n-\n", "predicted: there is no sentence for that of gold:5 (Can't use an undefined"),
        (
            b"-\n\n-\n",
            b"-\n\n\n-\n",
            "predicted: there is no sentence for that of gold:3 (Can't use an undefined value",
        ),
        (
            "é (é\n".encode(),
            b"-\n",
            "gold:1: phrase_set->load_SE_tagging: opening nodes -- bad format in '(é'; expected ",
        ),
    ],
)
def test_what_the_script_refuses(gold: bytes, predicted: bytes, sentence: str) -> None:
    with pytest.raises(RefusalError, match=f"^{re.escape(sentence)}"):
        score_bytes(gold, predicted)


@pytest.mark.parametrize(("gold", "predicted", "named"), [(b"", b"-\n", "gold"), (b"-\n", b"", "predicted")])
def test_files_without_any_line_are_refused(gold: bytes, predicted: bytes, named: str) -> None:
    with pytest.raises(InputError, match=f"^{named}: the file is empty, expected a token a line: lemma or -, then"):
        score_bytes(gold, predicted)


@pytest.mark.parametrize(
    ("gold", "predicted", "warnings"),
    [
        (b"-\n\n", b"-\n\n-\n", ["predicted:3: from here on nothing counts, because gold has no more sentences."]),
        (b"-\n\n\n\n", b"-\n \t\n\n", []),
        (
            b"\n-\n",
            b"-\n",
            [
                "gold:2: from here on nothing counts, because a blank line that ends no sentence ends the file for the "
                "script.",
                "predicted:1: from here on nothing counts, because gold has no more sentences.",
            ],
        ),
        (
            b"go *\ndo * *\n- *\n",
            b"go * *\nbe * *\n- * *\n",
            [
                "gold:2: a row of another number of columns than its sentence's first.",
                "predicted:2: the predicate has another lemma than in gold, its arguments count as missed.",
            ],
        ),
        (
            b"go\ndo\n\ndo\n",
            b"- *\n- *\n\nbe *\n",
            [
                "gold:1: there is no column for this predicate, which has no arguments then (the first of 3).",
                "predicted:1: more columns than predicates, those at the end do not count.",
                "predicted:1: a predicate of gold is not predicted, its arguments count as missed (the first of 2).",
                "predicted:4: the predicate has another lemma than in gold, its arguments count as missed.",
            ],
        ),
    ],
)
def test_what_does_not_count_is_named_once_with_its_first_line(
    gold: bytes, predicted: bytes, warnings: list[str]
) -> None:
    assert score_bytes(gold, predicted)[1] == warnings


@given(
    name=st.sampled_from(sorted(BY_HAND)),
    of_gold=st.booleans(),
    edits=st.lists(
        st.tuples(
            st.integers(0, 200),
            st.sampled_from(["delete", "insert", "replace", "cut", "double"]),
            st.sampled_from(
                [b" ", b"\n", b"-", b"*", b"(", b")", b"0", b"C-", b"\t", b"\r", b"\xe9", b"\x00", b"\x85", b"\\*"]
            ),
        ),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=400)
@example(name="exact", of_gold=False, edits=[(0, "cut", b"")])
def test_a_changed_file_has_a_score_or_the_error(name: str, of_gold: bool, edits: list[tuple[int, str, bytes]]) -> None:
    gold, predicted = case(name)
    content = gold if of_gold else predicted
    for position, edit, character in edits:
        at = position % (len(content) + 1)
        content = {
            "delete": content[:at] + content[at + 1 :],
            "insert": content[:at] + character + content[at:],
            "replace": content[:at] + character + content[at + 1 :],
            "cut": content[:at],
            "double": content[:at] + content,
        }[edit]
    gold, predicted = (content, predicted) if of_gold else (gold, content)
    score, mistake = None, ""
    try:
        score, warnings = score_bytes(gold, predicted)
    except RefusalError as error:
        mistake = str(error)
        assert re.match(r"gold:\d+: |predicted:\d+: |predicted: there is no sentence for that of gold:\d+", mistake)
    except InputError as error:
        mistake = str(error)
        assert not content
    if score is None:
        assert mistake.isprintable()
        return
    assert json.loads(json.dumps(to_dict(score)))["propositions"] == score.propositions
    assert all(warning.isprintable() for warning in warnings)
    assert report(score).encode("latin-1").count(b"\n") == 10 + len(score.labels) + bool(score.verb)
    swapped, _ = score_bytes(gold, gold)
    assert swapped.sentences == score.sentences
    # What gold has is found or missed; of two arguments with the same ends only one counts.
    assert swapped.overall.correct + swapped.overall.missed == score.overall.correct + score.overall.missed
