"""Moves a config, or one of its values, into a search space."""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces import Choice, Config, SearchSpace, Value
from search_spaces.domains import Domain


def fit_into(space: SearchSpace, values: Mapping[str, object]) -> Config:
    """The config in ``space`` whose active parameters are at, or nearest to, ``values``.

    ``values`` must have all of them; others in it are ignored. Raises ``ValueError`` for a value
    that is not an option of a choice and has no nearest option.
    """
    return space.walk(lambda name, domain: _nearest(name, domain, values[name]))


def batch_size_up_to(space: SearchSpace, most: int) -> int:
    """The largest batch size in ``space`` that is at most ``most``, or the smallest of all if none
    is."""
    domain = space.domains["batch_size"]
    assert isinstance(domain, Choice)
    sizes = sorted(int(option) for option in domain.options)
    return max((size for size in sizes if size <= most), default=sizes[0])


def _nearest(name: str, domain: Domain, value: object) -> Value:
    if domain.contains(value):
        return value  # type: ignore[return-value]  # contains() has checked the type
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not isinstance(domain, Choice):
            return domain.clip(value)
        numbers = [
            option
            for option in domain.options
            if isinstance(option, int | float) and not isinstance(option, bool)
        ]
        if numbers:
            return min(numbers, key=lambda option: abs(option - value))
    raise ValueError(f"{name} {value} is not in the search space, which has {domain}")
