// Control: the baseline with GRUs, and all that follows their size, widened to nearly as many trainable parameters as
// elmo.jsonnet has, and more filters over characters for the rest.
local profile = import '../profile.libsonnet';
local widening = import '../widening.libsonnet';
local baseline = import 'baseline.jsonnet';

local embedders = baseline.model.text_field_embedder.token_embedders;
local characters = embedders.characters.encoder;
local elmo_dim = 2 * profile.bilm.options.lstm.projection_dim;
local elmo_layers = profile.bilm.options.lstm.n_layers + 1;

// Trainable numbers of the network without the characters' vectors, which are the same in both.
local trainable(width, elmo) =
  local dim = 2 * width.hidden_size;
  local input_dim = embedders.tokens.embedding_dim + width.num_filters;
  local attended = dim + elmo;
  local similarity(size) = 3 * size + 1;
  widening.linear(characters.embedding_dim * characters.ngram_filter_size, width.num_filters)
  + widening.bigru(input_dim + elmo, width.hidden_size)
  + similarity(attended)
  + widening.linear(4 * attended, dim)
  // self-attention, with its number for attending to nothing
  + widening.bigru(dim, width.hidden_size)
  + similarity(dim) + 1
  + widening.linear(3 * dim, dim)
  + widening.bigru(dim, width.hidden_size)
  + widening.bigru(2 * dim, width.hidden_size)
  + 2 * widening.linear(dim, 1)
  + (if elmo > 0 then 2 * widening.mix(elmo_layers) else 0);

local paper_width = { hidden_size: baseline.model.encoder.hidden_size, num_filters: characters.num_filters };
local target = trainable(paper_width, elmo_dim);
local too_wide = widening.widened(
  { hidden_size: paper_width.hidden_size }, function(width) trainable(paper_width + width, 0), target
);
local hidden_size = too_wide.hidden_size - 1;
local num_filters = widening.widened(
  { num_filters: paper_width.num_filters },
  function(width) trainable({ hidden_size: hidden_size } + width, 0),
  target
).num_filters;

baseline + {
  model+: {
    text_field_embedder+: { token_embedders+: { characters+: { encoder+: { num_filters: num_filters } } } },
    encoder+: { hidden_size: hidden_size },
  },
}
