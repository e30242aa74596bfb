// Control: the baseline, widened until it has as many trainable parameters as elmo.jsonnet.
local profile = import '../profile.libsonnet';
local widening = import '../widening.libsonnet';
local baseline = import 'baseline.jsonnet';

local elmo_dim = 2 * profile.bilm.options.lstm.projection_dim;
local elmo_layers = profile.bilm.options.lstm.n_layers + 1;
local words_dim = profile.word_vectors.dim;
local num_classes = { '2-class': 2, '3-class': 3, '5-class': 5 }[baseline.model.granularity];

// Trainable numbers of the network with these widths, with and without ELMo at both places.
local trainable(width, elmo) =
  widening.linear(words_dim + elmo, width.pre_encode)
  + widening.bilstm(width.pre_encode, width.encoder)
  + (if elmo > 0 then widening.bilstm(elmo, width.encoder) + 2 * widening.mix(elmo_layers) else 0)
  + widening.bilstm(3 * 2 * width.encoder * (if elmo > 0 then 2 else 1), width.integrator)
  + widening.linear(2 * width.integrator, 1)
  + widening.feedforward([4 * 2 * width.integrator] + width.output + [num_classes]);

local paper_width = {
  pre_encode: baseline.model.pre_encode_feedforward.hidden_dims,
  encoder: baseline.model.encoder.hidden_size,
  integrator: baseline.model.integrator.hidden_size,
  output: baseline.model.output.hidden_dims,
};
local width = widening.widened(paper_width, function(width) trainable(width, 0), trainable(paper_width, elmo_dim));

baseline + {
  model+: {
    pre_encode_feedforward+: { hidden_dims: width.pre_encode },
    encoder+: { hidden_size: width.encoder },
    integrator+: { hidden_size: width.integrator },
    output+: { hidden_dims: width.output },
  },
}
