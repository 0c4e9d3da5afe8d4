"""What is trained: data sets, networks and the training loop. Knows nothing of searching."""
