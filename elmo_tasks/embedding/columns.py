"""Which numbers of an embedded token are ELMo's."""

import torch
from allennlp.modules import TextFieldEmbedder
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder

from elmo_tasks.embedding.embedder import BiLMEmbedder


def is_elmo(text_field_embedder: TextFieldEmbedder) -> torch.Tensor:
    """
    Bool ``(embedding_dim,)``: true where an embedded token has the numbers of an embedder ``bilm``.

    All false for a text field embedder of another kind than AllenNLP's ``basic``, whose parts cannot be told apart.
    """
    if not isinstance(text_field_embedder, BasicTextFieldEmbedder):
        return torch.zeros(text_field_embedder.get_output_dim(), dtype=torch.bool)
    parts = []
    for key in text_field_embedder._ordered_embedder_keys:
        embedder = getattr(text_field_embedder, f"token_embedder_{key}")
        parts.append(torch.full((embedder.get_output_dim(),), isinstance(embedder, BiLMEmbedder)))
    return torch.cat(parts)
