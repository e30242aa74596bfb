// SNLI with the ESIM of allennlp-models and the values of its configuration, on the vectors and the pairs of the profile:
// the floor of our baseline. benchmarks/floors.py writes the files that its reader takes. Needs allennlp-models.
local profile = import '../profile.libsonnet';
local ours = import '../snli/baseline.jsonnet';
local folder = std.extVar('ELMO_TASKS_FLOOR_DATA');
local hidden = 300;

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,
  dataset_reader: {
    type: 'snli',
    tokenizer: 'just_spaces',  // the words are those of our reader
    token_indexers: { tokens: { type: 'single_id', lowercase_tokens: profile.word_lookup.lowercase_tokens } },
  },
  train_data_path: folder + '/train.jsonl',
  validation_data_path: folder + '/dev.jsonl',
  test_data_path: folder + '/test.jsonl',
  datasets_for_vocab_creation: ['train'],
  vocabulary: ours.vocabulary,
  model: {
    type: 'esim',
    dropout: 0.5,
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
    encoder: { type: 'lstm', input_size: profile.word_vectors.dim, hidden_size: hidden, bidirectional: true },
    matrix_attention: 'dot_product',
    projection_feedforward: { input_dim: 8 * hidden, hidden_dims: hidden, num_layers: 1, activations: 'relu' },
    inference_encoder: { type: 'lstm', input_size: hidden, hidden_size: hidden, bidirectional: true },
    output_feedforward: {
      input_dim: 8 * hidden,
      num_layers: 1,
      hidden_dims: hidden,
      activations: 'relu',
      dropout: 0.5,
    },
    output_logit: { input_dim: hidden, num_layers: 1, hidden_dims: 3, activations: 'linear' },
    initializer: {
      regexes: [
        ['.*linear_layers.*weight', { type: 'xavier_uniform' }],
        ['.*linear_layers.*bias', { type: 'constant', val: 0 }],
        ['.*weight_ih.*', { type: 'xavier_uniform' }],
        ['.*weight_hh.*', { type: 'orthogonal' }],
        ['.*bias_ih.*', { type: 'constant', val: 0 }],
        ['.*bias_hh.*', { type: 'lstm_hidden_bias' }],
      ],
    },
  },
  data_loader: { batch_sampler: { type: 'bucket', sorting_keys: ['premise', 'hypothesis'], batch_size: 32 } },
  validation_data_loader: { batch_size: 64 },
  trainer: {
    optimizer: { type: 'adam', lr: 0.0004 },
    grad_norm: 10.0,
    learning_rate_scheduler: { type: 'reduce_on_plateau', mode: 'max', factor: 0.5, patience: 0 },
    num_epochs: 75,
    patience: 5,
    validation_metric: '+accuracy',
  },
}
