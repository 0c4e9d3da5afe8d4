"""When to stop a trial: the schedulers, and how they are asked."""
