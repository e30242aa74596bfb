"""SRL: the roles of what stands around a given predicate, by an alternating highway LSTM."""
