// The small open biLM after a short training: what its control on shuffled text is compared with.
(import 'open-small.json') + {
  output: '../../out/bilm-open-short',
  learning_rate: 0.2,
  epochs: 0.192266,  // 6,533 batches
  cooldown_epochs: 0,
  precision: 'float32',
}
