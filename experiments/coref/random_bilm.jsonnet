// Control: ELMo of a biLM of random weights and the same ELMo size.
local profile = import '../profile.libsonnet';

(import 'elmo.jsonnet') + {
  model+: { text_field_embedder+: { token_embedders+: { elmo+: profile.bilm_random } } },
}
