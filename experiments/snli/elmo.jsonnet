// SNLI, ESIM with ELMo at the input and at the output of its first biLSTM. Paper: test accuracy 88.7 +- 0.17.
local profile = import '../profile.libsonnet';

(import 'baseline.jsonnet') + {
  dataset_reader+: {
    token_indexers+: { elmo: { type: 'bilm_characters' } + profile.bilm_lookup },
  },
  model+: {
    // the model drops out what goes into its biLSTM itself
    text_field_embedder+: {
      token_embedders+: { elmo: { type: 'bilm', dropout: 0, do_layer_norm: true } + profile.bilm },
    },
    elmo_at_output: { dropout: 0, do_layer_norm: true },
    attention_dropout: 0.5,
    regularizer: {
      regexes: [
        ['mix.*weights', { type: 'l2', alpha: 0.001 }],
        // every recurrent and feed-forward matrix
        ['^(encoder|inference_encoder|projection_feedforward|output_feedforward|output_layer).*weight', {
          type: 'l2',
          alpha: 0.0001,
        }],
      ],
    },
  },
}
