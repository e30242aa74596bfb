// The paper's own data, vectors and weights, for those who have them: five seeds, as the paper had for SST-5.
{
  title: "The paper's Table 1, on the paper's data",
  profile: 'paper',
  seeds: [1, 2, 3, 4, 5],
  tasks: {
    ner: { arms: { baseline: '../ner/baseline.jsonnet', elmo: '../ner/elmo.jsonnet' } },
    squad: { arms: { baseline: '../squad/baseline.jsonnet', elmo: '../squad/elmo.jsonnet' } },
    coref: { arms: { baseline: '../coref/baseline.jsonnet', elmo: '../coref/elmo.jsonnet' } },
    snli: { arms: { baseline: '../snli/baseline.jsonnet', elmo: '../snli/elmo.jsonnet' } },
    // with other word vectors than the other tasks
    srl: { arms: {
      baseline: { config: '../srl/baseline.jsonnet', profile: '../profiles/paper-srl.jsonnet' },
      elmo: { config: '../srl/elmo.jsonnet', profile: '../profiles/paper-srl.jsonnet' },
    } },
    sst5: { arms: { baseline: '../sst5/baseline.jsonnet', elmo: '../sst5/elmo.jsonnet' } },
  },
}
