"""Token embedder of fixed word vectors in which a word without a vector is zero."""

from typing import Any

import torch
from allennlp.data import Vocabulary
from allennlp.modules.token_embedders import Embedding
from allennlp.modules.token_embedders.token_embedder import TokenEmbedder


@TokenEmbedder.register("word_vectors")
class WordVectors(Embedding):
    """
    AllenNLP's ``embedding`` of a file of vectors, not trained, with zeros for padding and for the unknown word.

    AllenNLP's own draws random vectors for them. The vocabulary has to hold no words but the file's
    (``only_include_pretrained_words``), or those others have random vectors.

    Parameters
    ----------
    embedding_dim
        size of the vectors.
    vocab
        AllenNLP's vocabulary.
    pretrained_file
        the file of vectors; a saved model brings its own.
    vocab_namespace
        vocabulary namespace of the words.
    unit_length
        whether each vector is divided by its length.
    kwargs
        further arguments of AllenNLP's ``embedding``.
    """

    def __init__(
        self,
        embedding_dim: int,
        vocab: Vocabulary,
        pretrained_file: str | None = None,
        vocab_namespace: str = "tokens",
        unit_length: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            embedding_dim,
            vocab=vocab,
            pretrained_file=pretrained_file,
            vocab_namespace=vocab_namespace,
            trainable=False,
            **kwargs,
        )
        with torch.no_grad():
            for special in (vocab._padding_token, vocab._oov_token):
                self.weight[vocab.get_token_index(special, vocab_namespace)] = 0.0
            if unit_length:
                self.weight.copy_(torch.nn.functional.normalize(self.weight, dim=1))
