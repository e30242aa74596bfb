// The README's table: every task on the sample world, without and with ELMo. Minutes on two cores, one run on
// each: models so small gain nothing from a GPU. For a profile of one's own with larger ones, copy this without the budget.
{
  title: 'Baseline and ELMo on the sample world',
  profile: 'sample',
  committed: false,
  seeds: [1, 2, 3],
  budget: {
    description: 'the whole schedule of the configs, on the CPU',
    overrides: { 'trainer.cuda_device': -1 },
  },
  tasks: {
    squad: { arms: { baseline: '../squad/baseline.jsonnet', elmo: '../squad/elmo.jsonnet' } },
    coref: { arms: { baseline: '../coref/baseline.jsonnet', elmo: '../coref/elmo.jsonnet' } },
    snli: { arms: { baseline: '../snli/baseline.jsonnet', elmo: '../snli/elmo.jsonnet' } },
    srl: { arms: { baseline: '../srl/baseline.jsonnet', elmo: '../srl/elmo.jsonnet' } },
    ner: { arms: { baseline: '../ner/baseline.jsonnet', elmo: '../ner/elmo.jsonnet' } },
    sst5: { arms: { baseline: '../sst5/baseline.jsonnet', elmo: '../sst5/elmo.jsonnet' } },
  },
}
