"""The parts of a run's page, one a file: what each says and which figures it shows."""
