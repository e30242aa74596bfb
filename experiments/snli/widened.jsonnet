// Control: the baseline, widened until it has as many trainable parameters as elmo.jsonnet.
local profile = import '../profile.libsonnet';
local widening = import '../widening.libsonnet';
local baseline = import 'baseline.jsonnet';

local elmo_dim = 2 * profile.bilm.options.lstm.projection_dim;
local elmo_layers = profile.bilm.options.lstm.n_layers + 1;
local words_dim = profile.word_vectors.dim;
local num_labels = 3;

// Trainable numbers of the network with these widths, with and without ELMo at both places.
local trainable(width, elmo) =
  widening.bilstm(words_dim + elmo, width.encoder)
  + widening.linear(4 * (2 * width.encoder + elmo), width.projection)
  + widening.bilstm(width.projection, width.inference)
  + widening.feedforward([4 * 2 * width.inference, width.output, num_labels])
  + (if elmo > 0 then 2 * widening.mix(elmo_layers) else 0);

local paper_width = {
  encoder: baseline.model.encoder.hidden_size,
  projection: baseline.model.projection_feedforward.hidden_dims,
  inference: baseline.model.inference_encoder.hidden_size,
  output: baseline.model.output_feedforward.hidden_dims,
};
local width = widening.widened(paper_width, function(width) trainable(width, 0), trainable(paper_width, elmo_dim));

baseline + {
  model+: {
    encoder+: { hidden_size: width.encoder },
    projection_feedforward+: { hidden_dims: width.projection },
    inference_encoder+: { hidden_size: width.inference },
    output_feedforward+: { hidden_dims: width.output },
  },
}
