// Could anything else do what ELMo does on the sample world? The first two arms of each task are the runs of the suite
// sample.
local sample = import 'sample.jsonnet';

local controls(task) = {
  arms+: {
    elmo_only: { title: 'ELMo only', config: '../%s/elmo_only.jsonnet' % task },
    random_bilm: { title: 'random biLM', config: '../%s/random_bilm.jsonnet' % task },
    shuffled_bilm: { title: 'biLM of shuffled text', config: '../%s/shuffled_bilm.jsonnet' % task },
    widened: { title: 'widened baseline', config: '../%s/widened.jsonnet' % task },
  },
};

sample {
  title: 'Controls on the sample world',
  default: false,
  results: 'sample',
  tasks: { [task]: sample.tasks[task] + controls(task) for task in std.objectFields(sample.tasks) },
}
