// Coreference, the same model with ELMo at the LSTM's input. Paper: test average F1 70.4.
local profile = import '../profile.libsonnet';

(import 'baseline.jsonnet') + {
  dataset_reader+: {
    token_indexers+: { elmo: { type: 'bilm_characters' } + profile.bilm_lookup },
  },
  model+: {
    // the model drops out its words itself
    text_field_embedder+: { token_embedders+: { elmo: { type: 'bilm', dropout: 0 } + profile.bilm } },
  },
}
