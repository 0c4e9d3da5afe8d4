"""From checked options to a study: what will run, before any trial does."""
