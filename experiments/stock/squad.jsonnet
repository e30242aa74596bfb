// SQuAD with the BiDAF of allennlp-models and the values of its configuration, on the vectors and the questions of the
// profile: the floor of our baseline. benchmarks/floors.py writes the files that its reader takes. Needs allennlp-models.
local profile = import '../profile.libsonnet';
local folder = std.extVar('ELMO_TASKS_FLOOR_DATA');
local hidden = 100;
local num_filters = 100;

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,
  dataset_reader: {
    type: 'squad',
    // its configuration has spaCy's tokenizer, whose model is not a package of its own there
    tokenizer: 'letters_digits',
    token_indexers: {
      tokens: { type: 'single_id', lowercase_tokens: profile.word_lookup.lowercase_tokens },
      token_characters: {
        type: 'characters',
        character_tokenizer: {
          byte_encoding: 'utf-8',
          start_tokens: [259],
          end_tokens: [260],
        },
        min_padding_length: 5,
      },
    },
  },
  train_data_path: folder + '/train.json',
  validation_data_path: folder + '/dev.json',
  test_data_path: folder + '/test.json',
  datasets_for_vocab_creation: ['train'],
  vocabulary: {
    pretrained_files: { tokens: profile.word_vectors.file },
    min_pretrained_embeddings: { tokens: -1 },
  },
  model: {
    type: 'bidaf',
    text_field_embedder: {
      token_embedders: {
        tokens: {
          type: 'embedding',
          pretrained_file: profile.word_vectors.file,
          embedding_dim: profile.word_vectors.dim,
          trainable: false,
        },
        token_characters: {
          type: 'character_encoding',
          embedding: { num_embeddings: 262, embedding_dim: 16 },
          encoder: { type: 'cnn', embedding_dim: 16, num_filters: num_filters, ngram_filter_sizes: [5] },
          dropout: 0.2,
        },
      },
    },
    num_highway_layers: 2,
    phrase_layer: {
      type: 'lstm',
      bidirectional: true,
      input_size: profile.word_vectors.dim + num_filters,
      hidden_size: hidden,
    },
    matrix_attention: {
      type: 'linear',
      combination: 'x,y,x*y',
      tensor_1_dim: 2 * hidden,
      tensor_2_dim: 2 * hidden,
    },
    modeling_layer: {
      type: 'lstm',
      bidirectional: true,
      input_size: 8 * hidden,
      hidden_size: hidden,
      num_layers: 2,
      dropout: 0.2,
    },
    span_end_encoder: { type: 'lstm', bidirectional: true, input_size: 14 * hidden, hidden_size: hidden },
    dropout: 0.2,
  },
  data_loader: { batch_sampler: { type: 'bucket', sorting_keys: ['passage', 'question'], batch_size: 40 } },
  validation_data_loader: { batch_size: 40 },
  trainer: {
    optimizer: { type: 'adam', betas: [0.9, 0.9] },
    grad_norm: 5.0,
    learning_rate_scheduler: { type: 'reduce_on_plateau', factor: 0.5, mode: 'max', patience: 2 },
    num_epochs: 20,
    patience: 10,
    validation_metric: '+em',
  },
}
