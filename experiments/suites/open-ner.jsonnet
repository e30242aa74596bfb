// NER on CoNLL-2003 under a budget for two cores. The word vectors are skip-gram vectors of the open text, not the
// paper's (Senna, no longer to be had); the biLM is of the same text.
local budget = import 'budget.libsonnet';

{
  title: 'NER on CoNLL-2003',
  profile: 'open',
  seeds: [1, 2, 3],
  budget: {
    description: 'at most 15 epochs',
    overrides: budget.fused_adam { 'trainer.num_epochs': 15 },
  },
  tasks: {
    ner: {
      arms: {
        baseline: '../ner/baseline.jsonnet',
        elmo: '../ner/elmo.jsonnet',
        elmo_only: { title: 'ELMo only', config: '../ner/elmo_only.jsonnet' },
        random_bilm: { title: 'random biLM', config: '../ner/random_bilm.jsonnet' },
      },
    },
  },
}
