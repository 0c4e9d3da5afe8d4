"""Sizes in bytes, in a form that people can read."""

from __future__ import annotations


def format_bytes(size: float) -> str:
    """``size`` in a form such as "12.3 MB", in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
