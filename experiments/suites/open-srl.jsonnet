// SRL on real data under a budget for two cores: 8,000 of the 40,486 training predicates of the English Web Treebank, drawn
// once for all arms, and the same share of the sentences without a predicate; all of its development and test sets.
local budget = import 'budget.libsonnet';

{
  title: 'SRL on the English Web Treebank, 8,000 training predicates',
  profile: 'open',
  seeds: [1, 2, 3],
  budget: {
    description: '8,000 predicates for training, 10 epochs (1,050 updates: the scores say how fast an arm learns, '
                 + 'not where it would end), products in bfloat16',
    overrides: budget.bfloat16_products {
      'dataset_reader.max_predicates': 8000,
      'trainer.num_epochs': 10,
    },
  },
  tasks: {
    srl: {
      arms: {
        baseline: '../srl/baseline.jsonnet',
        elmo: '../srl/elmo.jsonnet',
        elmo_only: { title: 'ELMo only', config: '../srl/elmo_only.jsonnet' },
      },
    },
  },
}
