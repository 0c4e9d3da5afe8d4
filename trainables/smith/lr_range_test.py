"""The LR range test: a short training in which the learning rate rises, to see where it helps.

Smith 2015 (arXiv 1506.01186, section 3.3) and Smith 2018 (arXiv 1803.09820, section 4.1).
:mod:`trainables.smith.lr_sweep` trains, and :mod:`trainables.smith.lr_range_rule` reads the bounds
off the curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import torch

from trainables.smith.lr_range_rule import DIVISOR, Bounds, suggest_bounds
from trainables.smith.lr_sweep import Growth, RangeTest, Validation, kept_generators, sweep
from trainables.training.batches import batch_bounds
from trainables.training.config import check_choice, check_integer, check_number
from trainables.training.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData
    from trainables.networks.network import Network

__all__ = [
    "Bounds",
    "Growth",
    "RangeTest",
    "Validation",
    "bounds_to_search",
    "find_bounds",
    "run_range_test",
]

LOW = 1e-5
HIGH = 10.0
EPOCHS = 4
TESTS = 3  # the number of tests that find the highest learning rate to search
# Bounds of the default: a longer sweep shows less, because the network learns before lr is high.
MIN_ITERATIONS, MAX_ITERATIONS = 150, 400


def run_range_test(
    network: Network,
    config: Mapping[str, object],
    data: TrialData,
    *,
    growth: Growth = "exponential",
    low: float = LOW,
    high: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    device: torch.device,
) -> RangeTest:
    """Trains a new network while the learning rate rises from ``low`` to ``high``.

    The learning rate and policy of ``config`` are not used; momentum and weight decay stay
    constant. The test ends early if the smoothed training loss rises above 4 times its best, or if
    a loss is not finite. By default ``high`` is 10; with linear growth it is 1, or 0.1 for AdamW.
    By default ``iterations`` is the length of 4 epochs, but at least 150 and at most 400.

    ``seed`` determines the weights, the order of the batches and dropout, as in a training. torch's
    global generators are left as they were. Raises ``ValueError`` for a bad argument, and whatever
    ``network.build`` raises.
    """
    with kept_generators(device):
        torch.manual_seed(seed)
        checked, model = network.build(config, data)
        if iterations is None:
            iterations = default_iterations(len(data.x_train), checked.batch_size)
        if high is None:
            high = OPTIMIZERS[checked.optimizer].linear_high if growth == "linear" else HIGH
        lrs = learning_rates(growth, low, high, iterations)
        return sweep(model, checked, data, growth=growth, lrs=lrs, seed=seed, device=device)


def find_bounds(test: RangeTest, divisor: float = DIVISOR) -> Bounds:
    """Reads the bounds off the training losses of ``test``; see :func:`suggest_bounds`.

    If the training losses have no usable slope, the bounds are read off the validation losses,
    which are all measured on the same samples. This happens if the noise of the batches is larger
    than the fall, for example because the inputs tell little.

    Raises ``ValueError`` if neither curve has a usable slope.
    """
    try:
        return suggest_bounds(test.lrs, test.train_losses, divisor)
    except ValueError as error:
        lrs = [point.lr for point in test.validations]
        losses = [point.loss for point in test.validations]
        try:
            found = suggest_bounds(lrs, losses, divisor)
        except ValueError:
            raise error from None
    reason = f"the training loss is too noisy; on validation {found.reason}"
    return replace(found, curve="validation", reason=reason)


def bounds_to_search(
    run: Callable[[int], RangeTest], seed: int, divisor: float = DIVISOR
) -> tuple[RangeTest, Bounds]:
    """The test that ``run`` makes with ``seed``, and its bounds.

    The highest learning rate to search is the highest of this test and of two tests with other
    seeds: on a few hundred samples the learning rate of the lowest loss differs tenfold between
    seeds (docs/results/recipe.md).

    Raises ``ValueError`` if the first test has no bounds.
    """
    test = run(seed)
    found = find_bounds(test, divisor)
    highest = [found.to_search[1]]
    for other in range(seed + 1, seed + TESTS):
        with suppress(ValueError):  # a test without bounds does not count
            highest.append(find_bounds(run(other), divisor).to_search[1])
    return test, replace(found, highest_lr=max(highest))


def default_iterations(n_samples: int, batch_size: int) -> int:
    """The iterations of 4 epochs, but at least 150 and at most 400."""
    epochs = EPOCHS * len(batch_bounds(n_samples, batch_size))
    return min(max(epochs, MIN_ITERATIONS), MAX_ITERATIONS)


def learning_rates(growth: Growth, low: float, high: float, iterations: int) -> list[float]:
    """From ``low`` to ``high``: linear growth has equal steps, exponential growth equal ratios.

    Raises ``ValueError`` unless 0 < low < high and there are two iterations or more.
    """
    check_choice("growth", growth, get_args(Growth))
    check_number("`low`", low, "above 0", lambda v: v > 0)
    check_number("`high`", high, f"above `low` = {low:g}", lambda v: v > low)
    check_integer("iterations", iterations, "of at least 2", lambda v: v >= 2)
    progress = [i / (iterations - 1) for i in range(iterations)]
    if growth == "linear":
        return [low + (high - low) * p for p in progress]
    return [low * (high / low) ** p for p in progress]
