"""The command for a search of the problem that a test was made for."""

from __future__ import annotations

from typing import Any

from pipelines.cli.options import to_type
from pipelines.recipe.subject import Subject


def search_command(subject: Subject, **options: Any) -> str:
    """The command for a search of the same problem, with ``options`` given by the names of their
    fields."""
    return to_type(
        "run",
        model=subject.model,
        data=subject.data,
        target=subject.target,
        drop=subject.reading.drop,
        category=subject.reading.category,
        task=subject.reading.task,
        data_fraction=None if subject.data_fraction == 1.0 else subject.data_fraction,
        seed=subject.seed or None,
        split_seed=None if subject.split_seed == subject.seed else subject.split_seed,
        **subject.searched,
        **options,
    )
