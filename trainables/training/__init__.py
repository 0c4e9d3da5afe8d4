"""How a network is trained: its hyperparameters, the one loop, and what is measured."""
