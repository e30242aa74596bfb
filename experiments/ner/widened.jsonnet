// Control: the baseline with biLSTMs widened until it has as many trainable parameters as elmo.jsonnet.
local profile = import '../profile.libsonnet';
local widening = import '../widening.libsonnet';
local baseline = import 'baseline.jsonnet';

local embedders = baseline.model.text_field_embedder.token_embedders;
local characters = embedders.characters.encoder;
local input_dim =
  embedders.tokens.embedding_dim + characters.num_filters * std.length(characters.ngram_filter_sizes);
local elmo_dim = 2 * profile.bilm.options.lstm.projection_dim;
local elmo_layers = profile.bilm.options.lstm.n_layers + 1;
// O, and beginning, end and single word of three types: as many tags as any data have. More only widen the wider one.
local num_tags = 10;

// Trainable numbers of biLSTMs and tags; words, characters and transitions have the same in both networks.
local trainable(width, elmo) =
  local inputs = [input_dim + elmo] + [2 * hidden for hidden in width.encoders];
  std.foldl(
    function(sum, i) sum + widening.bilstm(inputs[i], width.encoders[i]),
    std.range(0, std.length(width.encoders) - 1),
    widening.linear(inputs[std.length(width.encoders)], num_tags),
  )
  + (if elmo > 0 then widening.mix(elmo_layers) else 0);

local paper_width = { encoders: [encoder.hidden_size for encoder in baseline.model.encoders] };
local width = widening.widened(paper_width, function(width) trainable(width, 0), trainable(paper_width, elmo_dim));

baseline + {
  model+: {
    encoders: std.mapWithIndex(
      function(i, encoder) encoder { hidden_size: width.encoders[i] }, baseline.model.encoders
    ),
  },
}
