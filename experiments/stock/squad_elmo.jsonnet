// SQuAD with the BiDAF of allennlp-models and our ELMo at its input, as AllenNLP's configuration bidaf_elmo has it: no
// dropout on ELMo, no layer norm.
local profile = import '../profile.libsonnet';
local elmo_dim = 2 * profile.bilm.options.lstm.projection_dim;

(import 'squad.jsonnet') + {
  dataset_reader+: { token_indexers+: { elmo: { type: 'bilm_characters' } + profile.bilm_lookup } },
  model+: {
    text_field_embedder+: { token_embedders+: { elmo: { type: 'bilm', dropout: 0 } + profile.bilm } },
    phrase_layer+: { input_size: super.input_size + elmo_dim },
  },
}
