// The profile paper with the word vectors that the paper had for SRL.
(import 'paper.jsonnet') + {
  name: 'paper-srl',
  description: "the paper's data, GloVe 6B of 100 numbers and the released original ELMo",
  word_vectors: {
    file: std.extVar('ELMO_TASKS_DATA') + '/glove.6B.100d.txt',
    lowercase: true,
    where: 'https://nlp.stanford.edu/data/glove.6B.zip (unpack glove.6B.100d.txt there).',
  },
}
