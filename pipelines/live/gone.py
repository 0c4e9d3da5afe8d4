"""The error for a page that does not exist."""

from __future__ import annotations


class Gone(Exception):
    """What was asked for does not exist; the message says so in a line."""
