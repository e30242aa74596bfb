// SST-5 on real data with all 93,567 phrases of four or more tokens: one run each, so that nothing is claimed from it.
local budget = import 'budget.libsonnet';

{
  title: 'SST-5 on real data, all phrases of four or more tokens',
  profile: 'open',
  seeds: [1],
  budget: {
    description: 'at most 3 epochs, learning rate 0.0005, products in bfloat16',
    overrides: budget.bfloat16_products + budget.fused_adam { 'trainer.num_epochs': 3, 'trainer.optimizer.lr': 0.0005 },
  },
  tasks: {
    sst5: { arms: { baseline: '../sst5/baseline.jsonnet', elmo: '../sst5/elmo.jsonnet' } },
  },
}
