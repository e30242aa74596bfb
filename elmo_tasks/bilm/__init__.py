"""The bidirectional language model in plain torch; it needs neither AllenNLP nor anything else of this project."""

from elmo_tasks.bilm.characters import batch_to_ids
from elmo_tasks.bilm.model import BiLM, BiLMOutput
from elmo_tasks.bilm.options import BiLMOptions

__all__ = ["BiLM", "BiLMOptions", "BiLMOutput", "batch_to_ids"]
