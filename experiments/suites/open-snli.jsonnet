// SNLI on real data under a budget for two cores: the 7,487 training pairs that are to be had, the official development
// and test sets.
local budget = import 'budget.libsonnet';

{
  title: 'SNLI on real data, 7,487 training pairs',
  profile: 'open',
  seeds: [1, 2, 3],
  budget: {
    description: 'at most 10 epochs, products in bfloat16',
    overrides: budget.bfloat16_products + budget.fused_adam { 'trainer.num_epochs': 10 },
  },
  tasks: {
    snli: {
      arms: {
        baseline: '../snli/baseline.jsonnet',
        elmo: '../snli/elmo.jsonnet',
        elmo_only: { title: 'ELMo only', config: '../snli/elmo_only.jsonnet' },
      },
    },
  },
}
