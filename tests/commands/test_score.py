"""The command `score`: its output to the byte, its exit status, its sentences."""

import gzip
import io
import json
import lzma
import shutil
import sys
from pathlib import Path

import pytest

from elmo_tasks.commands import main as program
from tests.conftest import RunCommand

FIXTURES = Path(__file__).parents[2] / "fixtures/scoring"
SST5 = sorted(path.stem for path in (FIXTURES / "sst5").glob("*.labels"))
TREES = FIXTURES / "sst5/eight.trees"


def score(*arguments: object) -> object:
    """The status that `elmo-tasks score` exits with."""
    try:
        return program.main(["score", *map(str, arguments)])
    except SystemExit as ended:
        return ended.code


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch):
    """Sets what comes from standard input."""

    def set_content(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return set_content


@pytest.mark.parametrize("name", ["iob1", "bioes", "latin1", "bare_types_raw", "no_tokens"])
def test_ner_prints_the_official_report(name: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert score("ner", FIXTURES / f"ner/{name}.txt", *(["-r"] if name.endswith("_raw") else [])) == 0
    assert capsysbinary.readouterr().out == (FIXTURES / f"ner/{name}.out").read_bytes()


def test_ner_equals_all_official_outputs(shared_folder: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    cases = sorted((shared_folder / "data/golden/ner").glob("*.txt.xz"))
    assert len(cases) == 15
    for case in cases:
        name = case.name.removesuffix(".txt.xz")
        assert score("ner", case, *(["--raw"] if name.endswith("option_r") else [])) == 0
        assert capsysbinary.readouterr().out == case.with_name(f"{name}.out").read_bytes()


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_ner_reads_compressed_files(
    suffix: str, compress, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(compress((FIXTURES / "ner/iob1.txt").read_bytes()))
    assert score("ner", path) == 0
    assert capsysbinary.readouterr().out == (FIXTURES / "ner/iob1.out").read_bytes()


def test_ner_reads_standard_input(standard_input, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    standard_input((FIXTURES / "ner/latin1.txt").read_bytes())
    assert score("ner", "-") == 0
    assert capsysbinary.readouterr().out == (FIXTURES / "ner/latin1.out").read_bytes()


def test_ner_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert score("ner", FIXTURES / "ner/docstart.txt", "--json") == 0
    figures = {"gold": 2, "found": 1, "correct": 1, "precision": 100.0, "recall": 50.0, "f1": 66.67}
    assert json.loads(capsys.readouterr().out) == {
        "tokens": 6,
        "correct_tokens": 5,
        "accuracy": 83.33,
        "all": figures,
        "types": {"ORG": figures},
    }


def test_a_warning_does_not_change_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    path = FIXTURES / "ner/bioes.txt"
    assert score("ner", path) == 0
    out, err = capsys.readouterr()
    assert out == path.with_suffix(".out").read_text(encoding="utf-8")
    assert err.startswith(f"warning: {path}:3: tag 'E-LOC' is not BIO")
    assert err.count("\n") == 1


def test_what_the_official_script_refuses_is_status_1(standard_input, capsys: pytest.CaptureFixture[str]) -> None:
    standard_input(b"a O O\nb O\n")
    assert score("ner", "-") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: standard input:2: unexpected number of features: 2 (3); ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", SST5)
def test_sst5_prints_the_accuracy(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    gold = FIXTURES / f"sst5/{name.partition('_')[0]}.trees"
    assert score("sst5", gold, FIXTURES / f"sst5/{name}.labels") == 0
    assert capsys.readouterr().out == (FIXTURES / f"sst5/{name}.out").read_text(encoding="utf-8")


def test_sst5_has_enough_cases() -> None:
    assert len(SST5) >= 10


def test_sst5_on_real_trees(shared_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neutral throughout is right for the 389 neutral ones of 2,210 test sentences."""
    predictions = tmp_path / "labels"
    predictions.write_text("2\n" * 2210, encoding="utf-8")
    assert score("sst5", shared_folder / "data/sst5/test.txt.xz", predictions) == 0
    assert capsys.readouterr().out == "accuracy: 17.60%  correct: 389 / 2210\n"


def test_sst5_as_json_from_standard_input(standard_input, capsys: pytest.CaptureFixture[str]) -> None:
    standard_input((FIXTURES / "sst5/eight_five.labels").read_bytes())
    assert score("sst5", TREES, "-", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"accuracy": 62.5, "correct": 5, "total": 8}


@pytest.mark.parametrize(
    ("arguments", "files", "sentence"),
    [
        (["ner", "nowhere"], {}, "nowhere: there is no such file."),
        (["ner", "."], {}, ".: this is a folder, expected a file."),
        (["ner", "empty"], {"empty": b""}, "empty: the file is empty, expected a token a line: word, gold tag, "),
        (
            ["ner", "cut.xz"],
            {"cut.xz": lzma.compress(b"a O O\n")[:20]},
            "cut.xz:1: the compressed file is damaged or cut short here",
        ),
        (["ner", "-"], {}, "standard input: the file is empty, expected a token a line"),
        (["sst5", "nowhere", "labels"], {}, "nowhere: there is no such file."),
        (["sst5", "trees", "nowhere"], {}, "nowhere: there is no such file."),
        (["sst5", "broken", "labels"], {"broken": b"(2 a)\n(2 a\n"}, "broken:2: column 5: expected a closing bracket "),
        (["sst5", "trees", "empty"], {"empty": b""}, "empty: the file is empty, expected one label a line."),
        (["sst5", "empty", "labels"], {"empty": b""}, "empty: the file is empty, expected one tree a line."),
        (["sst5", "trees", "short"], {"short": b"4\n" * 7}, "short: 7 labels, but trees has 8 items; expected one"),
        (
            ["sst5", "trees", "other"],
            {"other": b"4\n+3\n"},
            "other:2: expected one label a line (0, 1, 2, 3, 4), found",
        ),
        (["sst5", "trees", "bytes"], {"bytes": b"4\n\xe9\n"}, "bytes:2: byte 1 of the line (0xe9) is not UTF-8"),
        (["sst5", "trees", "-"], {}, "standard input: the file is empty, expected one label a line."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_input_that_cannot_be_read_is_one_sentence_and_status_2(
    arguments: list[str],
    files: dict[str, bytes],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    standard_input,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    standard_input(b"")
    shutil.copy(TREES, "trees")
    shutil.copy(FIXTURES / "sst5/eight_all.labels", "labels")
    for name, content in files.items():
        Path(name).write_bytes(content)
    assert score(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["nre"], ["ner"], ["sst5", "one"]], ids=str)
def test_a_wrong_command_line_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert score(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: elmo-tasks score")


def test_both_programs_know_it(run_command: RunCommand, tmp_path: Path) -> None:
    """The real programs, in a folder that is not the project's."""
    expected = (FIXTURES / "ner/iob1.out").read_text(encoding="utf-8")
    refused = tmp_path / "refused.txt"
    refused.write_text("a O O\nb O\n", encoding="utf-8")
    for name in ("elmo-tasks", "allennlp"):
        done = run_command(name, "score", "ner", FIXTURES / "ner/iob1.txt", folder=tmp_path)
        assert (done.returncode, done.stdout) == (0, expected), done.stderr
    for name, status, file in (("elmo-tasks", 1, refused), ("elmo-tasks", 2, "nowhere"), ("allennlp", 1, refused)):
        done = run_command(name, "score", "ner", file, folder=tmp_path)
        assert (done.returncode, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr
        assert f"error: {file}:" in done.stderr


def test_scores_are_made_without_torch_and_allennlp(run_command: RunCommand) -> None:
    code = (
        "import sys; from elmo_tasks.commands.main import main;"
        f"assert main(['score', 'ner', {str(FIXTURES / 'ner/iob1.txt')!r}]) == 0;"
        f"assert main(['score', 'sst5', {str(TREES)!r}, {str(FIXTURES / 'sst5/eight_all.labels')!r}]) == 0;"
        "print([name for name in ('torch', 'allennlp', 'numpy', 'h5py', 'scipy') if name in sys.modules])"
    )
    done = run_command("python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
