"""SNLI: does a premise entail its hypothesis, contradict it, or neither; the model is ESIM."""
