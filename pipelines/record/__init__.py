"""What lies in ``runs/NAME``: where, in which format, and how it is read back."""
