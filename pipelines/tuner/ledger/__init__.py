"""What happens to the trials of a study, free of Ray: numbers in, decisions out."""
