"""What is asked for and is not there."""

from __future__ import annotations


class Gone(Exception):
    """There is no such run; the message says so in a line."""
