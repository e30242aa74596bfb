// Control: as short a training on the same text with the words of every sentence shuffled.
(import 'open-short.jsonnet') + {
  output: '../../out/bilm-open-shuffled',
  shuffle_words: true,
}
