"""One config, four embedders: only the embedder's and the indexer's block changes (the README's "swap")."""

import json
from pathlib import Path

import pytest
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.predictors import Predictor

EMBEDDERS = {
    "word vectors": "",
    "ELMo": """
        dataset_reader+: {
          token_indexers+: { tokens:: super.tokens, elmo: { type: 'bilm_characters' } + profile.bilm_lookup },
        },
        model+: {
          text_field_embedder+: {
            token_embedders+: { tokens:: super.tokens, elmo: { type: 'bilm', dropout: 0 } + profile.bilm },
          },
        },
    """,
    "both": """
        dataset_reader+: { token_indexers+: { elmo: { type: 'bilm_characters' } + profile.bilm_lookup } },
        model+: {
          text_field_embedder+: { token_embedders+: { elmo: { type: 'bilm', dropout: 0 } + profile.bilm } },
        },
    """,
    "a transformer": """
        local transformer = { type: 'pretrained_transformer_mismatched', model_name: '%(transformer)s' },

        dataset_reader+: { token_indexers+: { tokens:: super.tokens, transformer: transformer } },
        model+: {
          text_field_embedder+: {
            token_embedders+: {
              tokens:: super.tokens,
              transformer: transformer { train_parameters: false, last_layer_only: false },
            },
          },
        },
    """,
}
WIDTHS = {"word vectors": 7 + 6, "ELMo": 7 + 12, "both": 7 + 12 + 6, "a transformer": 7 + 16}


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT of random weights, saved as those of the hub are."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("transformer")
    letters = "abcdefghijklmnopqrstuvwxyzé0123456789.,()\"'-"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), strip_accents=False).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    BertModel(BertConfig(vocab_size=len(pieces), **sizes)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_the_same_config_trains_with_another_embedder(
    embedder: str,
    transformer: Path,
    repository: Path,
    published_tiny_profile: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    experiments = repository / "experiments"
    config = tmp_path / "config.jsonnet"
    block = EMBEDDERS[embedder] % {"transformer": transformer} if "%(" in EMBEDDERS[embedder] else EMBEDDERS[embedder]
    config.write_text(
        f"local profile = import '{experiments}/profile.libsonnet';\n"
        f"(import '{experiments}/ner/baseline.jsonnet') + {{{block}}}\n",
        encoding="utf-8",
    )
    params = Params.from_file(config)
    swapped, baseline = (
        Params.from_file(path).as_dict(quiet=True) for path in (config, experiments / "ner" / "baseline.jsonnet")
    )
    for one in (swapped, baseline):
        del one["dataset_reader"]["token_indexers"], one["model"]["text_field_embedder"]
    assert swapped == baseline

    model = train_model(params, tmp_path / "run")
    assert model.encoders[0].get_input_dim() == WIDTHS[embedder]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["epoch"] == 1
    assert {"test_f1", "best_validation_f1"} <= set(metrics)
    predictor = Predictor.from_path(tmp_path / "run" / "model.tar.gz")
    assert len(predictor.predict_json({"sentence": "Anna visits Lyon."})["tags"]) == 4
