"""A study: its settings, its preparation, and what runs with it."""
