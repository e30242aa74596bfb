// Where data, word vectors and biLM come from: the profile of ELMO_TASKS_PROFILE (sample, open, paper or a path), as
// elmo_tasks/reproduce/profile.py published it when the plugin was loaded. What a config does not use may be missing.

// A sentence for the user, marked as such for the `allennlp` command, which then ends with it alone.
local fail(sentence) = error '\nelmo_tasks.errors.InputError: ' + sentence;
local usable(entry) = if std.objectHas(entry, 'error') then fail(entry['error']) else entry;

local resolved = usable(std.parseJson(std.extVar('ELMO_TASKS_PROFILE_JSON')));

local seed_text = std.extVar('ELMO_TASKS_SEED');
local is_number = seed_text != '' && std.all([std.member('0123456789', c) for c in std.stringChars(seed_text)]);

// Lays an object of plain values over a config, objects into objects; everything else is replaced.
local lay_over(values) =
  { [key]: values[key] for key in std.objectFields(values) if !std.isObject(values[key]) }
  + { [key]+: lay_over(values[key]) for key in std.objectFields(values) if std.isObject(values[key]) };

local bilm(name) = {
  local entry = usable(resolved[name]),
  options: entry.options,
  weights_file: entry.weights_file,
};

std.trace('elmo_tasks uses the profile %(name)s: %(description)s' % resolved, {
  // of the token indexer of words
  word_lookup: {
    local entry = usable(resolved.word_vectors),
    lowercase_tokens: entry.lowercase,
    map_treebank_tokens: entry.map_treebank_tokens,
  },
  word_vectors: usable(resolved.word_vectors),

  // what a second table of vectors adds to a config, where the profile has one
  second_vectors:: if !std.objectHas(resolved, 'word_vectors_2') then {} else {
    local entry = usable(resolved.word_vectors_2),
    dataset_reader+: { token_indexers+: { tokens_2: {
      type: 'word_ids',
      namespace: 'tokens_2',
      lowercase_tokens: entry.lowercase,
      map_treebank_tokens: entry.map_treebank_tokens,
    } } },
    vocabulary+: { pretrained_files+: { tokens_2: entry.file }, min_pretrained_embeddings+: { tokens_2: -1 } },
    model+: { text_field_embedder+: { token_embedders+: { tokens_2: {
      type: 'word_vectors',
      vocab_namespace: 'tokens_2',
      pretrained_file: entry.file,
      embedding_dim: entry.dim,
      unit_length: true,
    } } } },
  },

  // of the token embedder of ELMo, and of its token indexer
  bilm: bilm('bilm'),
  bilm_random: bilm('bilm_random'),
  bilm_shuffled: bilm('bilm_shuffled'),
  bilm_lookup: {
    local entry = usable(resolved.bilm),
    map_treebank_tokens: entry.map_treebank_tokens,
    max_characters_per_token: entry.options.char_cnn.max_characters_per_token,
  },

  // paths of a task's files
  task(name)::
    if std.objectHas(resolved.tasks, name) then {
      [file]: fail("profile '%s' (%s) names no file '%s' for the task %s." % [resolved.name, resolved.file, file, name])
      for file in ['train', 'dev', 'test']
    } + usable(resolved.tasks[name])
    else fail("profile '%s' (%s) has no data for the task %s; it has: %s." % [
      resolved.name,
      resolved.file,
      name,
      std.join(', ', std.objectFields(resolved.tasks)),
    ]),

  // what the profile wants otherwise than the paper for a task: sizes of the model, training
  overrides(name):: lay_over({ model: $.task(name).sizes } + $.task(name).training),

  announcement: { type: 'announce_profile', profile: resolved.name, description: resolved.description },

  seed:
    if is_number then std.parseInt(seed_text)
    else fail("ELMO_TASKS_SEED is '%s', expected a whole number such as 13370." % seed_text),
})
