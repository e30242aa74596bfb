// SNLI, ESIM without ELMo. Paper: test accuracy 88.0 (Table 1; docs/snli.md).
local profile = import '../profile.libsonnet';
local data = profile.task('snli');

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,

  dataset_reader: {
    type: 'paper_snli',
    words_from: 'text',  // AllenNLP's configuration; 'parse' is the original program's
    token_indexers: { tokens: { type: 'word_ids' } + profile.word_lookup },
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
    type: 'paper_snli',
    text_field_embedder: {
      token_embedders: {
        tokens: {
          type: 'embedding',
          pretrained_file: profile.word_vectors.file,
          embedding_dim: profile.word_vectors.dim,
          trainable: false,
        },
      },
    },
    encoder: { type: 'lstm', hidden_size: 300, bidirectional: true },
    projection_feedforward: { num_layers: 1, hidden_dims: 300, activations: 'relu' },
    inference_encoder: { type: 'lstm', hidden_size: 300, bidirectional: true },
    output_feedforward: { num_layers: 1, hidden_dims: 300, activations: 'relu' },
    dropout: 0.5,
    output_dropout: 0.5,
    // AllenNLP's configuration; the paper names none
    initializer: {
      regexes: [
        ['^(projection_feedforward|output_feedforward|output_layer).*weight', { type: 'xavier_uniform' }],
        ['^(projection_feedforward|output_feedforward|output_layer).*bias', { type: 'constant', val: 0 }],
        ['^(encoder|inference_encoder).*weight_ih', { type: 'xavier_uniform' }],
        ['^(encoder|inference_encoder).*weight_hh', { type: 'orthogonal' }],
        ['^(encoder|inference_encoder).*bias_ih', { type: 'constant', val: 0 }],
        ['^(encoder|inference_encoder).*bias_hh', { type: 'lstm_hidden_bias' }],
      ],
    },
  },

  data_loader: {
    batch_sampler: {
      type: 'bucket',  // pairs of like length together, for speed
      sorting_keys: ['premise', 'hypothesis'],
      batch_size: 32,
    },
  },
  validation_data_loader: { batch_size: 32 },  // with layer norm ELMo's numbers depend on the batch: as in training

  trainer: {
    optimizer: { type: 'adam', lr: 0.0004 },
    grad_norm: 5.0,
    learning_rate_scheduler: { type: 'reduce_on_plateau', mode: 'max', factor: 0.5, patience: 0 },
    num_epochs: 75,  // AllenNLP's configuration
    patience: 5,  // AllenNLP's configuration
    validation_metric: '+accuracy',
    callbacks: [profile.announcement],
    checkpointer: { type: 'exact_resume' },
  },
} + profile.overrides('snli')
