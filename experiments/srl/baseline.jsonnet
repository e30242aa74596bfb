// SRL, He et al.'s alternating highway LSTM without ELMo. Paper: test F1 81.4 (Table 1; docs/srl.md).
local profile = import '../profile.libsonnet';
local data = profile.task('srl');

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,

  dataset_reader: {
    type: 'paper_srl',
    // always in lower case: the paper's vectors (GloVe 6B) are of lower-cased text
    token_indexers: { tokens: { type: 'word_ids' } + profile.word_lookup + { lowercase_tokens: true } },
  },
  // as the training reader, but for a budget that that one may be given
  validation_dataset_reader: { type: 'paper_srl', token_indexers: $.dataset_reader.token_indexers },
  train_data_path: data.train,
  validation_data_path: data.dev,
  test_data_path: data.test,
  evaluate_on_test: true,  // once, by the model that was best on development data

  // the training words and every word of the vector file
  datasets_for_vocab_creation: ['train'],
  vocabulary: {
    pretrained_files: { tokens: profile.word_vectors.file },
    min_pretrained_embeddings: { tokens: -1 },
  },

  model: {
    type: 'paper_srl',
    text_field_embedder: {
      token_embedders: {
        tokens: {
          type: 'embedding',
          pretrained_file: profile.word_vectors.file,
          embedding_dim: profile.word_vectors.dim,
          trainable: true,
        },
      },
    },
    predicate_dim: 100,
    encoder: {
      type: 'alternating_highway_lstm',
      hidden_size: 300,
      num_layers: 8,
      recurrent_dropout: 0.1,
      input_bias: false,  // AllenNLP's configurations with ELMo; the gates have biases of their own
    },
    loss: 'mean',  // AllenNLP's
  },

  data_loader: {
    batch_sampler: {
      type: 'bucket',  // sentences of like length together, for speed
      sorting_keys: ['tokens'],
      batch_size: 80,
    },
  },
  validation_data_loader: { batch_size: 80 },  // any size gives the same scores

  trainer: {
    optimizer: { type: 'adadelta', lr: 1.0, rho: 0.95, eps: 1e-6 },
    grad_clipping: 1.0,
    num_epochs: 500,
    patience: 200,
    validation_metric: '+f1',
    callbacks: [profile.announcement],
    checkpointer: { type: 'exact_resume' },
  },
} + profile.overrides('srl')
