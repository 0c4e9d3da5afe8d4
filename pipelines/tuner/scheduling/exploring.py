"""How population based training changes a config."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from search_spaces import Choice, SearchSpace

# The parameters that may change during a training. Any other would change the network, or the
# number of steps in an epoch.
CHANGEABLE = ("lr", "momentum", "weight_decay")


def explorer(space: SearchSpace, seed: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function that changes a config as Jaderberg et al. do (section 4.1): each changeable
    parameter of the config is drawn anew with probability 1/4, and otherwise multiplied by 0.8 or
    1.2. A choice is always drawn anew."""
    if not any(name in space.domains for name in CHANGEABLE):
        raise ValueError(f"`scheduler=pbt` changes {', '.join(CHANGEABLE)}: the space has none")
    rng = np.random.default_rng(seed)

    def explore(config: dict[str, Any]) -> dict[str, Any]:
        changed = dict(config)
        for name in CHANGEABLE:
            domain = space.domains.get(name)
            if name not in config or domain is None:
                continue
            if isinstance(domain, Choice) or rng.random() < 0.25:
                changed[name] = domain.at(rng.random())
            else:
                value = config[name] * rng.choice((0.8, 1.2))
                changed[name] = float(min(max(value, domain.low), domain.high))
        return changed

    return explore
