// Coreference on OntoGUM, the free stand-in for OntoNotes, under a budget for two cores: its scores are no OntoNotes
// scores. 60 of the 177 training documents, drawn once; development and test sets are whole (30 documents each).
local budget = import 'budget.libsonnet';

{
  title: 'Coreference on OntoGUM, 60 training documents',
  profile: 'open',
  seeds: [1, 2, 3],
  budget: {
    description: '60 documents for training, 10 epochs (600 updates: the scores say how fast an arm learns, '
                 + 'not where it would end)',
    overrides: budget.fused_adam {
      'dataset_reader.max_documents': 60,
      'trainer.num_epochs': 10,
      'trainer.patience': null,
    },
  },
  tasks: {
    coref: {
      arms: {
        baseline: '../coref/baseline.jsonnet',
        elmo: '../coref/elmo.jsonnet',
        elmo_only: { title: 'ELMo only', config: '../coref/elmo_only.jsonnet', seeds: [1] },
      },
    },
  },
}
