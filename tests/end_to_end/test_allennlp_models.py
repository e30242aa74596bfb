"""With allennlp-models installed, which AllenNLP imports at every start."""

import importlib.util
import json
from collections.abc import Callable

import pytest

from tests.end_to_end.conftest import World, read_json

# The names of this project, and those that allennlp-models has taken for the same task.
LOOK_UP = """
from allennlp.common.plugins import import_plugins
import_plugins()
from allennlp.data import DatasetReader
from allennlp.models import Model
for kind, name in [(Model, "paper_sst5"), (Model, "bcn"), (DatasetReader, "paper_sst5"), (DatasetReader, "sst_tokens")]:
    print(name, kind.resolve_class_name(name)[0].__module__.split(".")[0])
"""


@pytest.mark.skipif(
    importlib.util.find_spec("allennlp_models") is None,
    reason="allennlp-models is not installed (pip install --no-deps allennlp-models==2.10.1, docs/allennlp-today.md)",
)
def test_both_packages_in_one_environment(make_world: Callable[[], World]) -> None:
    world = make_world()
    world.run("allennlp", "train", world.config(), "-s", "run", "-o", json.dumps({"trainer.num_epochs": 1}))
    world.run("allennlp", "evaluate", "run/model.tar.gz", "test.txt", "--output-file", "scores.json")
    metrics = read_json(world.folder / "run" / "metrics.json")
    assert read_json(world.folder / "scores.json")["accuracy"] == pytest.approx(metrics["test_accuracy"])
    found = world.run("python", "-c", LOOK_UP).stdout.splitlines()
    assert found[-4:] == [
        "paper_sst5 elmo_tasks",
        "bcn allennlp_models",
        "paper_sst5 elmo_tasks",
        "sst_tokens allennlp_models",
    ]
