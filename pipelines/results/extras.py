"""What a page can offer where it is installed."""

from __future__ import annotations

from importlib.util import find_spec


def has_optuna_dashboard() -> bool:
    """Without importing it."""
    return find_spec("optuna_dashboard") is not None
