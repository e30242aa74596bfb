// NER, two biLSTMs and a conditional random field without ELMo. Paper: test F1 90.15 (Table 1; docs/ner.md).
local profile = import '../profile.libsonnet';
local data = profile.task('ner');

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,

  dataset_reader: {
    type: 'paper_ner',
    file_scheme: 'IOB1',  // as CoNLL-2003 was published
    tag_scheme: 'BIOUL',  // AllenNLP's configuration
    token_indexers: {
      tokens: { type: 'word_ids', digits_to_zero: false } + profile.word_lookup,  // true for Senna's vectors, the paper's
      characters: {
        type: 'characters',
        min_padding_length: 3,
        // AllenNLP's CNN sees no window that reaches into padding: without these, words of one or two letters are zero
        character_tokenizer: { start_tokens: ['<w>'], end_tokens: ['</w>'] },
      },
    },
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
    type: 'paper_ner',
    tag_scheme: $.dataset_reader.tag_scheme,
    text_field_embedder: {
      token_embedders: {
        tokens: {
          type: 'embedding',
          pretrained_file: profile.word_vectors.file,
          embedding_dim: profile.word_vectors.dim,
          trainable: true,
        },
        characters: {
          type: 'character_encoding',
          embedding: { embedding_dim: 16, vocab_namespace: 'token_characters' },
          encoder: {
            type: 'cnn',
            embedding_dim: 16,
            num_filters: 128,
            ngram_filter_sizes: [3],
            conv_layer_activation: 'relu',
          },
        },
      },
    },
    // AllenNLP's configuration has 200 in both
    encoders: [
      { type: 'lstm', hidden_size: 200, bidirectional: true },
      { type: 'lstm', hidden_size: 100, bidirectional: true },
    ],
    dropout: 0.5,  // AllenNLP's rate
  },

  data_loader: {
    batch_sampler: {
      type: 'bucket',  // sentences of like length together, for speed
      sorting_keys: ['tokens'],
      batch_size: 64,  // AllenNLP's configuration
    },
  },
  validation_data_loader: { batch_size: 64 },  // any size gives the same scores

  trainer: {
    optimizer: { type: 'adam', lr: 0.001 },
    grad_norm: 5.0,
    num_epochs: 75,  // AllenNLP's configuration
    patience: 25,  // AllenNLP's configuration
    validation_metric: '+f1',
    callbacks: [profile.announcement],
    checkpointer: { type: 'exact_resume' },
  },
} + profile.overrides('ner')
