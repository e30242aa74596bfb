// Coreference with the model of allennlp-models and the values of its configuration, on the vectors and the documents of
// the profile: the floor of our baseline. benchmarks/floors.py writes the files that its reader takes. Needs
// allennlp-models. Its F1 is its own reckoning of the three measures, not cut off as the reference scorer's.
local profile = import '../profile.libsonnet';
local folder = std.extVar('ELMO_TASKS_FLOOR_DATA');
local word_dim = profile.word_vectors.dim;
local num_filters = 100;
local hidden = 200;
local feature_dim = 20;
local span_dim = 2 * 2 * hidden + feature_dim + word_dim + num_filters;
local hidden_layers(input_dim) = { input_dim: input_dim, num_layers: 2, hidden_dims: 150, activations: 'relu', dropout: 0.2 };

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,
  dataset_reader: {
    type: 'coref',
    max_span_width: $.model.max_span_width,
    token_indexers: {
      tokens: { type: 'single_id', lowercase_tokens: profile.word_lookup.lowercase_tokens },
      token_characters: { type: 'characters', min_padding_length: 5 },
    },
  },
  train_data_path: folder + '/train.conll',
  validation_data_path: folder + '/dev.conll',
  test_data_path: folder + '/test.conll',
  datasets_for_vocab_creation: ['train'],
  vocabulary: {
    pretrained_files: { tokens: profile.word_vectors.file },
    min_pretrained_embeddings: { tokens: -1 },
  },
  model: {
    type: 'coref',
    text_field_embedder: {
      token_embedders: {
        tokens: {
          type: 'embedding',
          pretrained_file: profile.word_vectors.file,
          embedding_dim: word_dim,
          trainable: false,
        },
        token_characters: {
          type: 'character_encoding',
          embedding: { embedding_dim: 16 },
          encoder: { type: 'cnn', embedding_dim: 16, num_filters: num_filters, ngram_filter_sizes: [5] },
        },
      },
    },
    context_layer: { type: 'lstm', bidirectional: true, input_size: word_dim + num_filters, hidden_size: hidden },
    mention_feedforward: hidden_layers(span_dim),
    antecedent_feedforward: hidden_layers(3 * span_dim + feature_dim),
    feature_size: feature_dim,
    max_span_width: 10,
    spans_per_word: 0.4,
    max_antecedents: 100,
    lexical_dropout: 0.5,
    initializer: {
      regexes: [
        ['.*linear_layers.*weight', { type: 'xavier_normal' }],
        ['.*scorer.*weight', { type: 'xavier_normal' }],
        ['_distance_embedding.weight', { type: 'xavier_normal' }],
        ['.*_span_width_embedding.weight', { type: 'xavier_normal' }],
        ['_context_layer.*weight_ih.*', { type: 'xavier_normal' }],
        ['_context_layer.*weight_hh.*', { type: 'orthogonal' }],
      ],
    },
  },
  data_loader: { batch_size: 1, shuffle: true },
  validation_data_loader: { batch_size: 1 },
  trainer: {
    optimizer: { type: 'adam' },
    grad_norm: 5.0,
    learning_rate_scheduler: { type: 'reduce_on_plateau', factor: 0.5, mode: 'max', patience: 2 },
    num_epochs: 150,
    patience: 10,
    validation_metric: '+coref_f1',
  },
}
