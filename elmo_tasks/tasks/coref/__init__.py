"""Coreference: mentions of CoNLL-2012 documents and their clusters, Lee et al.'s end-to-end model."""
