// The profile open with the whole of SQuAD's training file, rebuilt: for a GPU.
local whole = { file: std.extVar('ELMO_TASKS_DATA') + '/data/squad/train-v1.1.full-rebuilt.json.xz' };

(import 'open.jsonnet') + {
  name: 'open-squad-full',
  description: 'as open, with 85,574 training questions of SQuAD',
  tasks+: {
    squad+: {
      train: whole { articles: '0:433' },
      // the last articles, which are not trained on: no test question chooses the epoch, and no training question either
      dev: whole { articles: '433:442', questions: '1000', seed: '13' },
    },
  },
}
