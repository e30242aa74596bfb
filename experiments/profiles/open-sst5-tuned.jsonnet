// The profile open with a biLM that was fine-tuned on SST-5's training sentences, as the paper's were for most tasks.
(import 'open.jsonnet') + {
  name: 'open-sst5-tuned',
  description: 'as open, with the biLM fine-tuned on the sentences of SST-5',
  bilm+: {
    options_file: '../../out/bilm-open-sst5-tuned/options.json',
    weights_file: '../../out/bilm-open-sst5-tuned/weights.hdf5',
    where: 'it is made in ten minutes: "Fine-tuning" in docs/training-a-bilm.md has the commands.',
  },
}
