"""How a user wants a table to be read, where it looks like something else."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.task import Task


@dataclass(frozen=True)
class Reading:
    """What is not as it looks; by default all is."""

    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    category: tuple[str, ...] = ()
    """Columns of numbers that are names: a number among them is no more than another."""
    task: Task | None = None
    """Whether the target's values are classes or a quantity."""


AS_IT_LOOKS = Reading()
