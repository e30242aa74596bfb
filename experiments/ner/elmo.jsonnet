// NER, the same tagger with ELMo at its input. Paper: test F1 92.22 +- 0.10.
local profile = import '../profile.libsonnet';

(import 'baseline.jsonnet') + {
  dataset_reader+: {
    token_indexers+: { elmo: { type: 'bilm_characters' } + profile.bilm_lookup },
  },
  model+: {
    // the tagger drops out its input itself
    text_field_embedder+: { token_embedders+: { elmo: { type: 'bilm', dropout: 0 } + profile.bilm } },
    regularizer: { regexes: [['mix.*weights', { type: 'l2', alpha: 0.1 }]] },
  },
}
