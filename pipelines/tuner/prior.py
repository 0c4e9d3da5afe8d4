"""Configs that are believed to be good, as a prior: a share of suggestions is drawn around them.

After PriorBand (Mallik et al. 2023, arXiv 2306.12370), but for any algorithm, and the share simply
halves every ten trials: a belief that is wrong costs about seven of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces import Choice, Config, SearchSpace
from search_spaces.domains import Domain, Value

SHARE = 0.5  # of the first suggestions
HALF_LIFE = 10  # trials
SPREAD = 0.25  # standard deviation, as a share of the range
_STREAM = 0x7072696F72  # other draws than those of a random search with the same seed


class Prior:
    """Around ``configs``; the n-th draw depends on the seed and n alone."""

    def __init__(self, space: SearchSpace, configs: Sequence[Config], seed: int) -> None:
        self._space = space
        self._configs = configs
        self._seed = seed

    def draw(self, n: int) -> Config | None:
        """What to try as suggestion ``n``, counted from 0 without configs that come first and those
        of another search; None where that is left to the algorithm."""
        rng = np.random.default_rng([_STREAM, self._seed, n])
        if not self._configs or rng.random() >= SHARE * 0.5 ** (n / HALF_LIFE):
            return None
        centre = self._configs[int(rng.integers(len(self._configs)))]
        return self._space.walk(lambda name, domain: _near(domain, centre.get(name), rng))


def _near(domain: Domain, centre: Value | None, rng: np.random.Generator) -> Value:
    """A draw from a normal distribution around ``centre`` that ends where the domain does; of a
    choice in three of four draws ``centre`` itself, else one of the others. Any value where the
    config has none."""
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
