"""The profile `paper` over a folder of tiny files that lie where it looks for the real ones."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

import elmo_tasks.plugin  # noqa: F401  (registers what the configs name)
from elmo_tasks.bilm import BiLM, BiLMOptions
from elmo_tasks.reproduce import profile as profiles

ELMO = "elmo_2x4096_512_2048cnn_2xhighway"


@pytest.fixture(scope="session")
def paper_data(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder for ELMO_TASKS_DATA."""
    folder = tmp_path_factory.mktemp("data")
    fixtures = repository / "fixtures" / "sst5"
    (folder / "trees").mkdir()
    for part, source in (("train", "train"), ("dev", "dev"), ("test", "dev")):
        shutil.copy(fixtures / f"{source}.txt", folder / "trees" / f"{part}.txt")
    (folder / "conll2003").mkdir()
    for part, source in (("train", "train"), ("testa", "dev"), ("testb", "dev")):
        shutil.copy(repository / "fixtures" / "ner" / f"{source}.txt", folder / "conll2003" / f"eng.{part}")
    for part, source in (("train", "train"), ("development", "dev"), ("test", "dev")):
        (folder / "conll2012" / part).mkdir(parents=True)
        shutil.copy(repository / "fixtures" / "srl" / f"{source}.gold_conll", folder / "conll2012" / part)
    (folder / "snli_1.0").mkdir()
    for part, source in (("train", "train"), ("dev", "dev"), ("test", "dev")):
        pairs = repository / "fixtures" / "snli" / f"{source}.jsonl"
        shutil.copy(pairs, folder / "snli_1.0" / f"snli_1.0_{part}.jsonl")
    for part in ("train", "development", "test"):
        (folder / "conll-2012" / part).mkdir(parents=True)
        documents = repository / "fixtures" / "conll2012" / "harbour.gold_conll"
        shutil.copy(documents, folder / "conll-2012" / part / "harbour.v4_gold_conll")
    (folder / "squad").mkdir()
    for part in ("train", "dev"):
        shutil.copy(repository / "fixtures" / "squad" / f"{part}.json", folder / "squad" / f"{part}-v1.1.json")
    lines = (fixtures / "vectors.txt").read_text(encoding="utf-8").splitlines()
    with zipfile.ZipFile(folder / "glove.840B.300d.zip", "w") as archive:
        # 300 numbers a word from the six of the fixture
        text = "".join(f"{line.split(' ')[0]} {' '.join(line.split(' ')[1:] * 50)}\n" for line in lines)
        archive.writestr("glove.840B.300d.txt", text)
    options = BiLMOptions(filters=((1, 4), (2, 8)), character_dim=4, num_highway=1, cell_dim=64, projection_dim=48)
    (folder / "elmo").mkdir()
    for seed, name in enumerate((f"{ELMO}_weights", "random", "shuffled")):
        torch.manual_seed(seed)
        BiLM(options).save_weights(folder / "elmo" / f"{name}.hdf5")
    (folder / "elmo" / f"{ELMO}_options.json").write_text(json.dumps(options.to_dict()), encoding="utf-8")
    # the shipped profile, and beside its biLM those of the controls, which nobody publishes at that size
    (folder / "with_controls.jsonnet").write_text(
        f"""(import '{repository}/experiments/profiles/paper.jsonnet') + {{
          bilm_random: $.bilm {{ weights_file: 'elmo/random.hdf5' }},
          bilm_shuffled: $.bilm {{ weights_file: 'elmo/shuffled.hdf5' }},
        }}""",
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def published_paper_profile(paper_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment as the plugin leaves it under the profile `paper`."""
    for variable in (profiles.PROFILE_VARIABLE, profiles.PUBLISHED_VARIABLE, profiles.SEED_VARIABLE):
        monkeypatch.setenv(variable, profiles.DEFAULT_SEED)  # so that what publish sets is undone
    monkeypatch.setenv(profiles.DATA_VARIABLE, str(paper_data))
    profiles.publish(str(paper_data / "with_controls.jsonnet"))
    return paper_data
