// Control: the baseline with LSTM, hidden layers and character filters widened until it has as many trainable parameters
// as elmo.jsonnet.
local profile = import '../profile.libsonnet';
local widening = import '../widening.libsonnet';
local baseline = import 'baseline.jsonnet';

local embedders = baseline.model.text_field_embedder.token_embedders;
local characters = embedders.characters.encoder;
local elmo_dim = 2 * profile.bilm.options.lstm.projection_dim;
local elmo_layers = profile.bilm.options.lstm.n_layers + 1;
local feature_dim = baseline.model.feature_dim;

// Trainable numbers of the network without the vectors of characters and features, which are the same in both.
local trainable(width, elmo) =
  local token_dim = embedders.tokens.embedding_dim
    + (if std.objectHas(embedders, 'tokens_2') then embedders.tokens_2.embedding_dim else 0)
    + width.num_filters * std.length(characters.ngram_filter_sizes);
  local encoded_dim = 2 * width.hidden_size;
  local span_dim = 2 * encoded_dim + feature_dim + token_dim;
  // both directions: the gates' matrices and biases, and the states before the first word
  2 * width.hidden_size * (3 * (token_dim + elmo + width.hidden_size + 1) + 2)
  + encoded_dim
  + widening.feedforward([span_dim] + width.hidden_dims + [1])
  + widening.feedforward([3 * (span_dim + feature_dim)] + width.hidden_dims + [1])
  + std.foldl(
    function(sum, size) sum + widening.linear(characters.embedding_dim * size, width.num_filters),
    characters.ngram_filter_sizes,
    0
  )
  + (if elmo > 0 then widening.mix(elmo_layers) else 0);

local paper_width = {
  hidden_size: baseline.model.encoder.hidden_size,
  hidden_dims: baseline.model.hidden_dims,
  num_filters: characters.num_filters,
};
local width = widening.widened(paper_width, function(width) trainable(width, 0), trainable(paper_width, elmo_dim));

baseline + {
  model+: {
    text_field_embedder+: { token_embedders+: { characters+: { encoder+: { num_filters: width.num_filters } } } },
    encoder+: { hidden_size: width.hidden_size },
    hidden_dims: width.hidden_dims,
  },
}
