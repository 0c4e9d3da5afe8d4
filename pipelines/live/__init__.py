"""Pages of searches while they run: which there are, and each of them, in a browser."""
