"""A user's corrections for a table whose columns are not what they look like."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.task import Task


@dataclass(frozen=True)
class Reading:
    """Corrections for a table; by default it is read as it looks."""

    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    category: tuple[str, ...] = ()
    """Columns whose numbers are only names, without an order or a size."""
    task: Task | None = None
    """Whether the values of the target are classes or a quantity."""


AS_IT_LOOKS = Reading()
