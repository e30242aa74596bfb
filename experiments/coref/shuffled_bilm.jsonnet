// Control: ELMo of a biLM of the same ELMo size, trained on the same text with its words shuffled.
local profile = import '../profile.libsonnet';

(import 'elmo.jsonnet') + {
  model+: { text_field_embedder+: { token_embedders+: { elmo+: profile.bilm_shuffled } } },
}
