"""Training of the configs through AllenNLP: what is kept is the weights' average."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.data import Vocabulary
from allennlp.models import load_archive

from elmo_tasks.commands import main as program
from elmo_tasks.tasks.squad.model import SelfAttentiveReader
from tests.tasks.archives import assert_predicts_alike
from tests.tasks.conftest import TrainConfig
from tests.tasks.networks import tensors_of


class KilledError(BaseException):
    """The end of a process, as far as training code can tell."""


@pytest.fixture
def train(train_config: TrainConfig) -> TrainConfig:
    return partial(train_config, "squad")


@pytest.mark.parametrize("arm", ["baseline", "elmo", "elmo_only"])
def test_an_archive_predicts_as_the_model_that_was_trained(train: TrainConfig, tmp_path: Path, arm: str, monkeypatch):
    monkeypatch.setenv("ELMO_TASKS_STORE", "off")  # its vectors are rounded
    texts = (("Who came?", "Anna Rook came in 1901."), ("Where? ", "“In” Port Sol."))
    keys = ("start_logits", "end_logits", "best_span_text")
    assert_predicts_alike(train(arm), tmp_path, texts, keys, tokenised=False)


def test_what_is_kept_is_the_average_of_the_weights(train: TrainConfig, tmp_path: Path) -> None:
    model = train("baseline", **{"trainer.moving_average.decay": 0.7, "trainer.num_epochs": 1})
    run = tmp_path / "run"
    (path,) = run.glob("model_state_e1_b0.th")
    trained = torch.load(path, weights_only=True)
    (path,) = run.glob("training_state_e1_b0.th")
    averages = torch.load(path, weights_only=True)["moving_average"]["shadows"]
    archived = load_archive(run / "model.tar.gz").model.state_dict()
    for name, value in averages.items():
        np.testing.assert_array_equal(archived[name], value, err_msg=name)
        np.testing.assert_array_equal(model.state_dict()[name], value, err_msg=name)
    assert not torch.equal(archived["match.weight"], trained["match.weight"])


def test_the_average_is_what_is_validated(train: TrainConfig, tmp_path: Path, repository: Path) -> None:
    large_steps = {"trainer.optimizer.eps": 1e-3, "trainer.num_epochs": 1}
    train("baseline", **large_steps, **{"trainer.moving_average.decay": 0.7})
    run = tmp_path / "run"
    archive = load_archive(run / "model.tar.gz")
    instances = list(archive.validation_dataset_reader.read(str(repository / "fixtures" / "squad" / "dev.json")))
    for instance in instances:
        archive.validation_dataset_reader.apply_token_indexers(instance)
    batch = tensors_of(archive.model, instances)
    losses = [float(archive.model.eval()(**batch)["loss"].detach())]
    (path,) = run.glob("model_state_e1_b0.th")
    archive.model.load_state_dict(torch.load(path, weights_only=True))
    losses.append(float(archive.model.eval()(**batch)["loss"].detach()))
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert losses[0] == pytest.approx(metrics["best_validation_loss"], abs=1e-6)
    assert losses[1] != pytest.approx(losses[0], abs=1e-4)


def test_an_ensemble_of_archives_is_scored_as_any_model(
    train: TrainConfig, tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archives = []
    for seed in (1, 2):
        seeds = {f"{kind}_seed": seed for kind in ("random", "numpy", "pytorch")}
        train("baseline", f"seed{seed}", **seeds, **{"trainer.num_epochs": 1, "evaluate_on_test": False})
        archives.append(str(tmp_path / f"seed{seed}" / "model.tar.gz"))
    together, answers = str(tmp_path / "both.tar.gz"), str(tmp_path / "answers.json")
    assert program.main(["ensemble", together, *archives]) == 0
    data = str(repository / "fixtures" / "squad" / "dev.json")
    official = {"evaluation": {"type": "official"}}
    metrics = evaluate_from_archive(together, data, predictions_output_file=answers, cmd_overrides=official)
    capsys.readouterr()
    assert program.main(["score", "squad", data, answers]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert metrics["f1"] > 0
    assert scored == {"exact_match": pytest.approx(100 * metrics["em"]), "f1": pytest.approx(100 * metrics["f1"])}


def test_a_run_that_was_killed_ends_with_the_same_weights(
    train: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"trainer.checkpointer.save_every_num_batches": 1}
    whole = train("elmo", "whole", **settings)
    scores, calls = SelfAttentiveReader.scores, []

    def killed(self: SelfAttentiveReader, **batch: Any) -> Any:
        calls.append(self.training)
        if sum(calls) == 5:  # the second of three batches in the second epoch
            raise KilledError
        return scores(self, **batch)

    with monkeypatch.context() as patches:
        patches.setattr(SelfAttentiveReader, "scores", killed)
        with pytest.raises(KilledError):
            train("elmo", "stopped", **settings)
    again = train("elmo", "stopped", recover=True, **settings)
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], value, err_msg=name)


def test_the_vocabulary_is_every_word_of_the_vector_file_and_frequent_characters(
    train: TrainConfig, tmp_path: Path, repository: Path
) -> None:
    lines = (repository / "fixtures" / "sst5" / "vectors.txt").read_text(encoding="utf-8").splitlines()
    for arm in ("baseline", "elmo"):
        train(arm, arm)
        vocabulary = Vocabulary.from_files(tmp_path / arm / "vocabulary")
        words = {"@@PADDING@@", "@@UNKNOWN@@"} | {line.split(" ")[0] for line in lines}
        assert set(vocabulary.get_token_to_index_vocabulary("tokens")) == words
        characters = set(vocabulary.get_token_to_index_vocabulary("token_characters"))
        assert {"e", "t", "o"} < characters
        assert not characters & set("湖£Q")
