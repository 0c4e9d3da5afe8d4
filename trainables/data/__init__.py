"""Data sets: read, split, and encoded for training."""
