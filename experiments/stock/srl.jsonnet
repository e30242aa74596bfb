// SRL with the tagger of allennlp-models in the sizes of our baseline: to compare scores and speed. Needs allennlp-models.
// It calls srl-eval.pl itself, which needs perl.
local baseline = import '../srl/baseline.jsonnet';

baseline {
  model: {
    type: 'srl',
    text_field_embedder: baseline.model.text_field_embedder,
    encoder: {
      type: 'alternating_lstm',
      input_size: $.word_dim + baseline.model.predicate_dim,
      hidden_size: baseline.model.encoder.hidden_size,
      num_layers: baseline.model.encoder.num_layers,
      recurrent_dropout_probability: baseline.model.encoder.recurrent_dropout,
      use_highway: true,
      use_input_projection_bias: baseline.model.encoder.input_bias,
    },
    binary_feature_dim: baseline.model.predicate_dim,
    initializer: { regexes: [['tag_projection_layer.*weight', { type: 'orthogonal' }]] },
  },
  trainer+: { validation_metric: '+f1-measure-overall' },

  word_dim:: baseline.model.text_field_embedder.token_embedders.tokens.embedding_dim,
}
