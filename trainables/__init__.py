"""What is trained: data sets, networks and the training loop. It knows nothing about searches."""
