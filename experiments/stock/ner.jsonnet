// NER with the tagger of allennlp-models in the sizes of our baseline: to compare scores and speed. Needs allennlp-models.
local baseline = import '../ner/baseline.jsonnet';

baseline {
  model: {
    type: 'crf_tagger',
    text_field_embedder: baseline.model.text_field_embedder,
    encoder: {
      type: 'compose',
      encoders: [
        baseline.model.encoders[0] { input_size: $.word_dim + $.character_dim },
        baseline.model.encoders[1] { input_size: 2 * baseline.model.encoders[0].hidden_size },
      ],
    },
    label_namespace: 'ner_tags',
    label_encoding: baseline.model.tag_scheme,
    include_start_end_transitions: false,
    dropout: baseline.model.dropout,  // on embeddings and encoder's output, not variational
  },
  trainer+: { validation_metric: '+f1-measure-overall' },

  local embedders = baseline.model.text_field_embedder.token_embedders,
  word_dim:: embedders.tokens.embedding_dim,
  character_dim:: embedders.characters.encoder.num_filters,
}
