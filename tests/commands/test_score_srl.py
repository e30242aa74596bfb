"""The command `score srl`: both streams to the byte, its exit status, its sentences."""

import codecs
import gzip
import json
import lzma
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elmo_tasks.formats.conll2012 import read_documents
from elmo_tasks.formats.props import gold_propositions, props_lines, write_props
from tests.commands.conftest import rows_of_docs, score
from tests.conftest import RunCommand

FIXTURES = Path(__file__).parents[2] / "fixtures/scoring/srl"
CASES = sorted(path.name.removesuffix(".gold.props") for path in FIXTURES.glob("*.gold.props"))


@pytest.mark.parametrize("name", CASES)
def test_it_prints_what_the_script_prints(
    name: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(FIXTURES)
    assert score("srl", f"{name}.gold.props", f"{name}.predicted.props") == 0
    err = FIXTURES / f"{name}.err"
    assert capsysbinary.readouterr() == (
        (FIXTURES / f"{name}.out").read_bytes(),
        err.read_bytes() if err.exists() else b"",
    )


def test_it_equals_all_official_outputs(
    shared_folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with tarfile.open(shared_folder / "data/golden/srl/golden_srl.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    expected = json.loads((tmp_path / "srl/expected.json").read_text(encoding="utf-8"))
    assert len(expected) == 19
    rows = {}
    for name, figures in expected.items():
        case = tmp_path / "srl" / name
        assert score("srl", case / "gold.props", case / "pred.props") == 0
        out, err = capsysbinary.readouterr()
        assert out == (case / "scorer.out").read_bytes()
        assert bool(err) == (case / "scorer.err").exists()
        assert score("srl", case / "gold.props", case / "pred.props", "--json") == 0
        assert json.loads(capsysbinary.readouterr().out) == figures
        correct, excess, missed, _, _, f1 = figures["labels"]["Overall"]
        rows[name] = [str(figures["propositions"]), f"{correct} / {excess} / {missed}", f"{f1:.2f}", "equal"]
    assert rows_of_docs("srl") == rows


@pytest.mark.parametrize(("suffix", "compress"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_gold_in_the_columns_of_conll_2012(
    suffix: str, compress: Callable[[bytes], bytes], tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    source = FIXTURES.parents[1] / "srl" / "dev.gold_conll"
    gold, props = tmp_path / f"dev.gold_conll{suffix}", tmp_path / "gold.props"
    gold.write_bytes(compress(source.read_bytes()))
    write_props(props, gold_propositions(gold))
    text = props.read_text(encoding="utf-8")
    predicted = tmp_path / "predicted.props"
    predicted.write_text(text.replace("(ARG0*)", "(ARG1*)", 2), encoding="utf-8")
    outputs = []
    for file in (gold, props):
        assert score("srl", file, predicted) == 0
        outputs.append(capsysbinary.readouterr())
    assert outputs[0] == outputs[1]
    assert b"Number of Propositions :           7" in outputs[0].out
    gold.write_bytes(compress(source.read_bytes().replace(b"(V*)", b"(V*", 1)))
    assert score("srl", gold, predicted) == 2
    out, err = capsysbinary.readouterr()
    assert not out
    assert b"dev.gold_conll" + suffix.encode() + b":4: column 12" in err


def test_messages_name_the_line_of_the_gold_file_in_the_columns_of_conll_2012(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a folder, the line of the file that has the sentence."""
    text = (FIXTURES.parents[1] / "srl" / "dev.gold_conll").read_text(encoding="utf-8")
    *_, last = (number for number, line in enumerate(text.split("\n"), start=1) if "1 0 Rex" in line)
    (tmp_path / "folder" / "a").mkdir(parents=True)
    gold = tmp_path / "gold_conll"
    files = [tmp_path / "folder" / "a" / "x.gold_conll", tmp_path / "folder" / "b.gold_conll"]
    for file, name in zip((gold, *files), ("dev", "x", "b"), strict=True):
        file.write_text(text.replace("srl/dev", f"srl/{name}"), encoding="utf-8")
    for source, places in ((gold, [gold]), (tmp_path / "folder", files)):
        whole = "".join(props_lines(gold_propositions(source)))
        predicted = tmp_path / "predicted.props"
        predicted.write_text(whole, encoding="utf-8")
        assert score("srl", source, predicted) == 0
        out, err = capsys.readouterr()
        assert f"Number of Propositions :      {7 * len(places):6d}" in out
        assert "100.00  100.00  100.00" in out
        assert not err
        # the last sentence of the second document, in the last of the files
        predicted.write_text("".join(f"{block}\n\n" for block in whole.split("\n\n")[:-2]), encoding="utf-8")
        assert score("srl", source, predicted) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"error: {predicted}: there is no sentence for that of {places[-1]}:{last} (Can't use")
        predicted.write_text(f"{whole.removesuffix(chr(10))}-\n", encoding="utf-8")
        assert score("srl", source, predicted) == 1
        assert f"This one has 7 rows, that of {places[-1]}:{last} has 6; is a blank" in capsys.readouterr().err


def test_a_predicate_of_gold_without_a_verb_counts_as_the_script_counts_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reader can skip it, and predictions lack it then."""
    text = (FIXTURES.parents[1] / "srl" / "dev.gold_conll").read_text(encoding="utf-8").replace("(V*)", "*", 1)
    gold, predicted = tmp_path / "gold_conll", tmp_path / "predicted.props"
    gold.write_text(text, encoding="utf-8")
    sentences = (sentence for document in read_documents(gold) for sentence in document.sentences)
    write_props(predicted, ((len(one.words), one.propositions) for one in sentences))
    assert score("srl", gold, predicted) == 0
    out, err = capsys.readouterr()
    assert "Number of Propositions :           7" in out
    # sell has ARG0 and ARG1
    assert "Overall 13 0 2 100.00 86.67 92.86" in " ".join(out.split())
    assert err == f"warning: {predicted}:2: a predicate of gold is not predicted, its arguments count as missed.\n"


def test_a_byte_order_mark_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold, marked = tmp_path / "gold", tmp_path / "marked"
    gold.write_text("- (A0*)\ngo (V*)\n", encoding="utf-8")
    marked.write_bytes(codecs.BOM_UTF8 + gold.read_bytes())
    assert score("srl", gold, marked) == 0
    out, err = capsys.readouterr()
    assert "Overall        0" in out
    assert err.startswith(f"warning: {marked}:1: the file starts with a byte order mark, which the script takes for a ")


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_files_and_standard_input(
    suffix: str,
    compress: Callable[[bytes], bytes],
    tmp_path: Path,
    standard_input,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    gold, predicted = tmp_path / f"gold{suffix}", tmp_path / f"predicted{suffix}"
    gold.write_bytes(compress((FIXTURES / "pieces.gold.props").read_bytes()))
    predicted.write_bytes(compress((FIXTURES / "pieces.predicted.props").read_bytes()))
    standard_input((FIXTURES / "pieces.predicted.props").read_bytes())
    for predictions in (predicted, "-"):
        assert score("srl", gold, predictions) == 0
        assert capsysbinary.readouterr() == ((FIXTURES / "pieces.out").read_bytes(), b"")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert score("srl", FIXTURES / "bytes.gold.props", FIXTURES / "bytes.predicted.props", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "sentences": 1,
        "propositions": 1,
        "perfect_props": 0.0,
        "labels": {
            "Overall": [2, 2, 2, 50.0, 50.0, 50.0],
            "A0": [1, 0, 0, 100.0, 100.0, 100.0],
            "Z": [0, 0, 1, 0.0, 0.0, 0.0],
            "z": [0, 1, 1, 0.0, 0.0, 0.0],
            "Ä": [1, 0, 0, 100.0, 100.0, 100.0],
            "\\xc4": [0, 1, 0, 0.0, 0.0, 0.0],
            "V": [1, 0, 0, 100.0, 100.0, 100.0],
        },
    }


GOOD = "- (A0*)\ngo (V*)\n"


@pytest.mark.parametrize(
    ("gold", "predicted", "status", "sentence"),
    [
        (
            GOOD,
            "- (A0*\ngo (V*)\n",
            1,
            "predicted:1: phrase_set->load_SE_tagging: some phrases are unclosed; expected ",
        ),
        (GOOD, "- *)\ngo (V*)\n", 1, "predicted:1: '*)' closes a bracket, but none is open; expected "),
        (
            GOOD,
            "- (A0*A1)\ngo (V*)\n",
            1,
            "predicted:1: phrase_set->load_SE_tagging: types do not match: 'A0' and 'A1'; ",
        ),
        (
            "- A0\ngo (V*)\n",
            GOOD,
            1,
            "gold:1: phrase_set->load_SE_tagging: opening nodes -- bad format in 'A0'; expecte",
        ),
        (GOOD, "- (A0*)x\ngo (V*)\n", 1, "predicted:1: phrase_set->load_SE_tagging: closing phrases -- bad format in "),
        (
            GOOD,
            "go (V*)\n",
            1,
            "predicted:1: ERROR : sentence 0 : gold and pred sentences do not align correctly! This",
        ),
        (
            f"{GOOD}\n{GOOD}",
            GOOD,
            1,
            "predicted: there is no sentence for that of gold:4 (Can't use an undefined value",
        ),
        (
            f"{GOOD}\n{GOOD}",
            GOOD + GOOD,
            1,
            "predicted:1: ERROR : sentence 0 : gold and pred sentences do not align correctly! This one has 4 rows, "
            "that of gold:1 has 2; is a blank line missing in predicted?",
        ),
        (
            GOOD + GOOD,
            f"{GOOD}\n{GOOD}",
            1,
            "predicted:1: ERROR : sentence 0 : gold and pred sentences do not align correctly! This one has 2 rows, "
            "that of gold:1 has 4; is a blank line missing in gold?",
        ),
        (
            "#begin document (a); part 000\n",
            GOOD,
            2,
            "gold:1: '#begin document (a); part 000' begins a file in CoNLL-2012's columns, expected a token a line: ",
        ),
        (
            GOOD,
            "#begin document (a); part 000\n",
            2,
            "predicted:1: '#begin document (a); part 000' begins a file in CoNLL-2012's columns, expected a token ",
        ),
        (GOOD, "\n", 1, "predicted: there is no sentence for that of gold:1 (Can't use an undefined value as an ARRAY"),
        (GOOD, "", 2, "predicted: the file is empty, expected a token a line: lemma or -, then columns of brackets."),
        ("", GOOD, 2, "gold: the file is empty, expected a token a line: lemma or -, then columns of brackets."),
        (GOOD, None, 2, "predicted: there is no such file."),
        (None, GOOD, 2, "gold: there is no such file."),
    ],
)
def test_what_has_no_score_is_one_sentence_and_a_status(
    gold: str | None,
    predicted: str | None,
    status: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (("gold", gold), ("predicted", predicted)):
        if content is not None:
            Path(name).write_text(content, encoding="utf-8")
    assert score("srl", "gold", "predicted") == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1


def test_damaged_files_and_folders_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = tmp_path / "gold.xz"
    damaged.write_bytes(lzma.compress(GOOD.encode())[:-10])
    assert score("srl", damaged, FIXTURES / "exact.predicted.props") == 2
    assert re.match(rf"error: {damaged}:\d+: the compressed file is damaged or cut short here", capsys.readouterr().err)
    assert score("srl", tmp_path, damaged) == 2
    nothing = "no file of this folder has a name that ends in gold_conll, gold_conll.gz, gold_conll.xz."
    assert capsys.readouterr() == ("", f"error: {tmp_path}: {nothing}\n")
    assert score("srl", FIXTURES / "exact.gold.props", tmp_path) == 2
    assert capsys.readouterr() == ("", f"error: {tmp_path}: this is a folder, expected a file.\n")


def test_a_wrong_command_line_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert score("srl", "one") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: elmo-tasks score srl")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    of_gold=st.booleans(),
    begin=st.integers(0, 130),
    length=st.integers(0, 20),
    inserted=st.sampled_from([b"", b" ", b"\n", b"\n\n", b"*", b"(", b")", b"-", b"(A0*", b"*)", b"\xe9", b"\x00"]),
)
def test_changed_files_have_a_score_or_a_sentence(
    tmp_path: Path,
    of_gold: bool,
    begin: int,
    length: int,
    inserted: bytes,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    files = [FIXTURES / "exact.gold.props", FIXTURES / "exact.predicted.props"]
    content = files[0].read_bytes()
    files[not of_gold] = tmp_path / "changed"
    files[not of_gold].write_bytes(content[:begin] + inserted + content[begin + length :])
    status = score("srl", *files)
    out, err = capsysbinary.readouterr()
    if status == 0:
        assert out.startswith(b"Number of Sentences    : ")
        return
    assert status in (1, 2)
    assert out == b""
    assert err.startswith(b"error: ")
    assert str(tmp_path / "changed").encode() in err
    assert err.count(b"\n") == 1


def test_the_program_knows_it(run_command: RunCommand) -> None:
    done = run_command("elmo-tasks", "score", "srl", "labels.gold.props", "labels.predicted.props", folder=FIXTURES)
    assert (done.returncode, done.stdout) == (0, (FIXTURES / "labels.out").read_text(encoding="utf-8")), done.stderr
