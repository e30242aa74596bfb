"""The command `score coref`: its table, its object, its exit status, its sentences."""

import gzip
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import rows_of_docs, score
from tests.conftest import RunCommand

FIXTURES = Path(__file__).parents[2] / "fixtures/scoring/coref"
CASES = sorted(path.stem for path in FIXTURES.glob("*.key"))
NESTED = FIXTURES / "nested_and_crossing.key", FIXTURES / "nested_and_crossing.response"


@pytest.mark.parametrize("name", CASES)
def test_it_prints_a_table_or_refuses(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FIXTURES)
    out, err = Path(f"{name}.out"), Path(f"{name}.err")
    assert score("coref", f"{name}.key", f"{name}.response") == (0 if out.exists() else 1)
    assert capsys.readouterr() == tuple(
        path.read_text(encoding="utf-8") if path.exists() else "" for path in (out, err)
    )


def test_only_too_many_repeated_mentions_are_refused() -> None:
    assert sorted({*CASES} - {path.stem for path in FIXTURES.glob("*.out")}) == ["too_many_repeats"]


def test_it_equals_all_official_outputs(
    shared_folder: Path,
    tmp_path: Path,
    standard_input: Callable[[bytes], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every third response is read from standard input, every third is compressed."""
    with tarfile.open(shared_folder / "data/golden/coref/golden_coref.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    expected = json.loads((tmp_path / "coref/expected.json").read_text(encoding="utf-8"))
    assert len(expected) == 61
    rows = {}
    for number, (name, metrics) in enumerate(expected.items()):
        key, response = (tmp_path / "coref" / name / file for file in ("key_conll", "response_conll"))
        content = response.read_bytes()
        if number % 3 == 1:
            standard_input(content)
            response = Path("-")
        elif number % 3 == 2:
            response = tmp_path / "response.gz"
            response.write_bytes(gzip.compress(content))
        status = score("coref", key, response, "--json")
        out, err = capsys.readouterr()
        if name == "24_too_many_duplicates_refused":
            assert (status, out) == (1, "")
            assert "Found too many repeated mentions (> 10) in the response, so refusing to score. Please fix" in err
            rows[name] = [*[""] * 7, "equal: refused"]
            continue
        assert status == 0
        figures = json.loads(out)
        mean = sum(metrics[metric]["Coreference"]["f1"] for metric in ("muc", "bcub", "ceafe")) / 3
        assert figures.pop("conll") == pytest.approx(mean, abs=1e-12)
        assert figures == {metric: rows for metric, rows in metrics.items() if metric != "_all_refused"}, name
        shown = [metrics[metric]["Coreference"]["f1"] for metric in ("muc", "bcub", "ceafm", "ceafe")]
        shown = [metrics["muc"]["Identification of Mentions"]["f1"], *shown, metrics["blanc"]["BLANC"]["f1"], mean]
        alone = " (each metric alone)" if "_all_refused" in metrics else ""
        rows[name] = [*(f"{f1:.2f}" for f1 in shown), f"equal{alone}"]
    assert rows_of_docs("coref") == rows


def test_the_table_has_the_figures_of_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert score("coref", *NESTED) == 0
    table = [line.rsplit(maxsplit=9) for line in capsys.readouterr().out.splitlines()]
    assert score("coref", *NESTED, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    rows = {
        "mentions": figures["muc"]["Identification of Mentions"],
        **{metric: figures[metric]["Coreference"] for metric in ("muc", "bcub", "ceafm", "ceafe")},
    }
    assert [row[0] for row in table[1:6]] == list(rows)
    for row, expected in zip(table[1:6], rows.values(), strict=True):
        (recalled, of_key), (precise, of_response) = expected["counts"]
        assert list(map(float, row[1:4])) == [expected["recall"], expected["precision"], expected["f1"]]
        assert (float(row[4]), float(row[6])) == (pytest.approx(recalled, abs=0.005), of_key)
        assert (float(row[7]), float(row[9])) == (pytest.approx(precise, abs=0.005), of_response)
    assert float(table[-1][-1]) == round(figures["conll"], 2) == 70.94


def test_a_folder_of_keys_is_its_files_behind_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = (FIXTURES / "two_documents.key").read_text(encoding="utf-8").partition("#end document\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.v4_gold_conll.gz").write_bytes(gzip.compress("".join(documents[:2]).encode()))
    (tmp_path / "b.gold_conll").write_text(documents[2], encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not read", encoding="utf-8")
    response = FIXTURES / "two_documents.response"
    assert score("coref", tmp_path, response) == 0
    assert capsys.readouterr() == ((FIXTURES / "two_documents.out").read_text(encoding="utf-8"), "")
    (tmp_path / "b.gold_conll").write_text(documents[2].replace("(", "((7", 1).replace("#end document", ""), "utf-8")
    assert score("coref", tmp_path, response) == 2
    assert f"error: {tmp_path}/b.gold_conll:1: this document has no end; expected " in capsys.readouterr().err
    for file in (tmp_path / "b.gold_conll", tmp_path / "a" / "x.v4_gold_conll.gz"):
        file.unlink()
    assert score("coref", tmp_path, response) == 2
    nothing = "no file of this folder has a name that ends in gold_conll, gold_conll.gz, gold_conll.xz."
    assert capsys.readouterr() == ("", f"error: {tmp_path}: {nothing}\n")


@pytest.mark.parametrize(
    ("arguments", "files", "status", "sentence"),
    [
        (["nowhere", "response"], {}, 2, "nowhere: there is no such file."),
        (["key", "nowhere"], {}, 2, "nowhere: there is no such file."),
        (["key", "empty"], {"empty": b""}, 2, "empty: there is no document in this file, expected '#begin document"),
        (["empty", "response"], {"empty": b""}, 2, "empty: there is no document in this file, expected"),
        (["key", "-"], {}, 2, "standard input: there is no document in this file, expected"),
        (
            ["key", "cut.xz"],
            {"cut.xz": lzma.compress(b"#begin document a\n")[:30]},
            2,
            "cut.xz:1: the compressed file is ",
        ),
        (
            ["key", "bytes"],
            {"bytes": b"#begin document a\n\xe9 (1)\n"},
            2,
            "bytes:2: byte 1 of the line (0xe9) is not UTF-8",
        ),
        (
            ["key", "open"],
            {"open": b"#begin document a\nw (1)\n"},
            2,
            "open:1: this document has no end; expected '#end document' at the latest in line 2.",
        ),
        (
            ["no_end", "response"],
            {"no_end": b"#begin document a\nw -\n#begin document b\n#end document\n"},
            2,
            "no_end:3: a document begins, but that of line 1 has no end; expected '#end document' before this line.",
        ),
        (
            ["key", "closes"],
            {"closes": b"#begin document a\nw -\nw 7)\n#end document\n"},
            1,
            "closes:3: Detected the end of a mention [7](0) without begin (?,1); expected '(7' before it",
        ),
        (
            ["opens", "response"],
            {"opens": b"#begin document a\nw (7\nw -\n#end document\n"},
            1,
            "opens:2: Error: some mentions in the document do not close; the one that '(7' begins here is the first",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    files: dict[str, bytes],
    status: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    standard_input: Callable[[bytes], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    standard_input(b"")
    for name, path in zip(("key", "response"), NESTED, strict=True):
        Path(name).write_bytes(path.read_bytes())
    for name, content in files.items():
        Path(name).write_bytes(content)
    assert score("coref", *arguments) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1


def test_a_wrong_command_line_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert score("coref", "one") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: elmo-tasks score coref")


def test_the_real_program_needs_neither_torch_nor_allennlp(run_command: RunCommand) -> None:
    code = (
        "import sys; from elmo_tasks.commands.main import main;"
        f"assert main(['score', 'coref', {str(NESTED[0])!r}, {str(NESTED[1])!r}]) == 0;"
        "print([name for name in ('torch', 'allennlp', 'numpy', 'h5py', 'scipy') if name in sys.modules])"
    )
    done = run_command("python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == NESTED[0].with_suffix(".out").read_text(encoding="utf-8") + "[]\n"
