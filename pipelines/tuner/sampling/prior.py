"""Configs that the user believes to be good, as a prior: some suggestions are drawn around them.

This follows PriorBand (Mallik et al. 2023, arXiv 2306.12370), but works with any algorithm, and the
share of such suggestions simply halves every ten trials. A wrong belief costs about seven trials.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import Choice, Config, SearchSpace
from search_spaces.domains import Domain, Value

SHARE = 0.5  # of the first suggestions
HALF_LIFE = 10  # trials
SPREAD = 0.25  # standard deviation, as a share of the range
_STREAM = 0x7072696F72  # so that a random search with the same seed draws other configs


class Prior:
    """Draws around ``configs``. The n-th draw depends only on the seed and n."""

    def __init__(self, space: SearchSpace, configs: Sequence[Config], seed: int) -> None:
        self._space = space
        self._configs = configs
        self._seed = seed

    def draw(self, n: int) -> Config | None:
        """The config to try as suggestion ``n``; None if that is left to the algorithm. ``n``
        counts from 0, without the first configs and the configs of another search."""
        rng = np.random.default_rng([_STREAM, self._seed, n])
        if not self._configs or rng.random() >= SHARE * 0.5 ** (n / HALF_LIFE):
            return None
        centre = self._configs[int(rng.integers(len(self._configs)))]
        return self._space.walk(lambda name, domain: _near(domain, centre.get(name), rng))


def _near(domain: Domain, centre: Value | None, rng: np.random.Generator) -> Value:
    """A draw around ``centre``: from a normal distribution, truncated to the domain. For a choice,
    it is ``centre`` itself in three of four draws, and another option otherwise. Without a centre,
    any value of the domain."""
    if centre is None:
        return domain.at(rng.random())
    if isinstance(domain, Choice):
        others = tuple(option for option in domain.options if option != centre)
        if not others or rng.random() >= SPREAD:
            return centre
        return Choice(others).at(rng.random())
    assert not isinstance(centre, str)
    middle = domain.quantile(centre)
    while not 0.0 <= (drawn := rng.normal(middle, SPREAD)) < 1.0:
        pass
    return domain.at(drawn)
