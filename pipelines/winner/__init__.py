"""What is done with the best model of a search: test, export, replay."""
