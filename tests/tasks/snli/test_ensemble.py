"""An ensemble of trained models: the command that makes it, and AllenNLP's commands that use it."""

import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data.batch import Batch
from allennlp.models import Archive, Model, load_archive
from allennlp.predictors import Predictor

from elmo_tasks.commands import main as program
from elmo_tasks.formats.snli import LABELS
from elmo_tasks.tasks.snli.predictor import SNLIPredictor
from tests.tasks.conftest import published

PAIRS = [("A film is dull .", "A film is here ."), ("Dogs", "Dogs run"), ("Her home is warm !", "It is cold .")]


@pytest.fixture(scope="module")
def archives(tiny_profile: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Archives of ELMo's arm with three seeds, and of the baseline."""
    folder = tmp_path_factory.mktemp("members")
    made = {}
    with published(tiny_profile):
        for name, arm, seed in (("one", "elmo", 1), ("two", "elmo", 2), ("three", "elmo", 3), ("base", "baseline", 1)):
            overrides = {f"{kind}_seed": seed for kind in ("random", "numpy", "pytorch")}
            overrides["model.elmo_at_output.do_layer_norm" if arm == "elmo" else "trainer.num_epochs"] = arm != "elmo"
            params = Params.from_file(repository / "experiments" / "snli" / f"{arm}.jsonnet", overrides)
            train_model(params, folder / name)
            made[name] = folder / name / "model.tar.gz"
    return made


def make(output: Path, *members: Path, force: bool = False) -> int:
    return program.main(["ensemble", str(output), *map(str, members), *(["--force"] if force else [])])


def logits_of(archive: Archive) -> np.ndarray:
    """Of all pairs in one batch, in double precision."""
    reader, model = archive.validation_dataset_reader, archive.model.double().eval()
    instances = [reader.text_to_instance(*(text.split(" ") for text in pair)) for pair in PAIRS]
    for instance in instances:
        reader.apply_token_indexers(instance)
    batch = Batch(instances)
    batch.index_instances(model.vocab)
    with torch.no_grad():
        logits: np.ndarray = model(**batch.as_tensor_dict())["logits"].numpy()
    return logits


def probabilities(logits: np.ndarray) -> np.ndarray:
    return np.array([np.exp(row) / sum(np.exp(row)) for row in logits])


def test_an_ensemble_gives_the_mean_of_its_members_probabilities(archives: dict[str, Path], tmp_path: Path) -> None:
    names = ("one", "two", "three")
    each = [probabilities(logits_of(load_archive(archives[name]))) for name in names]
    together = []
    for order in (names, names[::-1]):
        assert make(tmp_path / "all.tar.gz", *(archives[name] for name in order), force=True) == 0
        together.append(probabilities(logits_of(load_archive(tmp_path / "all.tar.gz"))))
    np.testing.assert_allclose(together[0], sum(each) / 3, rtol=0, atol=1e-12)
    np.testing.assert_allclose(together[1], together[0], rtol=0, atol=1e-12)
    assert np.abs(each[0] - each[1]).max() > 1e-3  # the members differ at all


def test_an_ensemble_of_copies_is_the_member(archives: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copy(archives["one"], tmp_path / "copy.tar.gz")
    make(tmp_path / "twice.tar.gz", archives["one"], copy)
    alone, twice = (
        probabilities(logits_of(load_archive(path))) for path in (archives["one"], tmp_path / "twice.tar.gz")
    )
    np.testing.assert_allclose(twice, alone, rtol=0, atol=1e-12)


def test_the_archive_needs_nothing_else_and_has_once_what_is_equal(
    archives: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "both.tar.gz"
    make(output, archives["one"], archives["two"])
    with tarfile.open(output) as archive:
        names = sorted(archive.getnames())
        config = json.load(archive.extractfile("config.json"))
        weights = torch.load(io.BytesIO(archive.extractfile("weights.th").read()), weights_only=True)
    assert [name for name in names if "/" not in name] == ["config.json", "meta.json", "vocabulary", "weights.th"]
    assert "pretrained_file" not in json.dumps(config)
    assert "trainer" not in config
    model = load_archive(output).model
    one, two = (dict(member.named_parameters()) for member in model.members)
    shared = {name for name in one if one[name].data_ptr() == two[name].data_ptr()}
    # not the word vectors: each seed has its own for the words that the file lacks
    assert shared == {name for name in one if ".bilm." in name}
    single = sum(parameter.numel() for parameter in one.values())
    common = sum(one[name].numel() for name in shared)
    assert capsys.readouterr().out == (
        f"{output}: 2 models of type 'paper_snli', {2 * single:,} numbers, of which {common:,} are shared\n"
    )
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in weights.values()}
    assert sum(storages.values()) == 4 * (2 * single - common)


def test_evaluate_and_predict_take_it_as_its_members(
    run_command, archives: dict[str, Path], repository: Path, tmp_path: Path
) -> None:
    output, data = tmp_path / "all.tar.gz", repository / "fixtures" / "snli" / "dev.jsonl"
    made = run_command("elmo-tasks", "ensemble", output, *(archives[name] for name in ("one", "two")))
    assert made.returncode == 0, made.stderr
    labels = tmp_path / "labels.jsonl"
    options = ["--predictions-output-file", labels, "-o", json.dumps({"evaluation": {"type": "official"}})]
    scores = tmp_path / "scores.json"
    evaluated = run_command("allennlp", "evaluate", output, data, "--output-file", scores, *options, folder=tmp_path)
    assert evaluated.returncode == 0, evaluated.stderr
    accuracy = json.loads(scores.read_text(encoding="utf-8"))["accuracy"]
    scored = run_command("elmo-tasks", "score", "snli", data, labels, "--json")
    assert json.loads(scored.stdout)["accuracy"] == pytest.approx(100 * accuracy, abs=0.005)

    predictor = Predictor.from_path(output)
    assert type(predictor) is SNLIPredictor
    answer = predictor.predict_json({"premise": "A film is dull.", "hypothesis": ["Warm"]})
    assert set(answer["probabilities"]) == set(LABELS)
    assert sum(answer["probabilities"].values()) == pytest.approx(1.0)


@pytest.fixture
def changed(archives: dict[str, Path], tmp_path: Path) -> Any:
    """Writes the archive "two" with a changed file, or without it."""

    def change(file: str, content: str | None) -> Path:
        folder = tmp_path / "unpacked"
        with tarfile.open(archives["two"]) as archive:
            archive.extractall(folder, filter="data")
        if content is None:
            shutil.rmtree(folder / file) if (folder / file).is_dir() else (folder / file).unlink()
        else:
            (folder / file).write_text(content, encoding="utf-8")
        path = tmp_path / "changed.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name in os.listdir(folder):
                archive.add(folder / name, arcname=name)
        return path

    return change


def test_the_order_of_the_vocabularys_namespaces_is_nothing(
    archives: dict[str, Path], changed: Any, tmp_path: Path
) -> None:
    """AllenNLP writes a set of them, in an order that depends on the process."""
    file = "vocabulary/non_padded_namespaces.txt"
    with tarfile.open(archives["two"]) as archive:
        names = archive.extractfile(file).read().decode().splitlines()
    assert len(names) > 1
    for order in (names, names[::-1]):
        path = changed(file, "".join(f"{name}\n" for name in order))
        assert make(tmp_path / "out.tar.gz", archives["one"], path, force=True) == 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, **options: Any) -> str:
    with pytest.raises(SystemExit) as raised:
        make(*arguments, **options)
    assert raised.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_archives_that_do_not_fit_together(
    archives: dict[str, Path], changed: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, one, base = tmp_path / "out.tar.gz", archives["one"], archives["base"]
    elmo = "dataset_reader.token_indexers.elmo"
    assert f"{base}: {elmo} is not there, but in {one} it is {{" in refused(capsys, output, one, base)
    words = changed("vocabulary/tokens.txt", "one\ntwo\n")
    assert f"{words}: its vocabulary is not that of {one}, vocabulary/tokens.txt differs" in refused(
        capsys, output, one, words
    )
    tagger = changed("config.json", json.dumps({"model": {"type": "paper_ner"}}))
    assert f"{tagger}: its model is of type 'paper_ner', but that of {one} is of type 'paper_snli'." in refused(
        capsys, output, one, tagger
    )
    assert f"{tagger}: its model is of type 'paper_ner', expected one that can be averaged: " in refused(
        capsys, output, tagger, one
    )
    unknown = changed("config.json", json.dumps({"model": {"type": "no_such"}}))
    assert "its model is of type 'no_such', which is not registered here." in refused(capsys, output, unknown, one)
    assert list(tmp_path.glob(".*")) == []
    assert not output.exists()


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("config.json", None, "this is no archive of a model, there is no config.json in it."),
        ("vocabulary", None, "this is no archive of a model, there is no vocabulary in it."),
        ("config.json", "{", "the archive's config.json is no config of a model ("),
        ("config.json", "[]", "the archive's config.json is no config of a model ("),
        ("weights.th", "no weights", "the archive's weights.th cannot be read ("),
    ],
)
def test_what_is_no_archive_of_a_model(
    archives: dict[str, Path],
    changed: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    content: str | None,
    sentence: str,
) -> None:
    path = changed(file, content)
    assert f"{path}: {sentence}" in refused(capsys, tmp_path / "out.tar.gz", archives["one"], path)


def test_files_that_are_not_there_or_in_the_way(
    archives: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, output = archives["one"], archives["two"], tmp_path / "out.tar.gz"
    assert "an ensemble needs two archives or more, found 1." in refused(capsys, output, one)
    assert f"{tmp_path}/none.tar.gz: there is no such file." in refused(capsys, output, one, tmp_path / "none.tar.gz")
    assert "this is a folder, expected an archive; that of a training is" in refused(capsys, output, one, two.parent)
    text = tmp_path / "text.tar.gz"
    text.write_text("no archive", encoding="utf-8")
    assert f"{text}: found no complete .tar.gz archive of a model" in refused(capsys, output, one, text)
    assert "there is no such folder." in refused(capsys, tmp_path / "no" / "out.tar.gz", one, two)
    output.write_text("mine", encoding="utf-8")
    assert f"{output} is there already; name another file, or say --force" in refused(capsys, output, one, two)
    assert refused(capsys, output, one, text, force=True)
    assert output.read_text(encoding="utf-8") == "mine"  # a failure leaves the old file
    assert make(output, one, two, force=True) == 0
    assert isinstance(load_archive(output).model, Model)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tar.gz", "text.tar.gz"]
