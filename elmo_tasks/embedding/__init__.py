"""ELMo for models of AllenNLP: token indexer, token embedder, mixes, and ELMo at a model's output."""

from elmo_tasks.extras import require_allennlp

require_allennlp()
