// SQuAD on real data under a budget for two cores: 4,000 training questions, the epoch chosen on 1,000 questions about
// other articles, the official development set as test set.
local budget = import 'budget.libsonnet';

{
  title: 'SQuAD on real data, 4,000 training questions',
  profile: 'open',
  seeds: [1, 2, 3],
  budget: {
    description: '4,000 questions for training, 5 epochs, products in bfloat16',
    overrides: budget.bfloat16_products { 'trainer.num_epochs': 5 },
  },
  tasks: {
    squad: {
      arms: {
        baseline: '../squad/baseline.jsonnet',
        elmo: '../squad/elmo.jsonnet',
        elmo_only: { title: 'ELMo only', config: '../squad/elmo_only.jsonnet', seeds: [1] },
      },
    },
  },
}
