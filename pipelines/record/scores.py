"""Scores in words."""

from __future__ import annotations

_SMALL = 1e-3  # below it four decimals show next to nothing


def shown_score(value: float | None, like: float | None = None) -> str:
    """In four decimals, as 0.9694; one that is small, as an error in metres may be, in four digits,
    as 1.234e-06. A deviation is shown ``like`` its mean."""
    if value is None:
        return "none"
    size = abs(value if like is None else like)
    return f"{value:.4g}" if 0 < size < _SMALL else f"{value:.4f}"
