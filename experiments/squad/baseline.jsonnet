// SQuAD, bi-attention and self-attention without ELMo. Paper: test F1 81.1 (Table 1; docs/squad.md).
local profile = import '../profile.libsonnet';
local data = profile.task('squad');

{
  random_seed: profile.seed,
  numpy_seed: profile.seed,
  pytorch_seed: profile.seed,

  dataset_reader: {
    type: 'paper_squad',
    token_indexers: {
      tokens: { type: 'word_ids', lowercase_fallback: true } + profile.word_lookup,
      characters: { type: 'first_characters', max_characters: 14 },
    },
  },
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
    min_count: { token_characters: 49 },  // a paragraph counts with each of its questions
  },

  model: {
    type: 'paper_squad',
    text_field_embedder: {
      token_embedders: {
        tokens: {
          type: 'word_vectors',
          pretrained_file: profile.word_vectors.file,
          embedding_dim: profile.word_vectors.dim,
        },
        characters: {
          type: 'character_encoding',
          embedding: { embedding_dim: 20, vocab_namespace: 'token_characters' },
          encoder: { type: 'masked_cnn', embedding_dim: 20, num_filters: 100, ngram_filter_size: 5, dropout: 0.2 },
        },
      },
    },
    encoder: { type: 'gru', hidden_size: 90, bidirectional: true },
    dropout: 0.2,
    max_answer_length: 17,
    answers: 'one',
  },

  data_loader: {
    batch_sampler: { type: 'bucket', sorting_keys: ['passage'], batch_size: 45, drop_last: true },
  },
  validation_data_loader: { batch_size: 45 },  // any size gives the same scores

  trainer: {
    optimizer: { type: 'adadelta', lr: 1.0, rho: 0.95, eps: 1e-8 },
    moving_average: { type: 'exponential', decay: 0.999 },
    num_epochs: 24,
    validation_metric: '+f1',
    callbacks: [profile.announcement],
    checkpointer: { type: 'exact_resume' },
  },
} + profile.overrides('squad')
