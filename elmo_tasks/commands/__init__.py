"""The commands of `elmo-tasks`, which `allennlp` knows too: argument parsing; the work is elsewhere."""
