"""Profiles: what is published, and one sentence for everything that cannot be used."""

import gzip
import json
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from _jsonnet import evaluate_snippet

from elmo_tasks.errors import InputError
from elmo_tasks.reproduce import profile as profiles
from elmo_tasks.reproduce.profile import publish, resolve, vector_dim

OPTIONS = {"lstm": {"dim": 4}, "char_cnn": {"max_characters_per_token": 50}}


@pytest.fixture
def content(tmp_path: Path) -> dict[str, Any]:
    """A profile without fault, beside the files it names."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vectors.txt").write_text("the 0.1 0.2 0.3\n", encoding="utf-8")
    (tmp_path / "data" / "options.json").write_text(json.dumps(OPTIONS), encoding="utf-8")
    for name in ("weights.hdf5", "train.txt", "dev.txt"):
        (tmp_path / "data" / name).touch()
    return {
        "name": "mine",
        "description": "my own",
        "word_vectors": {"file": "data/vectors.txt", "lowercase": True},
        "bilm": {"options_file": "data/options.json", "weights_file": "data/weights.hdf5", "map_treebank_tokens": True},
        "tasks": {"sst5": {"train": "data/train.txt", "dev": "data/dev.txt", "sizes": {"a": 1}, "where": "a shop."}},
    }


Write = Callable[[dict[str, Any]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: dict[str, Any]) -> Path:
        path = tmp_path / "mine.jsonnet"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


def published(path: Path | str) -> Any:
    publish(str(path))
    return json.loads(os.environ[profiles.PUBLISHED_VARIABLE])


@pytest.fixture(autouse=True)
def _environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        profiles.PROFILE_VARIABLE,
        profiles.PUBLISHED_VARIABLE,
        profiles.SEED_VARIABLE,
        profiles.DATA_VARIABLE,
    ):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)


def test_paths_become_absolute_and_options_come_along(content: dict[str, Any], write: Write, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert published(write(content)) == {
        "name": "mine",
        "description": "my own",
        "file": str(tmp_path / "mine.jsonnet"),
        "word_vectors": {"file": f"{data}/vectors.txt", "dim": 3, "lowercase": True, "map_treebank_tokens": False},
        "bilm": {"options": OPTIONS, "weights_file": f"{data}/weights.hdf5", "map_treebank_tokens": True},
        "bilm_random": {"error": f"profile 'mine' ({tmp_path}/mine.jsonnet) has no bilm_random; add it there."},
        "bilm_shuffled": {"error": f"profile 'mine' ({tmp_path}/mine.jsonnet) has no bilm_shuffled; add it there."},
        "tasks": {"sst5": {"train": f"{data}/train.txt", "dev": f"{data}/dev.txt", "sizes": {"a": 1}, "training": {}}},
    }


def test_a_relative_profile_is_found_from_the_current_folder(
    content: dict[str, Any], write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(content)
    monkeypatch.chdir(tmp_path / "data")
    assert resolve("../mine.jsonnet")["word_vectors"]["file"] == str(tmp_path / "data" / "vectors.txt")


Change = Callable[[dict[str, Any], Path], None]


def change(*path: str, value: Any) -> Change:
    def apply(content: dict[str, Any], folder: Path) -> None:
        node = content
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return apply


def overwrite(name: str, text: str) -> Change:
    return lambda content, folder: (folder / "data" / name).write_text(text, encoding="utf-8")


def remove(*names: str) -> Change:
    return lambda content, folder: [(folder / "data" / name).unlink() for name in names]


@pytest.mark.parametrize(
    ("break_it", "entry", "sentence"),
    [
        (
            remove("vectors.txt"),
            "word_vectors",
            "profile 'mine' expects word_vectors at {data}/vectors.txt, but there is no such file",
        ),
        (
            remove("train.txt", "dev.txt"),
            "tasks.sst5",
            "dev.txt (and 1 more of this entry), but there is no such file. Where to get it: a shop.",
        ),
        (remove("weights.hdf5"), "bilm", "expects bilm at {data}/weights.hdf5"),
        (overwrite("options.json", "{"), "bilm", "{data}/options.json: the biLM's options file is not valid JSON"),
        (
            overwrite("vectors.txt", "the 0.1 x\n"),
            "word_vectors",
            "{data}/vectors.txt:1: expected a word and its numbers",
        ),
        (overwrite("vectors.txt", ""), "word_vectors", "{data}/vectors.txt:1: expected a word and its numbers"),
        (
            change("word_vectors", "dim", value=5),
            "word_vectors",
            "word_vectors.dim is 5, but the vectors of {data}/vectors.txt have 3",
        ),
        (
            change("word_vectors", "lower_case", value=True),
            "word_vectors",
            "unknown key 'lower_case'; did you mean 'lowercase'?",
        ),
        (
            change("word_vectors", "lowercase", value="yes"),
            "word_vectors",
            "word_vectors.lowercase is 'yes', expected true or false",
        ),
        (change("bilm", "options_file", value=3), "bilm", "bilm.options_file is 3, expected a path"),
        (change("bilm", value="x"), "bilm", "bilm is 'x', expected an object"),
        (change("tasks", "sst5", "train", value=None), "tasks.sst5", "tasks.sst5.train is None, expected a path"),
        (change("tasks", "sst5", "sizes", value=[]), "tasks.sst5", "tasks.sst5.sizes is [], expected an object"),
        (
            change("tasks", "sst5", "training", value={"optimizer": {}}),
            "tasks.sst5",
            "tasks.sst5.training: unknown key 'optimizer'; known are dataset_reader",
        ),
    ],
)
def test_what_is_wrong_stands_in_the_place_of_its_entry_and_nowhere_else(
    content: dict[str, Any], write: Write, tmp_path: Path, break_it: Change, entry: str, sentence: str
) -> None:
    whole = published(write(content))
    break_it(content, tmp_path)
    broken = published(write(content))
    node, expected = broken, whole
    for key in entry.split("."):
        node, expected = node[key], expected[key]
    assert set(node) == {"error"}
    assert sentence.format(data=tmp_path / "data") in node["error"]
    assert "\n" not in node["error"]
    node.clear()
    node.update(expected)
    assert broken == whole


def test_faults_of_the_whole_profile(content: dict[str, Any], write: Write, tmp_path: Path) -> None:
    def sentence(profile: Path | str) -> str:
        (key, text) = next(iter(published(profile).items()))
        assert key == "error"
        assert "\n" not in text
        return str(text)

    assert "ELMO_TASKS_PROFILE is 'sampel', which is no profile; did you mean 'sample'? Known are" in sentence("sampel")
    assert sentence("opus").endswith(
        "known are open, open-short, open-squad-full, open-sst5-tuned, paper, paper-srl, sample, or give the path of "
        "your own Jsonnet file."
    )
    assert f"there is no file {tmp_path}/no.jsonnet" in sentence(tmp_path / "no.jsonnet")
    assert "mine.jsonnet: unknown key 'task'; did you mean 'tasks'?" in sentence(write({**content, "task": {}}))
    assert "tasks is [], expected an object" in sentence(write({**content, "tasks": []}))
    (tmp_path / "mine.jsonnet").write_text("{ name: 'a', description: std.extVar('NOWHERE') }", encoding="utf-8")
    assert "the profile cannot be evaluated: RUNTIME ERROR: undefined external variable: NOWHERE" in sentence(
        tmp_path / "mine.jsonnet"
    )
    (tmp_path / "mine.jsonnet").write_text("[1", encoding="utf-8")
    assert "the profile cannot be evaluated: STATIC ERROR" in sentence(tmp_path / "mine.jsonnet")
    (tmp_path / "mine.jsonnet").write_text("[1]", encoding="utf-8")
    assert "a profile is one object, found list" in sentence(tmp_path / "mine.jsonnet")
    (tmp_path / "mine.jsonnet").write_bytes(b"\xff")
    assert "mine.jsonnet" in sentence(tmp_path / "mine.jsonnet")


def test_publish_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(profile: str) -> dict[str, Any]:
        raise MemoryError("none left")

    monkeypatch.setattr(profiles, "resolve", fail)
    assert published("sample") == {"error": "the profile cannot be resolved: MemoryError: none left"}


def test_defaults_and_what_the_user_has_set(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    publish()
    assert json.loads(os.environ[profiles.PUBLISHED_VARIABLE])["name"] == "sample"
    assert os.environ[profiles.SEED_VARIABLE] == "13370"
    assert profiles.data_folder() == repository / "data"
    monkeypatch.setenv(profiles.PROFILE_VARIABLE, "paper")
    monkeypatch.setenv(profiles.SEED_VARIABLE, "2")
    monkeypatch.setenv(profiles.DATA_VARIABLE, "somewhere/here")
    publish()
    paper = json.loads(os.environ[profiles.PUBLISHED_VARIABLE])
    assert os.environ[profiles.SEED_VARIABLE] == "2"
    assert f"{Path.cwd()}/somewhere/here/trees/dev.txt" in paper["tasks"]["sst5"]["error"]
    assert "https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip" in paper["tasks"]["sst5"]["error"]
    assert "https://allennlp.s3.amazonaws.com/models/elmo/" in paper["bilm"]["error"]
    assert "https://nlp.stanford.edu/data/glove.840B.300d.zip" in paper["word_vectors"]["error"]


def test_a_file_may_be_a_list_or_a_part(content: dict[str, Any], write: Write, tmp_path: Path) -> None:
    data, task = tmp_path / "data", content["tasks"]["sst5"]
    task["train"] = ["data/train.txt", "data/dev.txt"]
    task["dev"] = {"file": "data/dev.txt", "articles": "0:5", "seed": "13"}
    resolved = resolve(str(write(content)))["tasks"]["sst5"]
    assert resolved["train"] == [str(data / "train.txt"), str(data / "dev.txt")]
    assert resolved["dev"] == {"file": str(data / "dev.txt"), "articles": "0:5", "seed": "13"}
    for value in ({"articles": "0:5"}, {"file": 3}, [], ["data/dev.txt", 3]):
        task["dev"] = value
        assert "tasks.sst5.dev is " in resolve(str(write(content)))["tasks"]["sst5"]["error"]
    task["dev"] = {"file": "data/no.txt"}
    assert f"at {data / 'no.txt'}, but there is no such file" in resolve(str(write(content)))["tasks"]["sst5"]["error"]


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz", "vectors.zip"])
@pytest.mark.parametrize("header", ["", "2 7\n"])
def test_the_size_of_vectors_is_read_from_the_file(tmp_path: Path, name: str, header: str) -> None:
    text = header + "".join(f"{word} {' '.join(str(random.Random(i).random()) for i in range(7))}\n" for word in "ab")
    path = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("vectors.txt", text)
    else:
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    assert vector_dim(path) == 7


def test_a_zip_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "vectors.zip").write_text("the 0.1", encoding="utf-8")
    with pytest.raises(InputError, match=r"vectors\.zip: the archive of word vectors cannot be read"):
        vector_dim(tmp_path / "vectors.zip")


def test_a_profile_anywhere_can_build_on_the_open_one(tmp_path: Path, repository: Path) -> None:
    mine = tmp_path / "mine.jsonnet"
    mine.write_text(f"(import '{repository}/experiments/profiles/open.jsonnet') {{ name: 'mine' }}", encoding="utf-8")
    resolved = resolve(str(mine))
    for name, file in (("bilm", "weights"), ("bilm_random", "controls/random"), ("bilm_shuffled", "controls/shuffled")):
        assert resolved[name]["weights_file"] == str(repository / "models" / "open" / f"{file}.hdf5")


def test_the_sample_lacks_nothing() -> None:
    assert '"error"' not in json.dumps(published("sample"))


# --- what the configs make of it: experiments/profile.libsonnet ---


def snippet(repository: Path, expression: str, **variables: str) -> Any:
    text = f"local profile = import '{repository}/experiments/profile.libsonnet'; {expression}"
    defaults = {profiles.SEED_VARIABLE: "13370", profiles.PUBLISHED_VARIABLE: os.environ[profiles.PUBLISHED_VARIABLE]}
    return json.loads(evaluate_snippet("test", text, ext_vars={**defaults, **variables}))


def test_only_what_a_config_uses_must_be_there(
    content: dict[str, Any], write: Write, repository: Path, tmp_path: Path
) -> None:
    remove("weights.hdf5")(content, tmp_path)
    publish(str(write(content)))
    assert snippet(repository, "profile.word_vectors.dim") == 3
    assert snippet(repository, "profile.task('sst5').dev") == f"{tmp_path}/data/dev.txt"
    for expression, sentence in [
        ("profile.bilm", "expects bilm at "),
        ("profile.bilm_random", "has no bilm_random"),
        (
            "profile.task('ner').dev",
            f"profile 'mine' ({tmp_path}/mine.jsonnet) has no data for the task ner; it has: sst5.",
        ),
        (
            "profile.task('sst5').test",
            f"profile 'mine' ({tmp_path}/mine.jsonnet) names no file 'test' for the task sst5.",
        ),
    ]:
        with pytest.raises(RuntimeError) as raised:
            snippet(repository, expression)
        # as the `allennlp` command looks for it
        (line,) = [line for line in str(raised.value).splitlines() if line.startswith("elmo_tasks.errors.InputError: ")]
        assert sentence in line


def test_the_choice_of_profile_is_said_when_a_config_is_read(
    content: dict[str, Any], write: Write, repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    publish(str(write(content)))
    snippet(repository, "profile.seed")
    assert capfd.readouterr().err.count("elmo_tasks uses the profile mine: my own") == 1


@pytest.mark.parametrize("seed", ["", "abc", "-1", "1.5", "1e3"])
def test_a_seed_that_is_none(seed: str, content: dict[str, Any], write: Write, repository: Path) -> None:
    publish(str(write(content)))
    with pytest.raises(RuntimeError, match=f"InputError: ELMO_TASKS_SEED is '{seed}', expected a whole number such as"):
        snippet(repository, "profile.seed", ELMO_TASKS_SEED=seed)


def test_overrides_are_laid_over_and_leave_references_alive(
    content: dict[str, Any], write: Write, repository: Path
) -> None:
    content["tasks"]["sst5"].update(
        sizes={"encoder": {"hidden_size": 5}, "dims": [1]},
        training={"trainer": {"num_epochs": 2}, "dataset_reader": {"max_phrases": 7}},
    )
    publish(str(write(content)))
    config = """
      local config = {
        model: { encoder: { type: 'lstm', hidden_size: 300 }, dims: [3, 4], twin: $.model.encoder.hidden_size },
        trainer: { num_epochs: 10, patience: 3 },
        dataset_reader: { indexers: { tokens: 1 } },
        other_reader: { indexers: $.dataset_reader.indexers },
      } + profile.overrides('sst5');
      config + { dataset_reader+: { indexers+: { elmo: 2 } } }
    """
    assert snippet(repository, config) == {
        "model": {"encoder": {"type": "lstm", "hidden_size": 5}, "dims": [1], "twin": 5},
        "trainer": {"num_epochs": 2, "patience": 3},
        "dataset_reader": {"indexers": {"tokens": 1, "elmo": 2}, "max_phrases": 7},
        "other_reader": {"indexers": {"tokens": 1, "elmo": 2}},
    }
