"""A trial in its process on the cluster: its data, its code and what it tells the driver."""
