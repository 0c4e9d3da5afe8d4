"""The machines: connecting to them, checking them, and sharing their GPUs."""
