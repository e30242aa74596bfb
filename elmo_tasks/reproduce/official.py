"""Predictions in the formats that the official scorers read, written by `allennlp evaluate` and `allennlp predict`."""

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from allennlp.common.util import JsonDict
from allennlp.data import DataLoader, DatasetReader, Instance
from allennlp.evaluation import Evaluator, SimpleEvaluator
from allennlp.models import Model
from allennlp.predictors import Predictor
from overrides import overrides

from elmo_tasks.errors import InputError
from elmo_tasks.formats.files import open_to_write
from elmo_tasks.reproduce.items import read_answers


@runtime_checkable
class OfficialFormat(Protocol):
    """
    A model whose task has an official format of predictions.

    Attributes
    ----------
    official_keys
        The outputs that the format needs, by their names after ``make_output_human_readable``.
    """

    official_keys: ClassVar[tuple[str, ...]]

    def official_predictions(self, items: Iterable[tuple[Any, ...]]) -> Iterator[str]:
        """The file's text in pieces; ``items`` are those outputs, item by item, None for one that there is not."""
        ...


@Evaluator.register("official")
class OfficialEvaluator(SimpleEvaluator):
    """
    Evaluates as AllenNLP does, and writes the predictions in the task's official format instead of JSON lines::

        allennlp evaluate ARCHIVE FILE --predictions-output-file OUT -o '{"evaluation": {"type": "official"}}'
    """

    @overrides(check_signature=False)
    def __call__(
        self,
        model: Model,
        data_loader: DataLoader,
        batch_weight_key: str | None = None,
        metrics_output_file: str | PathLike[str] | None = None,
        predictions_output_file: str | PathLike[str] | None = None,
    ) -> dict[str, Any]:
        """The metrics. The predictions appear when all are there."""
        if predictions_output_file is None:
            metrics: dict[str, Any] = super().__call__(model, data_loader, batch_weight_key, metrics_output_file)
            return metrics
        task_model, path = with_official_format(model), Path(predictions_output_file)
        batches = path.with_name(f".{path.name}.batches")
        try:
            metrics = super().__call__(model, data_loader, batch_weight_key, metrics_output_file, batches)
            with open_to_write(path) as file:
                file.writelines(task_model.official_predictions(read_answers(batches, task_model.official_keys)))
        finally:
            batches.unlink(missing_ok=True)
        return metrics


@Predictor.register("official")
class OfficialPredictor(Predictor):
    """
    Asks the model's own predictor, and writes its answers in the task's official format instead of JSON lines::

        allennlp predict ARCHIVE FILE --use-dataset-reader --predictor official --output-file OUT

    An answer is written when it is there, so this is for formats in which one item follows another. A model whose
    format is not like that says so by ``official_in_one_piece``.

    Raises
    ------
    InputError
        If the model has no official format, or one that is in one piece.
    """

    def __init__(self, model: Model, dataset_reader: DatasetReader, frozen: bool = True) -> None:
        super().__init__(model, dataset_reader, frozen)
        self._task_model = with_official_format(model)
        if getattr(model, "official_in_one_piece", False):
            raise InputError(
                "this task's official format is not written answer by answer; use allennlp evaluate "
                "with --predictions-output-file and the evaluation of type 'official'."
            )
        own: type[Predictor] = Predictor.by_name(model.default_predictor)
        self._own = own(model, dataset_reader)

    @overrides
    def load_line(self, line: str) -> JsonDict:
        """The request in a line."""
        return self._own.load_line(line)

    @overrides
    def dump_line(self, outputs: JsonDict) -> str:
        """The answer as the official format has it."""
        keys = self._task_model.official_keys
        return "".join(self._task_model.official_predictions([tuple(outputs.get(key) for key in keys)]))

    @overrides
    def predict_json(self, inputs: JsonDict) -> JsonDict:
        """The own predictor's answer to one request."""
        return self._own.predict_json(inputs)

    @overrides
    def predict_batch_json(self, inputs: list[JsonDict]) -> list[JsonDict]:
        """The own predictor's answers to several requests."""
        return self._own.predict_batch_json(inputs)

    @overrides
    def predict_instance(self, instance: Instance) -> JsonDict:
        """The own predictor's answer for one instance."""
        return self._own.predict_instance(instance)

    @overrides
    def predict_batch_instance(self, instances: list[Instance]) -> list[JsonDict]:
        """The own predictor's answers for several instances."""
        return self._own.predict_batch_instance(instances)


def with_official_format(model: Model) -> OfficialFormat:
    """
    The model, if its task has an official format.

    Raises
    ------
    InputError
        If it has none.
    """
    if not isinstance(model, OfficialFormat):
        raise InputError(f"the model {type(model).__name__} has no official format for its predictions.")
    return model
