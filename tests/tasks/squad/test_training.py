"""Training of the configs through AllenNLP: what is kept is the weights' average."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.data import Vocabulary
from allennlp.models import load_archive

from elmo_tasks.tasks.squad.model import SelfAttentiveReader
from tests.tasks.archives import assert_predicts_alike
from tests.tasks.conftest import TrainConfig


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
