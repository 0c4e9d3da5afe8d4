"""What is tested, measured or estimated before a search."""
