"""The model that a search was made for: its test, its export, its replay."""
