// Control: ELMo of a biLM of the same size and random weights.
local profile = import '../profile.libsonnet';

(import 'elmo.jsonnet') + {
  model+: { text_field_embedder+: { token_embedders+: { elmo+: profile.bilm_random } } },
}
