"""What to try, when to stop, what happens to trials, and the adapters of all that to Ray Tune."""
