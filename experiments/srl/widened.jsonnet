// Control: the baseline with an LSTM widened until it has as many trainable parameters as elmo.jsonnet.
local profile = import '../profile.libsonnet';
local widening = import '../widening.libsonnet';
local baseline = import 'baseline.jsonnet';

local encoder = baseline.model.encoder;
local input_dim =
  baseline.model.text_field_embedder.token_embedders.tokens.embedding_dim + baseline.model.predicate_dim;
local elmo_dim = 2 * profile.bilm.options.lstm.projection_dim;
local elmo_layers = profile.bilm.options.lstm.n_layers + 1;
// as many tags as the sample has; more only widen the wider one
local num_tags = 15;

// Trainable numbers of LSTM and tags; words and predicate indicator have the same in both networks.
local trainable(width, elmo) =
  local hidden = width.hidden_size;
  local layer(input) = 6 * hidden * input + 5 * hidden * (hidden + 1) + (if encoder.input_bias then 6 * hidden else 0);
  layer(input_dim + elmo) + (encoder.num_layers - 1) * layer(hidden)
  + widening.linear(hidden, num_tags)
  + (if elmo > 0 then widening.mix(elmo_layers) else 0);

local paper_width = { hidden_size: encoder.hidden_size };
local width = widening.widened(paper_width, function(width) trainable(width, 0), trainable(paper_width, elmo_dim));

baseline + { model+: { encoder+: { hidden_size: width.hidden_size } } }
