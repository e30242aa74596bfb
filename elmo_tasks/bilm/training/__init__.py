"""Training of a biLM: ``python -m elmo_tasks.bilm.training CONFIG``; it needs torch, numpy and h5py alone."""
