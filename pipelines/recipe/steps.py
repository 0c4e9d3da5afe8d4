"""Smith's recipe on one network and data set: each test uses what the tests before it found.

Smith 2018 (arXiv 1803.09820, section 5). The batch size comes first, because the learning rate
depends on it; momentum and weight decay come with the cyclical learning rate on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from pipelines.recipe.fitting import batch_size_up_to, fit_into
from search_spaces import Config, SearchSpace
from trainables.data.datasets import TrialData
from trainables.networks import Network
from trainables.smith.batch_size import BatchSizeTest, run_batch_size_test
from trainables.smith.lr_range_rule import DIVISOR
from trainables.smith.lr_range_test import Bounds, RangeTest, find_bounds, run_range_test
from trainables.smith.short_runs import (
    ValueTest,
    momentum_changes,
    run_momentum_test,
    run_weight_decay_test,
    short_epochs,
)

POLICY = "one_cycle"
MOMENTUM = 0.95  # at base_lr, until it is tested
# Optimiser steps per epoch: a larger batch would train faster, but with too few steps.
LEAST_STEPS = 8
_TESTED = ("batch_size", "lr", "policy", "weight_decay")


@dataclass(frozen=True)
class Recipe:
    """The result of each test, and the config that follows from all; it lies in the space."""

    batch: BatchSizeTest
    sweep: RangeTest
    bounds: Bounds
    momentum: ValueTest
    decay: ValueTest
    config: Config


def run_recipe(
    network: Network,
    config: Mapping[str, object],
    space: SearchSpace,
    data: TrialData,
    *,
    epochs: int | None = None,
    memory: float | None = None,
    seed: int = 0,
    device: torch.device,
    say: Callable[[str], None] = lambda line: None,
) -> Recipe:
    """Batch size, learning rate, momentum and weight decay for the network of ``config``.

    The batch size, learning rate and momentum of ``config`` are not used. If ``space`` does not
    have a value, its nearest one is taken. ``say`` gets a line after each test. A short training
    takes ``epochs``, by default 5, or more if 80 optimiser steps need more.

    Raises ``ValueError`` if a test finds nothing, for a ``config`` that the network or the space
    cannot take, and for ``data`` that the network cannot take.
    """
    network.check(data)
    n = len(data.x_train)
    _check_searched(network, space, config)
    given = vars(network.config.from_dict(config))
    now = fit_into(space, {**given, "policy": POLICY, **momentum_changes(MOMENTUM)})
    for name, value in now.items():
        if name in config and name not in _TESTED and value != config[name]:
            say(f"space     {name}={value}: nearest to {config[name]} in what is searched")

    batch = run_batch_size_test(network, now, data, memory=memory, seed=seed, device=device)
    now["batch_size"] = _batch_size(space, batch, n)
    say(f"batch     {now['batch_size']}: {_batch_reason(batch, n)}")

    sweep = run_range_test(network, now, data, seed=seed, device=device)
    try:
        bounds = find_bounds(sweep)
    except ValueError as error:
        raise ValueError(f"LR range test: {error}") from None
    now = fit_into(space, {**now, "lr": bounds.max_lr, "base_lr_ratio": 1 / DIVISOR})
    say(f"lr        {_lr_line(now, bounds)}")

    epochs = epochs or short_epochs(n, int(now["batch_size"]))
    momentum = run_momentum_test(network, now, data, epochs=epochs, seed=seed, device=device)
    now = fit_into(space, {**now, **momentum_changes(momentum.chosen)})
    say(f"momentum  {now['max_momentum']:g} .. {now['base_momentum']:g}: {momentum.reason}")

    decay = run_weight_decay_test(network, now, data, epochs=epochs, seed=seed, device=device)
    now = fit_into(space, {**now, "weight_decay": decay.chosen})
    nearest = f" (nearest to {decay.chosen:g})" if now["weight_decay"] != decay.chosen else ""
    say(f"decay     {now['weight_decay']:g}{nearest}: {decay.reason}")
    return Recipe(batch, sweep, bounds, momentum, decay, now)


def _check_searched(network: Network, space: SearchSpace, config: Mapping[str, object]) -> None:
    for name, value in config.items():
        default = getattr(network.config, name, None)
        if name not in space.domains and value != default:
            raise ValueError(f"{name} {value}: a search has no {name}, which stays {default}")


def _batch_size(space: SearchSpace, test: BatchSizeTest, n_samples: int) -> int:
    size = batch_size_up_to(space, min(test.knee, n_samples // LEAST_STEPS))
    if size > test.largest and not test.ran_out_of(n_samples):
        raise ValueError(
            f"batch size test: {test.largest} is the largest batch that fits ({test.stopped}), "
            f"and the search space has none below {size}"
        )
    return size


def _batch_reason(test: BatchSizeTest, n_samples: int) -> str:
    reason = f"throughput gains little above {test.knee}"
    if test.knee > n_samples // LEAST_STEPS:
        reason += f", but {n_samples} samples would give few steps per epoch at that size"
    return f"{reason}; {test.largest} is the largest that fits"


def _lr_line(config: Config, bounds: Bounds) -> str:
    lr, ratio = float(config["lr"]), float(config["base_lr_ratio"])
    nearest = f" (nearest to {bounds.max_lr:.3g})" if lr != bounds.max_lr else ""
    return f"{lr * ratio:.3g} .. {lr:.3g}{nearest}: {bounds.reason}"
