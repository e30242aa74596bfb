"""`elmo-tasks bilm …` and `allennlp bilm …`: what they print, that the figures are the trainer's, and mistakes."""

import gzip
import json
import lzma
import math
import random
import re
from pathlib import Path

import pytest

from elmo_tasks.bilm.characters import map_treebank_token
from elmo_tasks.bilm.training.config import TrainingConfig
from elmo_tasks.bilm.training.corpus import read_sentences
from elmo_tasks.bilm.training.perplexity import perplexity
from elmo_tasks.bilm.training.trainer import Trainer
from elmo_tasks.commands.main import main
from tests.conftest import RunCommand

MODEL = {
    "lstm": {"dim": 8, "projection_dim": 4, "n_layers": 2, "cell_clip": 3, "proj_clip": 3},
    "char_cnn": {"embedding": {"dim": 4}, "filters": [[1, 4], [2, 4]], "max_characters_per_token": 12},
}
WORDS = ["the", "cat", "dog", "sees", "a", "mouse", ".", "and"]


def text(seed: int, lines: int) -> str:
    choose = random.Random(seed)
    return "".join(" ".join(choose.choices(WORDS, k=choose.randint(1, 9))) + "\n" for _ in range(lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a configuration, and the biLM it trains in `out`; tests write to folders of their own."""
    folder = tmp_path_factory.mktemp("bilm")
    (folder / "train.txt").write_text(text(1, 80))
    (folder / "one.txt").write_text(text(2, 40))
    (folder / "two.txt").write_text(text(3, 25) + "an unheard-of mouse .\n")
    content = {"corpus": "train.txt", "output": "out", "model": MODEL, "negative_samples": 0, "batch_size": 4}
    content |= {"unroll_steps": 5, "epochs": 1, "device": "cpu", "threads": 1, "tensorboard": False}
    content |= {"heldout": {"one": "one.txt", "two": "two.txt"}}
    (folder / "config.json").write_text(json.dumps(content))
    assert main(["bilm", "train", str(folder / "config.json")]) == 0
    return folder


def mistake(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command says that ends with status 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["bilm", *map(str, arguments)])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err.removeprefix("error: ").rstrip("\n")


class TestVocab:
    def test_counted_over_shards_of_every_kind(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "a-1.txt").write_bytes(b"b a b\r\nc b\r\n")
        (tmp_path / "a-2.txt.gz").write_bytes(gzip.compress(b"a d\n"))
        (tmp_path / "e.txt.xz").write_bytes(lzma.compress(b"c b\n"))
        output = tmp_path / "new" / "vocabulary.txt"
        command = ["bilm", "vocab", str(tmp_path / "a-*"), str(tmp_path / "e.txt.xz"), "--output", str(output)]
        assert main(command) == 0
        assert output.read_bytes() == b"<S>\n</S>\n<UNK>\nb\na\nc\nd\n"
        assert capsys.readouterr().out == (
            f"{output}: 9 tokens, 4 distinct words; kept 7 with the three special ones, which cover 100.00 % of the "
            "tokens\n"
        )
        assert main([*command, "--max-size", "5", "--min-count", "2"]) == 0
        assert output.read_text().split()[3:] == ["b", "a"]
        assert "kept 5 with the three special ones, which cover 66.67 % of the tokens" in capsys.readouterr().out

    def test_mistakes(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        shard, output = tmp_path / "a.txt", tmp_path / "v.txt"
        said = mistake(capsys, "vocab", shard, "--output", output)
        assert said == f"{shard}: no such file; expected the shards of the corpus, one tokenised sentence a line."
        shard.write_text("\n \n")
        said = mistake(capsys, "vocab", shard, "--output", output)
        assert said == f"{shard}: no sentence in this shard; expected one tokenised sentence a line."
        shard.write_bytes(b"fine\ncaf\xe9\n")
        assert mistake(capsys, "vocab", shard, "--output", output).startswith(f"{shard}:2: the line is not UTF-8")
        shard.write_text("a b\n")
        said = mistake(capsys, "vocab", shard, "--output", output, "--min-count", 2)
        assert said == f"{shard}: no word of this corpus comes 2 times; lower the smallest count of a word."
        said = mistake(capsys, "vocab", shard, "--output", shard / "v.txt")
        assert said == f"{shard}: the output folder cannot be made (File exists); name another one."
        assert not output.exists()

    @pytest.mark.parametrize("given", [["--max-size", "3"], ["--min-count", "0"], ["--max-size", "many"]])
    def test_numbers_that_are_none(self, given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(["bilm", "vocab", "x", "--output", "y", *given])
        assert ended.value.code == 2
        assert f"found {given[1]!r}" in capsys.readouterr().err


class TestEvaluate:
    def test_the_figures_are_the_trainers(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        logged = [json.loads(line) for line in (folder / "out" / "log.jsonl").read_text().splitlines()]
        files = [str(folder / name) for name in ("one.txt", "two.txt")]
        assert main(["bilm", "evaluate", str(folder / "out"), *files, "--json"]) == 0
        entries = json.loads(capsys.readouterr().out)
        expected = [entry for entry in logged if "heldout" in entry]
        for entry in expected:
            entry.pop("batch")
            assert entry.pop("at_the_end")
            entry["file"] = str(folder / f"{entry.pop('heldout')}.txt")
        assert entries[:4] == expected
        # Of all together: the mean loss over all targets.
        for number, policy in enumerate(("reset", "carry")):
            parts, total = entries[number:4:2], entries[4 + number]
            assert (total["file"], total["state_policy"]) == (None, policy)
            assert total["num_targets"] == sum(part["num_targets"] for part in parts)
            for key in ("forward", "backward", "mean"):
                loss = sum(math.log(part[key]) * part["num_targets"] for part in parts) / total["num_targets"]
                assert total[key] == pytest.approx(math.exp(loss), rel=1e-12)
            assert total["unknown_share"] == pytest.approx(2 / total["num_targets"])

    def test_lines_and_choices(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        one, two = str(folder / "one.txt"), str(folder / "two.txt")
        trainer = Trainer(TrainingConfig.from_file(folder / "config.json"), say=lambda line: None)
        trainer._resume()
        capsys.readouterr()
        assert main(["bilm", "evaluate", str(folder / "out"), one, "--state", "carry", "--sentences", "7"]) == 0
        expected = perplexity(trainer.model, trainer.vocabulary, one, "carry", 7)
        assert capsys.readouterr().out == f"{one}: {expected}\n"
        assert main(["bilm", "evaluate", str(folder / "out"), one, two]) == 0
        names = [line.split(": perplexity")[0] for line in capsys.readouterr().out.splitlines()]
        assert names == [one, one, two, two, "all", "all"]

    def test_windows_line_ends_are_no_words(self, folder: Path, tmp_path: Path, capsys) -> None:
        (tmp_path / "w.txt").write_bytes((folder / "one.txt").read_bytes().replace(b"\n", b"\r\n"))
        figures = []
        for path in (tmp_path / "w.txt", folder / "one.txt"):
            assert main(["bilm", "evaluate", str(folder / "out"), str(path)]) == 0
            figures.append(capsys.readouterr().out.replace(str(path), ""))
        assert figures[0] == figures[1]

    def test_mistakes(self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert mistake(capsys, "evaluate", tmp_path, folder / "one.txt").startswith(f"{tmp_path}/options.json: ")
        empty, out = tmp_path / "empty.txt", folder / "out"
        empty.write_text("\n")
        # Said before the first file is measured.
        said = mistake(capsys, "evaluate", out, folder / "one.txt", empty)
        assert said == f"{empty}: no sentence in this shard; expected one tokenised sentence a line."
        for name in ("options.json", "weights.hdf5", "vocabulary.txt"):
            (tmp_path / name).write_bytes((out / name).read_bytes())
        said = mistake(capsys, "evaluate", tmp_path, folder / "one.txt")
        assert said.startswith(f"{tmp_path}/softmax.hdf5: no such file; a perplexity needs the softmax")


class TestExport:
    def test_exported_and_measured(self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        there = tmp_path / "there"
        capsys.readouterr()
        assert main(["bilm", "export", str(folder / "out"), str(there)]) == 0
        assert capsys.readouterr().out.startswith(f"{there}: the biLM after ")
        lines = []
        for exported in (folder / "out", there):
            assert main(["bilm", "evaluate", str(exported), str(folder / "one.txt")]) == 0
            lines.append(capsys.readouterr().out)
        assert lines[0] == lines[1]

    def test_mistakes(self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        said = mistake(capsys, "export", tmp_path, tmp_path / "there")
        assert said == f"{tmp_path}/checkpoint.pt: no such file; expected the output folder of a biLM's training."
        (tmp_path / "file").write_text("x")
        said = mistake(capsys, "export", folder / "out", tmp_path / "file" / "there")
        assert said == f"{tmp_path}/file/there: the output folder cannot be made (Not a directory); name another one."


class TestText:
    """The texts of the sample's tasks, which the default profile has."""

    @pytest.fixture
    def configs(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.delenv("ELMO_TASKS_PROFILE", raising=False)
        for published in ("ELMO_TASKS_PROFILE_JSON", "ELMO_TASKS_SEED"):
            monkeypatch.setenv(published, "1")  # so that what the command publishes is gone after the test
        return repository / "experiments"

    def test_each_sentence_of_a_split_once(
        self, configs: Path, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        output = tmp_path / "new" / "dev.txt"
        assert main(["bilm", "text", str(configs / "sst5" / "elmo.jsonnet"), str(output), "--split", "dev"]) == 0
        trees = (repository / "fixtures" / "sample" / "sst5" / "dev.txt").read_text().splitlines()
        leaves = [re.findall(r"([^ ()]+)\)", tree) for tree in trees]
        # the profile's biLM is of plain text
        sentences = list(dict.fromkeys(" ".join(map(map_treebank_token, words)) for words in leaves))
        assert output.read_text().splitlines() == sentences
        tokens = sum(len(sentence.split()) for sentence in sentences)
        said = capsys.readouterr().out
        assert said == f"{output}: {len(sentences):,} different texts, {tokens:,} tokens\n"
        assert list(read_sentences(output)) == [sentence.split() for sentence in sentences]

    def test_both_texts_of_a_pair_and_overrides(self, configs: Path, repository: Path, tmp_path: Path) -> None:
        pairs = repository / "fixtures" / "sample" / "snli" / "dev.jsonl"
        some = tmp_path / "some.jsonl"
        some.write_text("".join(pairs.read_text().splitlines(keepends=True)[:5]))
        overrides = json.dumps({"train_data_path": str(some)})
        arguments = [str(configs / "snli" / "elmo.jsonnet"), str(tmp_path / "train.txt"), "-o", overrides]
        assert main(["bilm", "text", *arguments]) == 0
        read = [json.loads(line) for line in some.read_text().splitlines()]
        texts = {pair[key].replace(" ", "") for pair in read for key in ("sentence1", "sentence2")}
        written = (tmp_path / "train.txt").read_text().splitlines()
        assert len(written) == len(set(written))
        assert {line.replace(" ", "") for line in written} == texts

    def test_mistakes(self, configs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        output = tmp_path / "out.txt"
        baseline, elmo = configs / "ner" / "baseline.jsonnet", configs / "ner" / "elmo.jsonnet"
        said = mistake(capsys, "text", baseline, output, "--split", "dev")
        assert said.startswith(f"{baseline}: no text of 'dev' has the token indexer 'bilm_characters'")
        said = mistake(capsys, "text", elmo, output, "-o", '{"train_data_path": null}')
        assert said == f"{elmo}: has no train_data_path, so there is no text of 'train'."
        said = mistake(capsys, "text", elmo, output, "-o", '{"dataset_reader": null}')
        assert said == f"{elmo}: has no dataset_reader."
        said = mistake(capsys, "text", elmo, output, "-o", '{"train_data_path": ')
        assert said == '--overrides is not valid JSON (Expecting value): {"train_data_path": '
        said = mistake(capsys, "text", elmo, output, "-o", "[1]")
        assert said == "--overrides is [1], expected a JSON object of dotted keys and values."
        assert mistake(capsys, "text", tmp_path / "none.jsonnet", output).startswith(f"{tmp_path}/none.jsonnet: ")
        (tmp_path / "broken.jsonnet").write_text("{ a: }")
        assert mistake(capsys, "text", tmp_path / "broken.jsonnet", output).startswith(f"{tmp_path}/broken.jsonnet: ")
        assert not output.exists()


def test_nothing_said_is_a_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["bilm"], ["bilm", "trian", "x"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert capsys.readouterr().err.startswith("usage: elmo-tasks bilm")


# Each command is what AllenNLP makes of its arguments; all of them in one process, which takes seconds to begin.
AS_ALLENNLP = """
import json, sys
from allennlp.commands import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["allennlp", "bilm", *arguments]
    try:
        main(prog="allennlp")
    except SystemExit as ended:
        if ended.code:
            raise
"""


def test_from_a_text_to_a_perplexity_as_commands_of_allennlp(
    folder: Path, tmp_path: Path, run_command: RunCommand, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((folder / "config.json").read_text()) | {"vocabulary": "words.txt", "vocabulary_size": 9}
    (tmp_path / "config.json").write_text(json.dumps(content))
    for name in ("train.txt", "one.txt", "two.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    commands = [
        ["vocab", "train.txt", "--output", "words.txt"],
        ["train", "config.json"],
        ["export", "out", "exported", "--dtype", "float16"],
        ["evaluate", "exported", "one.txt", "two.txt", "--state", "carry"],
        ["evaluate", "exported", "one.txt", "none.txt"],
    ]
    done = run_command("python", "-c", AS_ALLENNLP, json.dumps(commands), folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: none.txt: no such file")
    assert "Traceback" not in done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith("words.txt: ")
    assert (tmp_path / "words.txt").read_text().split()[:3] == ["<S>", "</S>", "<UNK>"]
    assert re.fullmatch(r"exported: the biLM after \d+ batches", said[1])
    capsys.readouterr()
    files = [str(tmp_path / name) for name in ("one.txt", "two.txt")]
    assert main(["bilm", "evaluate", str(tmp_path / "exported"), *files, "--state", "carry"]) == 0
    assert said[2:] == capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines()
    assert all("V = 9," in line for line in said[2:])
