"""ELMo and the six tasks of its paper, as a plugin for AllenNLP 2.10.1."""

__version__ = "0.1.0"
