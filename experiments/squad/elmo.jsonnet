// SQuAD, the same reader with ELMo at the input and at the output of its first GRU. Paper: test F1 85.8.
local profile = import '../profile.libsonnet';

(import 'baseline.jsonnet') + {
  dataset_reader+: {
    token_indexers+: { elmo: { type: 'bilm_characters' } + profile.bilm_lookup },
  },
  model+: {
    text_field_embedder+: { token_embedders+: { elmo: { type: 'bilm', dropout: 0.5 } + profile.bilm } },
    elmo_at_output: { dropout: 0.5 },
  },
}
