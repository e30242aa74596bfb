"""The metric: sums over documents as the official scorer's, and what its other figures say."""

import pytest

from elmo_tasks.formats.conll2012 import Mention
from elmo_tasks.scoring.coref import CorefScorer
from elmo_tasks.tasks.coref.metric import CoreferenceF1

A, B, C, D = (Mention(0, place, place + 1) for place in range(4))


def test_documents_are_summed_and_forgotten_at_a_reset() -> None:
    documents = [([[A, B, C]], [[A, B]]), ([[A, B], [C, D]], [[A, B, D]]), ([], []), ([[A, B], [B, C]], [[A, B, C]])]
    metric, scorer = CoreferenceF1(), CorefScorer()
    assert metric.get_metric() == {}
    for gold, found in documents:
        metric(gold, found, [A, B])
        scorer.add_document(gold, found)
    score = scorer.score()
    figures = metric.get_metric(reset=True)
    assert figures["f1"] == score.conll / 100
    assert figures["f1"] == pytest.approx((figures["muc_f1"] + figures["bcub_f1"] + figures["ceafe_f1"]) / 3, abs=1e-4)
    assert figures["mention_f1"] == score.mentions.f1
    assert figures["kept_recall"] == 6 / 10
    assert metric.get_metric() == {}


def test_documents_without_gold_mentions_have_no_figures() -> None:
    metric = CoreferenceF1()
    metric([], [[A, B]], [A, B])
    assert metric.get_metric() == {}
