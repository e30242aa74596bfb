// Control: the baseline, widened until it has as many trainable parameters as elmo.jsonnet.
local profile = import '../profile.libsonnet';
local baseline = import 'baseline.jsonnet';

local elmo_dim = 2 * profile.bilm.options.lstm.projection_dim;
local elmo_layers = profile.bilm.options.lstm.n_layers + 1;
local words_dim = profile.word_vectors.dim;
local num_classes = { '2-class': 2, '3-class': 3, '5-class': 5 }[baseline.model.granularity];

// Trainable numbers of a layer, and of the network's widths with and without ELMo at both places.
local linear(input, output) = (input + 1) * output;
local bilstm(input, hidden) = 2 * 4 * hidden * (input + hidden + 2);
local stack(dims) = std.foldl(function(sum, i) sum + linear(dims[i - 1], dims[i]), std.range(1, std.length(dims) - 1), 0);
local trainable(width, elmo) =
  linear(words_dim + elmo, width.pre_encode)
  + bilstm(width.pre_encode, width.encoder)
  + (if elmo > 0 then bilstm(elmo, width.encoder) + 2 * (elmo_layers + 1) else 0)
  + bilstm(3 * 2 * width.encoder * (if elmo > 0 then 2 else 1), width.integrator)
  + linear(2 * width.integrator, 1)
  + stack([4 * 2 * width.integrator] + width.output + [num_classes]);

local paper_width = {
  pre_encode: baseline.model.pre_encode_feedforward.hidden_dims,
  encoder: baseline.model.encoder.hidden_size,
  integrator: baseline.model.integrator.hidden_size,
  output: baseline.model.output.hidden_dims,
};
local scaled(factor) = {
  [key]: if std.isArray(paper_width[key]) then [std.round(factor * size) for size in paper_width[key]]
  else std.round(factor * paper_width[key])
  for key in std.objectFields(paper_width)
};

// The narrowest of the baselines that are 0.05 % wider each which has at least ELMo's number.
local target = trainable(paper_width, elmo_dim);
local widened(step) = scaled(1 + step / 2000);
local search(low, high) =
  if low == high then low else
    local middle = std.floor((low + high) / 2);
    if trainable(widened(middle), 0) >= target then search(low, middle) else search(middle + 1, high);
local width = widened(search(0, 40000));

baseline + {
  model+: {
    pre_encode_feedforward+: { hidden_dims: width.pre_encode },
    encoder+: { hidden_size: width.encoder },
    integrator+: { hidden_size: width.integrator },
    output+: { hidden_dims: width.output },
  },
}
