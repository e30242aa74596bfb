"""The metric is the scorer's on the same answers."""

from elmo_tasks.scoring.squad import score_documents
from elmo_tasks.tasks.squad.metric import SquadMetric

ANSWERS = {"1": "the North", "2": "a cat sat", "3": "", "4": "dog"}
GOLDS = {"1": ["north", "up"], "2": ["cat", "cat sat down"], "3": ["x"], "4": ["dog dog"]}


def test_the_metric_is_the_scorers() -> None:
    metric = SquadMetric()
    assert metric.get_metric() == {}
    for question, answer in ANSWERS.items():
        metric(answer, GOLDS[question])
    questions = [{"id": key, "answers": [{"text": gold} for gold in golds]} for key, golds in GOLDS.items()]
    score, _ = score_documents({"version": "1.1", "data": [{"paragraphs": [{"qas": questions}]}]}, ANSWERS)
    assert metric.get_metric(reset=True) == {"em": score.exact_match / 100, "f1": score.f1 / 100}
    assert 0 < score.exact_match < score.f1 < 100
    assert metric.get_metric() == {}
