// Controls of width: how many trainable numbers layers have, and how wide a network must be to have a given number.
{
  linear(input, output):: (input + 1) * output,
  bilstm(input, hidden):: 2 * 4 * hidden * (input + hidden + 2),
  bigru(input, hidden):: 2 * 3 * hidden * (input + hidden + 2),
  feedforward(dims)::
    std.foldl(function(sum, i) sum + $.linear(dims[i - 1], dims[i]), std.range(1, std.length(dims) - 1), 0),
  // scalar mix of a biLM's layers: a weight for each, and a factor
  mix(num_layers):: num_layers + 1,

  // The narrowest of the networks that are 0.05 % wider each which has at least `target` trainable numbers.
  // width: sizes, or lists of sizes, by name; trainable: a function of such an object
  widened(width, trainable, target)::
    local scaled(factor) = {
      [key]: if std.isArray(width[key]) then [std.round(factor * size) for size in width[key]]
      else std.round(factor * width[key])
      for key in std.objectFields(width)
    };
    local step(number) = scaled(1 + number / 2000);
    local search(low, high) =
      if low == high then low else
        local middle = std.floor((low + high) / 2);
        if trainable(step(middle)) >= target then search(low, middle) else search(middle + 1, high);
    step(search(0, 40000)),
}
