"""How it is searched: the commands, and what they share in `search`."""
