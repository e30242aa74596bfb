// Coreference, end-to-end over spans, without ELMo. Paper: test average F1 67.2 (Table 1; docs/coref.md).
local profile = import '../profile.libsonnet';
local data = profile.task('coref');

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,

  dataset_reader: {
    type: 'paper_coref',
    token_indexers: {
      tokens: { type: 'word_ids' } + profile.word_lookup,
      characters: {
        type: 'characters',
        min_padding_length: 5,
        // AllenNLP's CNN sees no window that reaches into padding: so the widest one sees words of one letter
        character_tokenizer: { start_tokens: ['<w>', '<w>'], end_tokens: ['</w>', '</w>'] },
      },
    },
  },
  // as the training reader, but for a budget that that one may be given
  validation_dataset_reader: $.dataset_reader { max_documents: null },
  train_data_path: data.train,
  validation_data_path: data.dev,
  test_data_path: data.test,
  evaluate_on_test: true,  // once, by the model that was best on development data

  // the words of the vector file: any other has no vector and is zero
  datasets_for_vocab_creation: ['train'],
  vocabulary: {
    pretrained_files: { tokens: profile.word_vectors.file },
    min_pretrained_embeddings: { tokens: -1 },
    only_include_pretrained_words: true,
  },

  model: {
    type: 'paper_coref',
    text_field_embedder: {
      token_embedders: {
        // the paper has a second table, of Turian's vectors (docs/coref.md)
        tokens: {
          type: 'word_vectors',
          pretrained_file: profile.word_vectors.file,
          embedding_dim: profile.word_vectors.dim,
          unit_length: true,
        },
        characters: {
          type: 'character_encoding',
          embedding: { embedding_dim: 8, vocab_namespace: 'token_characters' },
          encoder: {
            type: 'cnn',
            embedding_dim: 8,
            num_filters: 50,
            ngram_filter_sizes: [3, 4, 5],
            conv_layer_activation: 'relu',
          },
        },
      },
    },
    encoder: { type: 'coupled_lstm', hidden_size: 200, recurrent_dropout: 0.2 },
    hidden_dims: [150, 150],
    feature_dim: 20,
    lexical_dropout: 0.5,
    dropout: 0.2,
    max_span_width: 10,
    spans_per_word: 0.4,
    max_antecedents: 250,
    max_sentences: 50,
  },

  data_loader: { batch_size: 1, shuffle: true },
  validation_data_loader: { batch_size: 1 },  // any size gives the same scores

  trainer: {
    optimizer: { type: 'adam', lr: 0.001 },
    learning_rate_scheduler: { type: 'staircase', factor: 0.999, every: 100 },
    grad_norm: 5.0,
    num_epochs: 150,  // AllenNLP's configuration; about as many steps as the authors' later program makes
    patience: 10,  // AllenNLP's configuration
    validation_metric: '+f1',
    callbacks: [profile.announcement],
    checkpointer: { type: 'exact_resume' },
  },
} + profile.second_vectors + profile.overrides('coref')
