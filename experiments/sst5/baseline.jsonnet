// SST-5, biattentive classification network without ELMo. Paper: test accuracy 51.4 (Table 1; docs/sst5.md).
local profile = import '../profile.libsonnet';
local data = profile.task('sst5');

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,

  // training: every labelled phrase of four or more tokens
  dataset_reader: {
    type: 'paper_sst5',
    granularity: '5-class',
    phrases: true,
    min_phrase_tokens: 4,
    token_indexers: { tokens: { type: 'word_ids' } + profile.word_lookup },
  },
  // development and test: whole sentences
  validation_dataset_reader: {
    type: 'paper_sst5',
    granularity: $.dataset_reader.granularity,
    token_indexers: $.dataset_reader.token_indexers,
  },
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
    type: 'paper_sst5',
    granularity: $.dataset_reader.granularity,
    text_field_embedder: {
      token_embedders: {
        tokens: {
          type: 'embedding',
          pretrained_file: profile.word_vectors.file,
          embedding_dim: profile.word_vectors.dim,
          trainable: false,  // AllenNLP's configuration
        },
      },
    },
    embedding_dropout: 0.25,  // AllenNLP's configuration
    pre_encode_feedforward: {
      num_layers: 1,
      hidden_dims: 300,
      activations: 'relu',
      dropout: 0.25,  // AllenNLP's configuration
    },
    encoder: { type: 'lstm', hidden_size: 300, bidirectional: true },
    integrator: { type: 'lstm', hidden_size: 300, bidirectional: true },
    pooled_dropout: 0.1,  // AllenNLP's configuration
    output: {
      type: 'relu',
      hidden_dims: [1200, 600],  // AllenNLP's first port of the paper's program
      dropout: 0.2,  // first port
    },
  },

  data_loader: {
    batch_sampler: {
      type: 'bucket',  // texts of like length together, for speed
      sorting_keys: ['tokens'],
      batch_size: 32,  // first port
    },
  },
  validation_data_loader: { batch_size: 64 },  // any size gives the same scores

  trainer: {
    optimizer: { type: 'adam', lr: 0.0001 },
    grad_norm: 5.0,  // AllenNLP's configuration
    num_epochs: 10,  // first port
    patience: 2,  // first port
    validation_metric: '+accuracy',
    callbacks: [profile.announcement],
    checkpointer: { type: 'exact_resume' },
  },
} + profile.overrides('sst5')
