"""SST-5: sentiment of a sentence in five classes, the biattentive classification network."""
