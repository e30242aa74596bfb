// SRL, the same tagger with ELMo at its input. Paper: test F1 84.6.
local profile = import '../profile.libsonnet';

(import 'baseline.jsonnet') + {
  dataset_reader+: {
    token_indexers+: { elmo: { type: 'bilm_characters' } + profile.bilm_lookup },
  },
  model+: {
    // AllenNLP's dropout
    text_field_embedder+: { token_embedders+: { elmo: { type: 'bilm', dropout: 0.1 } + profile.bilm } },
    regularizer: { regexes: [['mix.*weights', { type: 'l2', alpha: 0.001 }]] },
  },
}
