"""NER: named entities of CoNLL-2003, two biLSTMs and a conditional random field."""
