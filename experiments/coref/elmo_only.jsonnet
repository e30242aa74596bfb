// Coreference with ELMo and without pre-trained word vectors; the heads of spans then read ELMo.
(import 'elmo.jsonnet') + {
  dataset_reader+: { token_indexers+: { tokens:: super.tokens, tokens_2:: null } },
  model+: {
    text_field_embedder+: { token_embedders+: { tokens:: super.tokens, tokens_2:: null } },
    elmo_in_head: true,
  },
}
