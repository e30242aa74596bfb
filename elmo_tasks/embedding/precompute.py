"""The texts of a training, handed to its embedders before it begins, so that each is run through the biLM once."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from allennlp.data import DataLoader, Field, Instance
from allennlp.data.fields import ListField, TextField
from torch import nn

from elmo_tasks.embedding.embedder import BiLMEmbedder
from elmo_tasks.embedding.indexer import BiLMCharacterIndexer

logger = logging.getLogger(__name__)


def fill_stores(model: nn.Module, loaders: Iterable[DataLoader | None]) -> None:
    """
    Fill the store of every embedder ``bilm`` of a model with all texts of the data loaders.

    Parameters
    ----------
    model : of AllenNLP.
    loaders : of training, development and test data; ``None`` is passed over.
    """
    known = [loader for loader in loaders if loader is not None]
    for embedder in (module for module in model.modules() if isinstance(module, BiLMEmbedder)):
        size = embedder.bilm.options.max_characters_per_token
        embedder.fill_store(lambda size=size: _texts(known, size))  # type: ignore[misc]


def _texts(loaders: Iterable[DataLoader], max_characters_per_token: int) -> Iterator[list[str]]:
    for loader in loaders:
        yield from bilm_texts(loader.iter_instances(), max_characters_per_token)


def bilm_texts(instances: Iterable[Instance], max_characters_per_token: int | None = None) -> Iterator[list[str]]:
    """
    The texts of instances as a biLM reads them: the words of each text that has the indexer ``bilm_characters``.

    Parameters
    ----------
    max_characters_per_token : of the indexers to be asked, all of them by default.
    """
    for instance in instances:
        for field in instance.fields.values():
            for text in _text_fields(field):
                for indexer in (text._token_indexers or {}).values():
                    if not isinstance(indexer, BiLMCharacterIndexer):
                        continue
                    if max_characters_per_token in (None, indexer.max_characters_per_token):
                        yield indexer.words(text.tokens)


def _text_fields(field: Field[Any]) -> Iterator[TextField]:
    if isinstance(field, TextField):
        yield field
    elif isinstance(field, ListField):
        for part in field.field_list:
            yield from _text_fields(part)
