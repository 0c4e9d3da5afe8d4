"""The files in ``runs/NAME``: where they lie, their formats, and how they are read back."""
