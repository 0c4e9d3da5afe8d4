"""What came out of a run: in words, figures and tables."""
