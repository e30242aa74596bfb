"""Training of a biLM (``elmo-tasks bilm``); it needs torch, numpy and h5py alone."""
