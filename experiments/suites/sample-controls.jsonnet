// Could anything else do what ELMo does on the sample world? Its first two arms are the runs of the suite sample.
local sample = import 'sample.jsonnet';

sample {
  title: 'Controls on the sample world',
  default: false,
  results: 'sample',
  tasks: {
    sst5: sample.tasks.sst5 {
      arms+: {
        elmo_only: { title: 'ELMo only', config: '../sst5/elmo_only.jsonnet' },
        random_bilm: { title: 'random biLM', config: '../sst5/random_bilm.jsonnet' },
        shuffled_bilm: { title: 'biLM of shuffled text', config: '../sst5/shuffled_bilm.jsonnet' },
        widened: { title: 'widened baseline', config: '../sst5/widened.jsonnet' },
      },
    },
  },
}
