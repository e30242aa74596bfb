"""The command `score`: its output to the byte, its exit status, its sentences."""

import gzip
import json
import lzma
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.commands.conftest import score
from tests.conftest import RunCommand

FIXTURES = Path(__file__).parents[2] / "fixtures/scoring"
SNLI = {
    # Of the pairs with a label those that are right; pairs without one, without a prediction, and unknown pairIDs.
    "nine_all": (7, 2, 0, 0),
    "nine_five": (5, 2, 0, 0),
    "nine_further_keys": (4, 2, 0, 0),
    "nine_labelled_only": (7, 2, 0, 0),
    "nine_neutral": (2, 2, 0, 0),
    "nine_none": (0, 2, 0, 0),
    "nine_reordered": (6, 2, 0, 0),
    "nine_two_missing": (5, 2, 2, 0),
    "nine_unknown": (7, 2, 0, 2),
    "three_all": (3, 0, 0, 0),
    "three_other_ids": (0, 0, 3, 3),
    "three_two": (2, 0, 0, 0),
}
SQUAD = sorted(path.name.removesuffix(".dataset.json") for path in (FIXTURES / "squad").glob("*.dataset.json"))
SST5 = sorted(path.stem for path in (FIXTURES / "sst5").glob("*.labels"))
TREES = FIXTURES / "sst5/eight.trees"


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


@pytest.mark.parametrize("name", SNLI)
def test_snli_prints_the_accuracy(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    correct, skipped, missing, unknown = SNLI[name]
    files = (FIXTURES / f"snli/{name.partition('_')[0]}.jsonl", FIXTURES / f"snli/{name}.labels.jsonl")
    assert score("snli", *files) == 0
    out, err = capsys.readouterr()
    assert out == (FIXTURES / f"snli/{name}.out").read_text(encoding="utf-8")
    lines = err.splitlines()
    assert len(lines) == missing + bool(unknown) + bool(skipped)
    assert all(line.startswith(f"warning: {files[1]}: ") for line in lines[: missing + bool(unknown)])
    assert score("snli", *files, "--json") == 0
    total = 7 if name.startswith("nine") else 3
    assert json.loads(capsys.readouterr().out) == {
        "accuracy": round(100 * correct / total, 2),
        "correct": correct,
        "total": total,
        "skipped": skipped,
        "missing": missing,
        "unknown": unknown,
    }


def test_gold_pairs_may_be_standard_input(standard_input, capsys: pytest.CaptureFixture[str]) -> None:
    standard_input((FIXTURES / "snli/nine.jsonl").read_bytes())
    assert score("snli", "-", FIXTURES / "snli/nine_five.labels.jsonl") == 0
    out, err = capsys.readouterr()
    assert out == (FIXTURES / "snli/nine_five.out").read_text(encoding="utf-8")
    assert "warning: standard input: 2 of 9 items have no gold label and do not count.\n" in err


def test_snli_has_enough_cases() -> None:
    assert sorted(SNLI) == sorted(path.name.removesuffix(".labels.jsonl") for path in FIXTURES.glob("snli/*.labels.*"))
    assert len(SNLI) >= 10


def test_snli_on_real_pairs(shared_folder: Path, standard_input, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything entailed: right for 3,368 of the 9,824 test pairs with a label; one pair is left out."""
    path = shared_folder / "data/snli/snli_1.0_test.jsonl.xz"
    pairs = [json.loads(line) for line in lzma.decompress(path.read_bytes()).splitlines()]
    left_out = next(pair["pairID"] for pair in pairs if pair["gold_label"] == "entailment")
    answers = [{"pairID": pair["pairID"], "label": "entailment"} for pair in pairs if pair["pairID"] != left_out]
    standard_input("".join(f"{json.dumps(answer)}\n" for answer in answers).encode())
    assert score("snli", path, "-") == 0
    assert capsys.readouterr() == (
        "accuracy: 34.27%  correct: 3367 / 9824\n",
        f"warning: standard input: there is no label for '{left_out}', which counts as wrong.\n"
        f"warning: {path}: 176 of 10000 items have no gold label and do not count.\n",
    )


@pytest.mark.parametrize("name", SQUAD)
def test_squad_prints_what_the_script_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert score("squad", FIXTURES / f"squad/{name}.dataset.json", FIXTURES / f"squad/{name}.predictions.json") == 0
    err = FIXTURES / f"squad/{name}.err"
    assert capsys.readouterr() == (
        (FIXTURES / f"squad/{name}.out").read_text(encoding="utf-8"),
        err.read_text(encoding="utf-8") if err.exists() else "",
    )


def test_squad_equals_all_official_outputs(
    shared_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both streams; the thirteenth case is the dataset with another version, which is made here."""
    folder = shared_folder / "data/golden/squad"
    cases = sorted(folder.glob("*.predictions.json.xz"))
    assert len(cases) == 14
    for case in cases:
        name = case.name.removesuffix(".predictions.json.xz")
        own, err = folder / f"{name}.dataset.json.xz", folder / f"{name}.err.xz"
        dataset = own if own.exists() else folder / "dataset1000.json.xz"
        if name == "case13_dataset_version_1.0":
            content = json.loads(lzma.decompress(dataset.read_bytes()))
            dataset = tmp_path / "dataset.json.gz"
            dataset.write_bytes(gzip.compress(json.dumps({**content, "version": "1.0"}).encode()))
        assert score("squad", dataset, case) == 0
        assert capsys.readouterr() == (
            (folder / f"{name}.out").read_text(encoding="utf-8"),
            lzma.decompress(err.read_bytes()).decode() if err.exists() else "",
        )


def test_squad_as_json_from_standard_input(standard_input, capsys: pytest.CaptureFixture[str]) -> None:
    standard_input((FIXTURES / "squad/missing.predictions.json").read_bytes())
    assert score("squad", FIXTURES / "squad/missing.dataset.json", "-", "--json") == 0
    counts = {"total": 4, "answered": 2, "missing": 2, "unknown": 0}
    assert json.loads(capsys.readouterr().out) == {"exact_match": 25.0, "f1": 41.666666666666664, **counts}


def test_squad_warns_of_values_that_its_parser_drops(standard_input, capsys: pytest.CaptureFixture[str]) -> None:
    standard_input(b'{"u1": "boat", "u2": "boat", "u1": "boat", "u1": "Oslo"}')
    assert score("squad", FIXTURES / "squad/unknown_ids.dataset.json", "-") == 0
    assert capsys.readouterr() == (
        '{"exact_match": 100.0, "f1": 100.0}\n',
        "warning: standard input: repeated keys, of which the last value counts: 2, first 'u1'.\n",
    )


def test_squad_refuses_what_the_script_refuses(standard_input, capsys: pytest.CaptureFixture[str]) -> None:
    standard_input(b'{"e1": "Oslo", "e2": 1905}')
    assert score("squad", FIXTURES / "squad/exact.dataset.json", "-") == 1
    assert capsys.readouterr() == (
        "",
        "error: standard input: the prediction for 'e2' must be a string; the official script ends with "
        "AttributeError: 'int' object has no attribute 'lower'.\n",
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    task=st.sampled_from(
        [("squad", "exact.dataset.json", "exact.predictions.json")] * 2
        + [("snli", "three.jsonl", "three_two.labels.jsonl")] * 2
    ),
    file=st.sampled_from([1, 2]),
    begin=st.integers(0, 700),
    length=st.integers(0, 30),
    inserted=st.sampled_from([b"", b" ", b'"', b"}", b"]", b",", b"\n", b"\xe9", b"\x00", b"7", b"null", b"{}", b"-"]),
)
def test_changed_files_have_a_score_or_a_sentence(
    tmp_path: Path,
    task: tuple[str, str, str],
    file: int,
    begin: int,
    length: int,
    inserted: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [FIXTURES / task[0] / name for name in task[1:]]
    content = files[file - 1].read_bytes()
    files[file - 1] = tmp_path / "changed"
    files[file - 1].write_bytes(content[:begin] + inserted + content[begin + length :])
    status = score(task[0], *files)
    out, err = capsys.readouterr()
    if status == 0:
        assert out.startswith('{"exact_match": ' if task[0] == "squad" else "accuracy: ")
        return
    assert status in ((1, 2) if task[0] == "squad" else (2,))
    assert out == ""
    assert err.startswith(f"error: {tmp_path / 'changed'}:")
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
        (["snli", "nowhere", "predicted"], {}, "nowhere: there is no such file."),
        (["snli", "pairs", "nowhere"], {}, "nowhere: there is no such file."),
        (["snli", "pairs", "-"], {}, "standard input: the file is empty, expected one JSON object a line, with "),
        (["snli", "predicted", "pairs"], {}, 'predicted:1: there is no "gold_label" among the keys'),
        (["snli", "pairs", "pairs"], {}, 'pairs:1: there is no "label" among the keys'),
        (
            ["snli", "pairs", "cut.gz"],
            {"cut.gz": gzip.compress(b'{"pairID": "a", "label": "neutral"}\n')[:20]},
            "cut.gz:1: the compressed file is damaged or cut short here",
        ),
        (
            ["snli", "unlabelled", "predicted"],
            {"unlabelled": b'{"gold_label": "-", "pairID": "a", "sentence1": "a", "sentence2": "b"}'},
            "unlabelled: no item has a gold label, there is nothing to score.",
        ),
        (["squad", "nowhere", "answers"], {}, "nowhere: there is no such file."),
        (["squad", "dataset", "nowhere"], {}, "nowhere: there is no such file."),
        (["squad", "dataset", "empty"], {"empty": b""}, "empty: the file is empty, expected a JSON object."),
        (["squad", "-", "-"], {}, "standard input: the file is empty, expected a JSON object."),
        (["squad", "dataset", "cut"], {"cut": b'{\n "a": "b'}, "cut:2: column 7: this is not JSON (Unterminated"),
        (["squad", "dataset", "list"], {"list": b'["Oslo"]'}, "list: expected a JSON object, found a list."),
        (
            ["squad", "dataset", "bytes"],
            {"bytes": b'{"a":\n"\xe9"}'},
            "bytes:2: byte 2 of the line (0xe9) is not UTF-8",
        ),
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
    shutil.copy(FIXTURES / "snli/three.jsonl", "pairs")
    shutil.copy(FIXTURES / "snli/three_all.labels.jsonl", "predicted")
    shutil.copy(FIXTURES / "squad/exact.dataset.json", "dataset")
    shutil.copy(FIXTURES / "squad/exact.predictions.json", "answers")
    for name, content in files.items():
        Path(name).write_bytes(content)
    assert score(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {sentence}")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["nre"], ["ner"], ["sst5", "one"], ["snli", "one"], ["squad"]], ids=str)
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
        f"snli, squad = {str(FIXTURES / 'snli')!r}, {str(FIXTURES / 'squad')!r};"
        "assert main(['score', 'snli', f'{snli}/nine.jsonl', f'{snli}/nine_five.labels.jsonl']) == 0;"
        "assert main(['score', 'squad', f'{squad}/exact.dataset.json', f'{squad}/exact.predictions.json']) == 0;"
        f"srl = {str(FIXTURES / 'srl')!r};"
        "assert main(['score', 'srl', f'{srl}/exact.gold.props', f'{srl}/exact.predicted.props']) == 0;"
        "print([name for name in ('torch', 'allennlp', 'numpy', 'h5py', 'scipy') if name in sys.modules])"
    )
    done = run_command("python", "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
