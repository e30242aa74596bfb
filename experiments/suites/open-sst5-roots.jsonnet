// SST-5 on real data with the 8,408 roots alone: does ELMo help where labels are fewer? With 20,000 labelled phrases beside
// the roots it does not (docs/findings.md), and the explanation given there, that the phrases' labels teach most of what a
// network of this size learns of sentiment, says that it should here. Seeds that no run had before.
local budget = import 'budget.libsonnet';

{
  title: 'SST-5 on real data, roots alone',
  profile: 'open',
  default: false,
  seeds: [6, 7, 8, 9, 10],
  budget: {
    description: 'roots for training, no other phrases; at most 10 epochs, patience 4, learning rate 0.0005, '
                 + 'products in bfloat16',
    overrides: budget.bfloat16_products + budget.fused_adam {
      'dataset_reader.max_phrases': 0,
      'trainer.num_epochs': 10,
      'trainer.patience': 4,
      'trainer.optimizer.lr': 0.0005,
    },
  },
  tasks: {
    sst5: { arms: { baseline: '../sst5/baseline.jsonnet', elmo: '../sst5/elmo.jsonnet' } },
  },
}
