"""Which numbers of an embedded token are ELMo's, by embedders of different kinds."""

import json
from pathlib import Path

import torch
from allennlp.data import Vocabulary
from allennlp.modules.text_field_embedders import BasicTextFieldEmbedder
from allennlp.modules.token_embedders import Embedding, PassThroughTokenEmbedder

from elmo_tasks.bilm import BiLMOptions
from elmo_tasks.embedding.columns import is_elmo
from elmo_tasks.embedding.embedder import BiLMEmbedder

OPTIONS = BiLMOptions(filters=((1, 4),), character_dim=4, num_highway=1, cell_dim=4, projection_dim=2)


def test_columns_are_told_in_the_order_in_which_parts_are_joined() -> None:
    words, others = Embedding(3, num_embeddings=4, vocab=Vocabulary()), PassThroughTokenEmbedder(5)
    elmo = BiLMEmbedder(options=json.loads(json.dumps(OPTIONS.to_dict())))
    embedder = BasicTextFieldEmbedder({"words": words, "elmo": elmo, "characters": others})
    assert is_elmo(embedder).tolist() == [False] * 5 + [True] * 4 + [False] * 3
    assert is_elmo(BasicTextFieldEmbedder({"elmo": elmo})).all()


def test_an_embedder_that_joins_in_its_own_way_has_no_such_columns(tmp_path: Path) -> None:
    class Other(torch.nn.Module):
        def get_output_dim(self) -> int:
            return 3

    assert is_elmo(Other()).tolist() == [False] * 3  # type: ignore[arg-type]
