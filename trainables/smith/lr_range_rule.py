"""base_lr and max_lr from the curve of an LR range test: pure functions of the numbers.

Smith 2015 (arXiv 1506.01186, section 3.3) reads max_lr off the curve by eye, at the point where the
curve stops improving. base_lr is then a tenth or a twentieth of max_lr for a single cycle (Smith
2018, arXiv 1803.09820, section 4.1). Here "stops improving" means that the smoothed loss falls only
a third as fast as at its steepest. If the curve turns up after that, max_lr is at most half way
from the steepest fall to the lowest loss. Slopes are taken against the logarithm of the learning
rate: against the learning rate itself, the noise of the first iterations, which lie close together,
would outweigh everything else.

This rule was chosen among several, on 26 settings. A: an MLP with and without batch normalisation
and a CNN on ``digits``, each with SGD and AdamW and batches of 32 and 128. B: 14 others, with more
layers, batches of 16, dropout, tanh, momentum 0 and 0.95, and two small tables. The table shows the
validation loss after 8 epochs (20 for tables), as a multiple of the loss at the best of all
learning rates, for a constant lr = max_lr and for one_cycle up to max_lr. Each entry is the
geometric mean, and in brackets the worst, over the settings and 4 seeds (B: 6) of a sweep of 150
iterations; the losses come from trainings at 13 learning rates with 2 seeds:

    ==========================  ==========  ==========  ==========  ==========
    max_lr is where the loss    A constant  one_cycle   B constant  one_cycle
    ==========================  ==========  ==========  ==========  ==========
    falls fastest               1.44 (4.0)  2.27 (7.7)  1.73 (34)   1.89 (16)
    falls half as fast          1.13 (1.6)  1.17 (1.6)  1.69 (11)   1.62 (34)
    falls a third as fast       1.18 (6.6)  1.14 (1.6)  1.69 (7.2)  1.60 (35)
    the same, at most half way  1.12 (1.7)  1.19 (1.8)  1.55 (7.5)  1.51 (17)
    is lowest                   1.56 (12)   1.16 (1.9)  3.66 (8e3)  2.71 (1e3)
    ==========================  ==========  ==========  ==========  ==========

At a third of the chosen max_lr the means are 1.32, 2.24, 1.67 and 2.23; at 3 times max_lr they are
1.64, 1.15, 3.97 and 2.43. In longer sweeps the network has learnt much before the learning rate is
high, and max_lr comes out lower: with 400 iterations it is 0.43 of the max_lr with 150 (median of
26 settings). Between seeds of the sweep max_lr differs by 12% (median), at most by a factor of 1.6
(standard deviations).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

DIVISOR = 10.0  # max_lr / base_lr, by default
LEVELLING = 1 / 3  # of the steepest slope: where the loss is said to stop improving
WIDTHS = (0.5, 0.7, 1.0, 1.4)  # of the smoothing to either side, in decades
NEIGHBOURS = 10  # the smoothing takes in at least so many, also if learning rates lie far apart
GRID = 201
MIN_POINTS = 10
CEILING = 1.5  # times the first losses: an explosion must not outweigh what comes before it
CERTAINTY = 5.0  # standard errors: a steeper slope is not noise
RISE = 1.25  # times the first loss: such a rise within half a decade is a divergence
ABOVE_LOWEST = 3.0  # times the learning rate of the lowest loss: a search should go up to it
LEAST_FALL = 0.02  # of the first loss: a smaller fall does not count


@dataclass(frozen=True)
class Bounds:
    """The band in which a cyclical policy moves the learning rate."""

    base_lr: float  # max_lr / divisor
    max_lr: float
    steepest_lr: float  # where the loss falls fastest
    lowest_lr: float  # where the smoothed loss is lowest
    width: float  # of the smoothing, see :func:`smooth`
    reason: str  # why, as the curve shows it, in one line
    highest_lr: float | None = None  # the highest that a search should try
    curve: str = "training"  # the loss that the bounds are read off: training or validation

    @property
    def to_search(self) -> tuple[float, float]:
        """The range of learning rates to search. Short trainings are often best above max_lr. With
        batch normalisation they are often best even above the learning rate of the test's lowest
        loss; see docs/results/recipe.md."""
        return self.base_lr, self.highest_lr or max(self.max_lr, self.lowest_lr)


class Smoothed(NamedTuple):
    """A smoothed curve at learning rates with equal ratios; all arrays are (n,)."""

    lrs: np.ndarray
    losses: np.ndarray
    slopes: np.ndarray  # of the loss, per decade of the learning rate
    errors: np.ndarray  # standard errors of the slopes


def suggest_bounds(
    lrs: Sequence[float], losses: Sequence[float], divisor: float = DIVISOR
) -> Bounds:
    """Reads the bounds off a range test, from the loss of the batch at each learning rate.

    ``lrs`` must rise. Losses from the first one that is not finite are left out. After its
    steepest fall, the smoothed loss slows down: max_lr is where it falls only a third as fast. If
    the curve has a lowest point after which it turns up, max_lr is at most half way from the
    steepest fall to that point. base_lr is ``max_lr / divisor``.

    Raises ``ValueError`` if the curve has too few points, if it never falls, and if the training
    diverged at once.
    """
    if not divisor > 1:
        raise ValueError(f"divisor must be above 1, not {divisor:g}")
    _check_points(lrs, losses)
    for width in WIDTHS:
        curve = smooth(lrs, losses, width)
        lowest = int(curve.losses.argmin())
        sure = curve.slopes < -CERTAINTY * curve.errors
        slopes = np.where(sure, curve.slopes, 0)[: lowest + 1]
        steepest = int(slopes.argmin())
        fall = curve.losses[0] - curve.losses[lowest]
        if slopes[steepest] < 0 and fall > LEAST_FALL * curve.losses[0]:
            break
    else:
        raise ValueError(_no_fall(curve, lowest))
    end = steepest
    while end < lowest and curve.slopes[end + 1] <= LEVELLING * curve.slopes[steepest]:
        end += 1
    turns = lowest < GRID - 1
    if turns:
        end = min(end, (steepest + lowest) // 2)
    max_lr = float(curve.lrs[end])
    return Bounds(
        base_lr=max_lr / divisor,
        max_lr=max_lr,
        steepest_lr=float(curve.lrs[steepest]),
        lowest_lr=float(curve.lrs[lowest]),
        width=width,
        highest_lr=float(min(ABOVE_LOWEST * curve.lrs[lowest], curve.lrs[-1])),
        reason=_reason(curve, steepest, end, lowest),
    )


def smooth(lrs: Sequence[float], losses: Sequence[float], width: float = WIDTHS[0]) -> Smoothed:
    """Lines fitted around each of 201 learning rates, by least squares with tricube weights
    (Cleveland 1979), to the losses within ``width`` decades.

    Losses from the first one that is not finite are left out, and no loss counts for more than 1.5
    times the median of the first losses. At least three points are needed.
    """
    y = _finite_head(losses)
    x = np.log10(np.asarray(lrs[: len(y)], float))
    y = np.minimum(y, CEILING * np.median(y[: max(5, len(y) // 20)]))
    at = np.linspace(x[0], x[-1], GRID)
    for_values, for_slopes = _local_lines(x, at, width)
    # Each point minus its neighbours (Gasser et al. 1986): noise grows and falls with the loss.
    noise = np.abs(np.convolve(y, [-0.5, 1, -0.5], "valid")) * math.sqrt(2 / 3)
    noise = np.concatenate([noise[:1], noise, noise[-1:]])
    noise = np.maximum(noise, np.median(noise))
    errors = np.sqrt(for_slopes**2 @ noise**2)
    # Between learning rates far apart, such as the first of linear growth, a line may go astray.
    near = for_slopes != 0
    lowest = np.where(near, y, np.inf).min(axis=1)
    highest = np.where(near, y, -np.inf).max(axis=1)
    values = np.clip(for_values @ y, lowest, highest)
    return Smoothed(10**at, values, for_slopes @ y, errors)


def _local_lines(x: np.ndarray, at: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """The weights (len(at), len(x)) of the observations, for the value and for the slope."""
    distances = np.abs(at[:, None] - x)
    k = min(NEIGHBOURS, len(x) - 1)
    nearest = np.partition(distances, k, axis=1)[:, k]
    widths = np.maximum(min(width, (x[-1] - x[0]) / 4), 1.001 * nearest)
    weights = (1 - np.minimum(distances / widths[:, None], 1) ** 3) ** 3
    weights /= weights.sum(axis=1, keepdims=True)
    centre = weights @ x
    offsets = x - centre[:, None]
    slopes = weights * offsets
    slopes /= (slopes * offsets).sum(axis=1, keepdims=True)
    return weights + slopes * (at - centre)[:, None], slopes


def _finite_head(losses: Sequence[float]) -> np.ndarray:
    values = np.asarray(losses, float)
    bad = np.flatnonzero(~np.isfinite(values))
    return values[: bad[0]] if len(bad) else values


def _check_points(lrs: Sequence[float], losses: Sequence[float]) -> None:
    if len(lrs) != len(losses):
        raise ValueError(f"{len(lrs)} learning rates need as many losses, not {len(losses)}")
    if not all(a < b for a, b in zip([0.0, *lrs], lrs, strict=False)):
        raise ValueError("the learning rates of a range test must be above 0 and rise")
    y = _finite_head(losses)
    if len(y) >= MIN_POINTS:
        return
    explodes = len(y) < len(losses) or (len(y) > 1 and y[-1] > 2 * y[0])
    if explodes:
        last = min(len(y), len(losses) - 1)
        shown = f"the loss is {losses[last]:.3g} at lr {lrs[last]:.3g}, after {last} iterations"
        if lrs[last] <= lrs[0] * 10 ** WIDTHS[0]:
            raise ValueError(f"diverged at once: {shown}: begin at a lower learning rate")
        raise ValueError(
            f"no usable slope: {shown}; at least {MIN_POINTS} are needed: take smaller steps"
        )
    raise ValueError(
        f"no usable slope: the curve has {len(y)} points, but at least {MIN_POINTS} are needed"
    )


def _no_fall(curve: Smoothed, lowest: int) -> str:
    start = curve.losses[0]
    soon = curve.lrs <= curve.lrs[0] * 10 ** WIDTHS[0]
    highest = curve.losses[soon].max()
    rises = (curve.slopes > CERTAINTY * curve.errors)[soon].any()
    if lowest == 0 and rises and highest > RISE * start:
        return (
            f"diverged at once: the loss rises from {start:.3g} at lr {curve.lrs[0]:.3g} to "
            f"{highest:.3g} at {curve.lrs[soon][-1]:.3g}: "
            "begin at a lower learning rate"
        )
    return (
        "no usable slope: the loss never falls by more than the noise of the batches: the smoothed "
        f"loss is {start:.4g} at lr {curve.lrs[0]:.3g} and at best {curve.losses[lowest]:.4g}, "
        f"at lr {curve.lrs[lowest]:.3g}"
    )


def _reason(curve: Smoothed, steepest: int, end: int, lowest: int) -> str:
    fastest = f"the loss falls fastest at lr {curve.lrs[steepest]:.3g}"
    if end == GRID - 1:
        return (
            f"{fastest} and still falls at the last lr, {curve.lrs[end]:.3g}: "
            "a sweep to a higher learning rate may find a higher bound"
        )
    text = f"{fastest} and is lowest at {curve.lrs[lowest]:.3g}; "
    if curve.slopes[end + 1] <= LEVELLING * curve.slopes[steepest]:
        return text + f"half way between, at {curve.lrs[end]:.3g}, leaves room before it turns up"
    return text + f"at {curve.lrs[end]:.3g} it falls a third as fast"
