"""An LR range test before a search, which sets the bounds of the learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from search_spaces import Choice, Config, Float, SearchSpace
from trainables.data.datasets import TrialData
from trainables.networks import Network
from trainables.smith.lr_range_rule import DIVISOR
from trainables.smith.lr_range_test import Bounds, RangeTest, bounds_to_search, run_range_test

RATIO = "base_lr_ratio"  # base_lr / max_lr


@dataclass(frozen=True)
class RangedSpace:
    """A space whose learning rates lie between bounds, and the tests that found these."""

    space: SearchSpace
    bounds: Mapping[str, Bounds]  # by optimiser
    tests: Mapping[str, RangeTest]  # that gave the bounds

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(
            f"lr range  {optimizer}: {b.to_search[0]:.3g} .. {b.to_search[1]:.3g}  "
            f"(base_lr {b.base_lr:.3g}  max_lr {b.max_lr:.3g}: {b.reason})"
            for optimizer, b in self.bounds.items()
        )


def range_space(
    space: SearchSpace,
    network: Network,
    data: TrialData,
    *,
    first: Config | None,
    seed: int,
    device: torch.device,
    keeps_ratio: bool = False,
) -> RangedSpace:
    """``space`` with lr from the lowest base_lr of its optimisers to the highest rate that a search
    should try. The ratio base_lr / max_lr of the cyclical policies becomes that of the test; with
    ``keeps_ratio`` it is not changed.

    Each optimiser is tested with the config ``first``, else the first that the space tries or
    draws.

    Raises ``ValueError`` for a space without a range of learning rates, or if a test gives no
    bounds.
    """
    if not isinstance(space.domains.get("lr"), Float):
        raise ValueError("`lr_range_test` sets the range of lr: the space has none")
    config = first or next(iter(space.try_first), None) or space.sample(np.random.default_rng(seed))
    optimizers = space.domains.get("optimizer")
    names = optimizers.options if isinstance(optimizers, Choice) else (None,)
    bounds, tests = {}, {}
    for name in names:
        choice = {} if name is None else {"optimizer": name}
        tested = {**config, **choice, "policy": "constant"}
        run = partial(_run, network, tested, data, device)
        try:
            test, found = bounds_to_search(run, seed)
        except ValueError as error:
            raise ValueError(f"`lr_range_test`: {error}") from None
        optimizer = str(name or network.config.from_dict(tested).optimizer)
        bounds[optimizer], tests[optimizer] = found, test
    low = min(b.to_search[0] for b in bounds.values())
    high = max(b.to_search[1] for b in bounds.values())
    changes: dict[str, Float | Choice] = {"lr": Float(low, high, log=True)}
    if RATIO in space.domains and not keeps_ratio:
        # The quotient of the bounds is 0.1 only up to rounding, and would count as another value.
        share = 1 / DIVISOR
        changes[RATIO] = Float(share, share, when=space.domains[RATIO].when)
    return RangedSpace(space.replace(changes), bounds, tests)


def _run(
    network: Network, config: Config, data: TrialData, device: torch.device, seed: int
) -> RangeTest:
    return run_range_test(network, config, data, seed=seed, device=device)
