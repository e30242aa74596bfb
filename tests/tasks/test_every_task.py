"""What holds for every task: a seed decides a training, and λ is of the mixes alone."""

import pytest
import torch

from tests.tasks.conftest import BuildModel, TrainConfig

# What keeps its first values, beside the biLM and, where they are fixed, the vectors.
VECTORS = "text_field_embedder.token_embedder_tokens.weight"
SAME = {
    "ner": {"crf._constraint_mask"},
    "srl": set(),
    "snli": {VECTORS},
    "sst5": {VECTORS},
    "coref": {VECTORS},
    # also what a softmax cancels, and the biases of GRUs' gates hardly move in six updates
    "squad": {VECTORS, "bi_attention.similarity.bias", "start.bias", "end.bias"},
}
# A window is drawn of every document longer than that.
CHANGES = {"coref": {"model.max_sentences": 2}}


@pytest.mark.parametrize("task", SAME)
def test_a_seed_decides_everything(task: str, train_config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    states = []
    for run, seed in enumerate(["5", "5", "6"]):
        monkeypatch.setenv("ELMO_TASKS_SEED", seed)
        states.append(train_config(task, "elmo", f"run{run}", **CHANGES.get(task, {})).state_dict())
    first, again, other = states
    assert all(torch.equal(first[name], again[name]) for name in first)
    learned = [name for name in first if ".bilm." not in name and name not in SAME[task]]
    assert not any(torch.equal(first[name], other[name]) for name in learned)


@pytest.mark.parametrize(
    ("task", "rate", "options"),
    [
        ("ner", 0.1, ["text_field_embedder.token_embedders.elmo.l2"]),
        ("srl", 0.001, ["text_field_embedder.token_embedders.elmo.l2"]),
        ("sst5", 0.001, ["text_field_embedder.token_embedders.elmo.l2", "elmo_at_output.l2"]),
    ],
)
def test_lambda_penalises_the_mixes_and_nothing_else(
    build_model: BuildModel, task: str, rate: float, options: list[str]
) -> None:
    by_regularizer, _ = build_model(task, "elmo")
    mixes = [weights for name, weights in by_regularizer.named_parameters() if name.endswith("mix.weights")]
    assert len(mixes) == len(options)
    expected = rate * sum(float((weights.detach() ** 2).sum()) for weights in mixes)
    assert expected > 0
    by_option, _ = build_model(task, "elmo", {"regularizer": None, **dict.fromkeys(options, rate)})
    for model in (by_regularizer, by_option):
        assert float(model.get_regularization_penalty().detach()) == pytest.approx(expected)
