// The profile open with a biLM of the same size and short training as its control on shuffled text.
(import 'open.jsonnet') + {
  name: 'open-short',
  description: 'as open, with a biLM of half the cells, trained for 0.2 epochs',
  bilm+: {
    options_file: '../../models/open/controls/options.json',
    weights_file: '../../models/open/controls/short.hdf5',
  },
}
