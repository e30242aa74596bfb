// Real data that is free to have, in place of what the paper used under licence. The files lie in the folder that
// ELMO_TASKS_DATA names (without it: the folder data of the repository).
local data = std.extVar('ELMO_TASKS_DATA');
// absolute, so that a profile anywhere can build on this one
local repository = std.substr(std.thisFile, 0, std.length(std.thisFile) - std.length('experiments/profiles/open.jsonnet'));
local models = repository + 'models/open/';

{
  name: 'open',
  description: 'free real data, vectors and biLM of the same open text; not the data of the paper for every task',

  word_vectors: {
    file: data + '/glove/skipgram.open.100d.txt.xz',
    lowercase: true,
    map_treebank_tokens: true,
    where: 'skip-gram vectors of 100 dimensions from the open raw text, in the text format of GloVe; any vectors in '
           + 'that format will do.',
  },

  bilm: {
    options_file: models + 'options.json',
    weights_file: models + 'weights.hdf5',
    map_treebank_tokens: true,
    where: 'train one on the same raw text: elmo-tasks bilm train CONFIG.',
  },
  // the controls have half the cells of the biLM, and its ELMo size
  local control = $.bilm { options_file: models + 'controls/options.json' },
  bilm_random: control { weights_file: models + 'controls/random.hdf5' },
  bilm_shuffled: control { weights_file: models + 'controls/shuffled.hdf5' },

  tasks: {
    coref: {
      // OntoGUM, in the columns of CoNLL-2012
      train: data + '/data/coref/ontogum/ontogum.train.gold_conll.xz',
      dev: data + '/data/coref/ontogum/ontogum.dev.gold_conll.xz',
      test: data + '/data/coref/ontogum/ontogum.test.gold_conll.xz',
      // genre: gum/academic/GUM_academic_art; typography: vectors and biLM are of plain text
      training: { dataset_reader: { genre_part: 1, plain_typography: true } },
      where: 'OntoGUM stands in for OntoNotes: https://github.com/amir-zeldes/gum, folder coref/ontogum/conll, with the '
             + 'columns of CoNLL-2012 put around it.',
    },
    ner: {
      train: data + '/data/ner/eng.train.xz',
      dev: data + '/data/ner/eng.testa.xz',
      test: data + '/data/ner/eng.testb.xz',
      where: 'the shared task CoNLL-2003; its text (Reuters) is licensed for research by NIST '
             + '(xz-compress eng.train, eng.testa and eng.testb).',
    },
    squad: {
      // 59 of the 442 articles of the training file, read back from the publisher's pages, with ids of our own; all 442
      // are in open-squad-full.jsonnet, and the official file is to be had from its publisher
      train: $.tasks.squad.dev { articles: '0:50', questions: '4000' },
      // other articles of the same file, so that no test question chooses the epoch
      dev: { file: data + '/data/squad/train-v1.1.subset12k.json.xz', articles: '50:59', questions: '1000', seed: '13' },
      test: data + '/data/squad/dev-v1.1.json.xz',
      where: 'https://rajpurkar.github.io/SQuAD-explorer (train-v1.1.json and dev-v1.1.json; name them in a profile of '
             + 'your own).',
    },
    snli: {
      // what is to be had of the 550,152 training pairs: 7,487, of which several pieces have a few
      train: [
        data + '/data/snli/snli_1.0_train.%s.jsonl.xz' % piece
        for piece in ['sample5502', 'first1000', 'next1002.reduced']
      ],
      dev: data + '/data/snli/snli_1.0_dev.jsonl.xz',
      test: data + '/data/snli/snli_1.0_test.jsonl.xz',
      where: 'https://nlp.stanford.edu/projects/snli/snli_1.0.zip (with the whole snli_1.0_train.jsonl, name that alone in '
             + 'a profile of your own).',
    },
    srl: {
      train: data + '/data/srl/ewt/ewt.train.gold_conll.xz',
      dev: data + '/data/srl/ewt/ewt.dev.gold_conll.xz',
      test: data + '/data/srl/ewt/ewt.test.gold_conll.xz',
      where: 'the English Web Treebank with PropBank: https://github.com/propbank/propbank-release (data/google/ewt) joined '
             + 'with the words of https://github.com/UniversalDependencies/UD_English-EWT, release r1.4, both CC BY-SA 4.0.',
    },
    sst5: {
      train: data + '/data/sst5/train.txt.xz',
      dev: data + '/data/sst5/dev.txt.xz',
      test: data + '/data/sst5/test.txt.xz',
      where: 'https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip (xz-compress its three files).',
    },
  },
}
