// SST-5, the same network with ELMo at the input and at the output of its biLSTM. Paper: test accuracy 54.7 +- 0.5.
local profile = import '../profile.libsonnet';

(import 'baseline.jsonnet') + {
  dataset_reader+: {
    token_indexers+: { elmo: { type: 'bilm_characters' } + profile.bilm_lookup },
  },
  model+: {
    text_field_embedder+: { token_embedders+: { elmo: { type: 'bilm', dropout: 0 } + profile.bilm } },
    embedding_dropout: 0.5,  // AllenNLP's configuration with ELMo: in the place of the embedder's own dropout
    elmo_at_output: { dropout: 0.5 },  // AllenNLP's first port
    regularizer: { regexes: [['mix.*weights', { type: 'l2', alpha: 0.001 }]] },
  },
}
