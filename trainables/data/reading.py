"""How a user wants a table to be read if it is not what it looks like."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.task import Task


@dataclass(frozen=True)
class Reading:
    """What is not as it looks in a table; by default everything is as it looks."""

    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    category: tuple[str, ...] = ()
    """Columns whose numbers are only names, without an order or a size."""
    task: Task | None = None
    """Whether the values of the target are classes or a quantity."""


AS_IT_LOOKS = Reading()
