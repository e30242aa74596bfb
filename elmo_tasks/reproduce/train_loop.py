"""
AllenNLP's `train`, with ELMo's layers computed beforehand, and without the end that distributed training cannot have.

With `evaluate_on_test`, AllenNLP's first process scores the test data alone when the others are done. It holds its part
of them only, and metrics that sum over the processes (accuracy does) wait for partners that have left: after hours of
training the command ends with `Connection closed by peer`, without metrics and without an archive.
"""

import logging
from typing import Any

from allennlp.commands.train import TrainModel
from allennlp.common.util import is_distributed
from allennlp.data import DataLoader
from overrides import overrides

from elmo_tasks.embedding.precompute import fill_stores

logger = logging.getLogger(__name__)


@TrainModel.register("default", constructor="from_partial_objects", exist_ok=True)
class TrainLoop(TrainModel):
    """
    AllenNLP's own, registered in its place.

    Before the training it fills the stores of frozen biLMs; in distributed training it leaves `evaluate_on_test` to the
    user.
    """

    evaluation_data_loader: DataLoader | None

    @overrides
    def run(self) -> dict[str, Any]:
        """Train; returns the metrics."""
        loaders = [getattr(self.trainer, name, None) for name in ("data_loader", "_validation_data_loader")]
        fill_stores(self.model, [*loaders, self.evaluation_data_loader])
        metrics: dict[str, Any] = super().run()
        return metrics

    @overrides
    def finish(self, metrics: dict[str, Any]) -> None:
        """Write the metrics; called in the first process, with `metrics` as the trainer returned them."""
        if is_distributed() and self.evaluate_on_test and self.evaluation_data_loader is not None:
            logger.warning(
                "evaluate_on_test is left out: in distributed training each process holds a part of the test data. "
                "Run: allennlp evaluate %s/model.tar.gz %s",
                self.serialization_dir,
                getattr(self.evaluation_data_loader, "data_path", "TEST_DATA"),
            )
            self.evaluation_data_loader = None
        super().finish(metrics)
