"""Fixes of how AllenNLP gets hold of spaCy's models and of transformers' tokenizers."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

from elmo_tasks.errors import InputError

logger = logging.getLogger(__name__)


@contextmanager
def tokenizer_without_model(module: ModuleType) -> Iterator[None]:
    """
    What: where a spaCy model is not installed and only tokens are asked for, spaCy's rules for the language do.

    Where: common/util.py, `get_spacy_model`, behind the tokenizer and the sentence splitter named "spacy".
    Why: it downloads any model it does not find, although splitting text into words needs none: the words come from
    rules that spaCy itself carries. Where tags, trees or names are asked for, it still downloads; if that fails, one
    sentence says which model is missing instead of a trace through the download.
    Until: AllenNLP asks for a model only where it needs one.
    """
    yield
    get_installed_or_download = module.get_spacy_model
    loaded = module.LOADED_SPACY_MODELS

    def get_spacy_model(
        spacy_model_name: str, pos_tags: bool | None = None, parse: bool = False, ner: bool = False
    ) -> Any:
        # The rule-based sentence splitter says nothing about tags, and so gets AllenNLP's default of True unused.
        asked_for_tags = bool(pos_tags)
        key = (spacy_model_name, pos_tags is not False, parse, ner)
        if key not in loaded and not _is_installed(spacy_model_name):
            if not (asked_for_tags or parse or ner):
                loaded[key] = _blank(spacy_model_name)
                return loaded[key]
            try:
                return get_installed_or_download(spacy_model_name, key[1], parse, ner)
            except (Exception, SystemExit) as error:
                raise InputError(_advice(spacy_model_name, error)) from error
        return get_installed_or_download(spacy_model_name, key[1], parse, ner)

    module.get_spacy_model = get_spacy_model  # type: ignore[attr-defined]


@contextmanager
def tokenizer_without_methods_as_options(module: ModuleType) -> Iterator[None]:
    """
    What: a transformer's tokenizer is made without the option `add_special_tokens`.

    Where: common/cached_transformers.py, `get_tokenizer`, which every tokenizer, indexer and embedder named
    "pretrained_transformer…" calls.
    Why: the option has the name of a method of the tokenizer. transformers once took no notice of it; now
    it raises an AttributeError. AllenNLP says at each use whether it wants special tokens, so nothing is lost.
    Until: AllenNLP leaves the option out.
    """
    yield
    get_tokenizer = module.get_tokenizer

    @wraps(get_tokenizer)
    def without_the_option(model_name: str, **options: Any) -> Any:
        options.pop("add_special_tokens", None)
        return get_tokenizer(model_name, **options)

    module.get_tokenizer = without_the_option  # type: ignore[attr-defined]


def _is_installed(model: str) -> bool:
    """Whether spaCy has this model, as a package or as a folder."""
    from pathlib import Path

    from spacy.util import is_package

    return is_package(model) or Path(model).exists()


def _blank(model: str) -> Any:
    """The rules of spaCy alone for the language that the model's name begins with."""
    import spacy

    language = model.partition("_")[0]
    try:
        blank = spacy.blank(language)
    except ImportError as error:
        raise InputError(_advice(model, error)) from error
    logger.warning(
        "spaCy's model '%s' is not installed; splitting text by spaCy's rules for '%s' instead, which needs none.",
        model,
        language,
    )
    return blank


def _advice(model: str, error: BaseException) -> str:
    return (
        f"spaCy's model '{model}' is not installed and could not be fetched ({type(error).__name__}): run "
        f"`python -m spacy download {model}` where there is a network, or give the tokenizer "
        '`"pos_tags": false`, which needs no model.'
    )
