"""Fixed word vectors: those of the file, and zeros for what it lacks."""

from pathlib import Path

import pytest
import torch
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.modules.token_embedders.token_embedder import TokenEmbedder

from elmo_tasks.embedding.word_vectors import WordVectors


@pytest.fixture
def vectors_file(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("cat 1.0 2.0\ndog -1.0 0.5\n", encoding="utf-8")
    return path


def embedder_of(vectors_file: Path | None, vocabulary: Vocabulary) -> WordVectors:
    params = {"type": "word_vectors", "embedding_dim": 2}
    if vectors_file is not None:
        params["pretrained_file"] = str(vectors_file)
    embedder = TokenEmbedder.from_params(Params(params), vocab=vocabulary)
    assert isinstance(embedder, WordVectors)
    return embedder


def test_vectors_are_the_files_and_zero_elsewhere(vectors_file: Path) -> None:
    vocabulary = Vocabulary(
        counter={"tokens": {"bird": 3}},
        pretrained_files={"tokens": str(vectors_file)},
        min_pretrained_embeddings={"tokens": -1},
        only_include_pretrained_words=True,
    )
    embedder = embedder_of(vectors_file, vocabulary)
    ids = [vocabulary.get_token_index(word) for word in ("dog", "bird", "cat", "@@PADDING@@")]
    assert embedder(torch.tensor([ids])).tolist() == [[[-1.0, 0.5], [0.0, 0.0], [1.0, 2.0], [0.0, 0.0]]]
    assert embedder.get_output_dim() == 2
    assert not any(parameter.requires_grad for parameter in embedder.parameters())


def test_vectors_of_unit_length_point_where_the_files_do(vectors_file: Path) -> None:
    vocabulary = Vocabulary()
    for word in ("cat", "dog"):
        vocabulary.add_token_to_namespace(word)
    plain = embedder_of(vectors_file, vocabulary).weight
    params = {"type": "word_vectors", "embedding_dim": 2, "pretrained_file": str(vectors_file), "unit_length": True}
    weight = TokenEmbedder.from_params(Params(params), vocab=vocabulary).weight
    assert not weight[:2].any()
    torch.testing.assert_close(weight[2:].norm(dim=1), torch.ones(2))
    torch.testing.assert_close(weight[2:] * plain[2:].norm(dim=1, keepdim=True), plain[2:])


def test_a_saved_model_brings_its_vectors(vectors_file: Path) -> None:
    vocabulary = Vocabulary()
    for word in ("cat", "dog"):
        vocabulary.add_token_to_namespace(word)
    first, second = embedder_of(vectors_file, vocabulary), embedder_of(None, vocabulary)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.weight, second.weight)
    assert first.weight.any(dim=1).tolist() == [False, False, True, True]
