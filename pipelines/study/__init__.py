"""A study: its settings, from which it is prepared, and what is run with it."""
