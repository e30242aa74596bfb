"""The tasks of the paper: in one folder each, reader, model, metric and predictor."""

from elmo_tasks.extras import require_allennlp

require_allennlp()
