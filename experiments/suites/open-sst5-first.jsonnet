// A first look at real SST-5 under a small budget: one seed, so that nothing is claimed from it.
{
  title: 'SST-5, a first look: one seed, a small budget',
  profile: 'open',
  seeds: [1],
  budget: {
    description: 'roots and 20,000 sampled phrases for training, at most 4 epochs',
    overrides: {
      'dataset_reader.max_phrases': 20000,
      'trainer.num_epochs': 4,
    },
  },
  tasks: {
    sst5: { arms: { baseline: '../sst5/baseline.jsonnet', elmo: '../sst5/elmo.jsonnet' } },
  },
}
