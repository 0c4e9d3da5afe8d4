"""The configs of a space that need the most memory."""

from __future__ import annotations

import numpy as np

from search_spaces import Choice, Config, Float, SearchSpace, Value
from search_spaces.domains import Domain
from trainables.data.datasets import TrialData
from trainables.networks import Network
from trainables.training.workload import footprint

_DRAWN = 64
_CORNERS = 16


def largest_configs(
    space: SearchSpace, network: Network, data: TrialData, *, n: int, seed: int
) -> list[Config]:
    """The ``n`` largest, in memory, of 64 random configs and 16 corners, the largest first. In a
    corner every whole number is at its maximum. Configs that the space forbids are left out.

    Raises ``ValueError`` if it forbids all of them.
    """
    rng = np.random.default_rng(seed)
    corners = [space.walk(lambda _, domain: _most(domain, rng)) for _ in range(_CORNERS)]
    drawn = [space.sample(rng) for _ in range(_DRAWN)]
    allowed = [c for c in corners + drawn if not space.forbids(c)]
    if not allowed:
        raise ValueError("`gpus_per_trial=auto`: the space forbids every config that was drawn")
    sizes = [footprint(network, config, data) for config in allowed]
    order = sorted(range(len(allowed)), key=lambda i: -sizes[i])
    return [allowed[i] for i in order[:n]]


def _most(domain: Domain, rng: np.random.Generator) -> Value:
    """The largest whole number in ``domain``; a random value if it has no whole numbers."""
    if isinstance(domain, Float):
        return domain.at(rng.random())
    if isinstance(domain, Choice):
        numbers = [option for option in domain.options if isinstance(option, int)]
        return max(numbers) if numbers else domain.at(rng.random())
    return domain.high
