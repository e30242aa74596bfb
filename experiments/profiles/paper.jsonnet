// The files of the paper, as their publishers hand them out, in the folder that ELMO_TASKS_DATA names (without it: the
// folder data of the repository).
local data = std.extVar('ELMO_TASKS_DATA');
local elmo = 'elmo_2x4096_512_2048cnn_2xhighway';

{
  name: 'paper',
  description: "the paper's data, GloVe 840B and the released original ELMo",

  word_vectors: {
    file: data + '/glove.840B.300d.zip',
    where: 'https://nlp.stanford.edu/data/glove.840B.300d.zip (2.0 GB; stays zipped).',
  },

  bilm: {
    options_file: data + '/elmo/%s_options.json' % elmo,
    weights_file: data + '/elmo/%s_weights.hdf5' % elmo,
    where: 'https://allennlp.s3.amazonaws.com/models/elmo/2x4096_512_2048cnn_2xhighway/%s_options.json '
           % elmo + 'and %s_weights.hdf5 beside it (375 MB).' % elmo,
  },

  tasks: {
    coref: {
      train: data + '/conll-2012/train',
      dev: data + '/conll-2012/development',
      test: data + '/conll-2012/test',
      where: 'OntoNotes 5.0 (LDC2013T19, licensed) as the shared task CoNLL-2012 has it; of each part the English folders '
             + 'with the files *.v4_gold_conll.',
    },
    ner: {
      train: data + '/conll2003/eng.train',
      dev: data + '/conll2003/eng.testa',
      test: data + '/conll2003/eng.testb',
      where: 'the shared task CoNLL-2003 (https://www.clips.uantwerpen.be/conll2003/ner/); its text (Reuters) comes from '
             + 'NIST. The vectors of the paper (Senna) are no longer to be had: GloVe stands in.',
    },
    squad: {
      train: data + '/squad/train-v1.1.json',
      dev: data + '/squad/dev-v1.1.json',
      test: data + '/squad/dev-v1.1.json',  // the test set is not published: figures are those of the development set
      where: 'https://rajpurkar.github.io/SQuAD-explorer (train-v1.1.json and dev-v1.1.json).',
    },
    snli: {
      train: data + '/snli_1.0/snli_1.0_train.jsonl',
      dev: data + '/snli_1.0/snli_1.0_dev.jsonl',
      test: data + '/snli_1.0/snli_1.0_test.jsonl',
      where: 'https://nlp.stanford.edu/projects/snli/snli_1.0.zip (unpack it there: it holds the folder snli_1.0).',
    },
    srl: {
      train: data + '/conll-2012/train',
      dev: data + '/conll-2012/development',
      test: data + '/conll-2012/test',
      where: 'OntoNotes 5.0 in the columns of CoNLL-2012 (https://catalog.ldc.upenn.edu/LDC2013T19, converted with '
             + 'https://cemantix.org/data/ontonotes.html): folders of *gold_conll. The vectors of the paper are those of '
             + 'the profile paper-srl.',
    },
    sst5: {
      train: data + '/trees/train.txt',
      dev: data + '/trees/dev.txt',
      test: data + '/trees/test.txt',
      where: 'https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip (unpack it there: it holds the folder trees).',
    },
  },
}
