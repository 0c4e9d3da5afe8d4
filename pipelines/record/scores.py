"""Scores as text."""

from __future__ import annotations

import math

_SMALL, _LARGE = 1e-3, 1e6  # outside, fixed decimals would show too little, or too much
_DIGITS = 5


def shown_score(value: float | None, like: float | None = None) -> str:
    """The score with four decimals, such as 0.9694. A score above 10 has five digits, such as
    123.46. A very small or large one, for example an error in metres, has four significant digits,
    such as 1.234e-06. A deviation is shown ``like`` its mean."""
    if value is None:
        return "none"
    size = abs(value if like is None else like)
    if 0 < size < _SMALL or _LARGE <= size < math.inf:
        return f"{value:.4g}"
    whole = len(f"{size:.0f}") if math.isfinite(size) else 1
    return f"{value:.{max(0, _DIGITS - whole)}f}"
