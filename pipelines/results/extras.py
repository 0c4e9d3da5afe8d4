"""Optional packages that a page uses if they are installed."""

from __future__ import annotations

from importlib.util import find_spec


def has_optuna_dashboard() -> bool:
    """Whether optuna-dashboard is installed; this does not import it."""
    return find_spec("optuna_dashboard") is not None
