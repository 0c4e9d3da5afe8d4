"""The search itself: algorithms, schedulers, the study and its record."""
