// The sample world of fixtures/sample: in the repository, generated, small. For trying things out in minutes.
{
  name: 'sample',
  description: 'only the sample world, generated sentences: results say nothing about language',

  word_vectors: { file: '../../fixtures/sample/vectors.txt.gz', lowercase: true, map_treebank_tokens: true },

  bilm: {
    options_file: '../../fixtures/sample/bilm/options.json',
    weights_file: '../../fixtures/sample/bilm/weights.hdf5',
    map_treebank_tokens: true,
  },
  // controls: the same size with random weights, and trained on the same text with its words shuffled
  bilm_random: $.bilm { weights_file: '../../fixtures/sample/bilm_random/weights.hdf5' },
  bilm_shuffled: $.bilm { weights_file: '../../fixtures/sample/bilm_shuffled/weights.hdf5' },

  tasks: {
    coref: {
      train: '../../fixtures/sample/coref/train.gold_conll',
      dev: '../../fixtures/sample/coref/dev.gold_conll',
      test: '../../fixtures/sample/coref/test.gold_conll',
      // small for speed; dropout and learning rate: the baseline's development data
      sizes: {
        text_field_embedder: { token_embedders: { characters: { encoder: { num_filters: 8 } } } },
        encoder: { hidden_size: 32 },
        hidden_dims: [32, 32],
        feature_dim: 8,
        lexical_dropout: 0.2,
        dropout: 0.1,
        max_span_width: 4,
        // of so few words that without it whole kinds of mentions are never kept, and so never learned
        spans_per_word: 0.8,
      },
      training: {
        trainer: { optimizer: { lr: 0.003 }, num_epochs: 12, patience: null },  // as many updates for every arm
      },
    },
    sst5: {
      train: '../../fixtures/sample/sst5/train.txt',
      dev: '../../fixtures/sample/sst5/dev.txt',
      test: '../../fixtures/sample/sst5/test.txt',
      // small for speed, and less dropout for a small network: the baseline is better so on development data
      sizes: {
        embedding_dropout: 0.1,
        pre_encode_feedforward: { hidden_dims: 48, dropout: 0.1 },
        encoder: { hidden_size: 48 },
        integrator: { hidden_size: 48 },
        output: { hidden_dims: [96, 48], dropout: 0.1 },
      },
      training: {
        trainer: { optimizer: { lr: 0.003 }, num_epochs: 40, patience: null },  // as many updates for every arm
      },
    },
    squad: {
      train: '../../fixtures/sample/squad/train.json',
      dev: '../../fixtures/sample/squad/dev.json',
      test: '../../fixtures/sample/squad/test.json',
      // small for speed
      sizes: {
        text_field_embedder: {
          token_embedders: {
            characters: { embedding: { embedding_dim: 8 }, encoder: { embedding_dim: 8, num_filters: 16 } },
          },
        },
        encoder: { hidden_size: 32 },
      },
      training: {
        data_loader: { batch_sampler: { batch_size: 16 } },
        trainer: { optimizer: { eps: 1e-6 }, num_epochs: 40 },  // as many updates for every arm
      },
    },
    snli: {
      train: '../../fixtures/sample/snli/train.jsonl',
      dev: '../../fixtures/sample/snli/dev.jsonl',
      test: '../../fixtures/sample/snli/test.jsonl',
      // small for speed; dropout and learning rate: the baseline's development data
      sizes: {
        encoder: { hidden_size: 48 },
        projection_feedforward: { hidden_dims: 48 },
        inference_encoder: { hidden_size: 48 },
        output_feedforward: { hidden_dims: 48 },
        dropout: 0,
        output_dropout: 0,
      },
      training: {
        trainer: {
          optimizer: { lr: 0.003 },
          learning_rate_scheduler: null,  // of epochs of 15 updates many are no better than the one before
          num_epochs: 40,
          patience: null,  // as many updates for every arm
        },
      },
    },
    srl: {
      train: '../../fixtures/sample/srl/train.gold_conll',
      dev: '../../fixtures/sample/srl/dev.gold_conll',
      test: '../../fixtures/sample/srl/test.gold_conll',
      // small for speed
      sizes: {
        predicate_dim: 16,
        encoder: { hidden_size: 32, num_layers: 2 },
      },
      training: {
        data_loader: { batch_sampler: { batch_size: 16 } },
        trainer: { num_epochs: 60, patience: null },  // as many updates for every arm
      },
    },
    ner: {
      train: '../../fixtures/sample/ner/train.txt',
      dev: '../../fixtures/sample/ner/dev.txt',
      test: '../../fixtures/sample/ner/test.txt',
      // small for speed; dropout and learning rate: the baseline's development data
      sizes: {
        text_field_embedder: {
          token_embedders: {
            characters: { embedding: { embedding_dim: 8 }, encoder: { embedding_dim: 8, num_filters: 16 } },
          },
        },
        encoders: [{ type: 'lstm', hidden_size: size, bidirectional: true } for size in [32, 32]],
        dropout: 0.25,
      },
      training: {
        data_loader: { batch_sampler: { batch_size: 16 } },
        trainer: { optimizer: { lr: 0.01 }, num_epochs: 40, patience: null },  // as many updates for every arm
      },
    },
  },
}
