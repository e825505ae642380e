"""Nouns and decisions of the data plane: pure, no I/O, no clock, no randomness, no logging."""
