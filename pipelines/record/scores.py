"""Scores in words."""

from __future__ import annotations

import math

_SMALL, _LARGE = 1e-3, 1e6  # beyond them decimals show next to nothing, or more than anybody reads
_DIGITS = 5


def shown_score(value: float | None, like: float | None = None) -> str:
    """In four decimals, as 0.9694; one above 10 in five digits, as 123.46; one that is very small
    or large, as an error in metres may be, in four, as 1.234e-06. A deviation is shown ``like`` its
    mean."""
    if value is None:
        return "none"
    size = abs(value if like is None else like)
    if 0 < size < _SMALL or _LARGE <= size < math.inf:
        return f"{value:.4g}"
    whole = len(f"{size:.0f}") if math.isfinite(size) else 1
    return f"{value:.{max(0, _DIGITS - whole)}f}"
