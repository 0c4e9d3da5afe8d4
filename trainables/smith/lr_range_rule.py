"""From the curve of an LR range test to base_lr and max_lr: pure functions of the numbers.

Smith 2015 (arXiv 1506.01186, section 3.3) reads max_lr off the curve by eye, where it stops
improving; base_lr is then a tenth or a twentieth of it for a single cycle (Smith 2018, arXiv
1803.09820, section 4.1). Here "stops improving" is where the smoothed loss falls at a third of the
fastest rate that it had, and, where the curve turns up soon after that, no more than half way from
the steepest fall to the lowest loss. Rates are taken against the logarithm of the learning rate:
against the learning rate itself the noise of the first iterations, which lie close together,
outweighs all.

That rule was chosen among some tried on 26 settings: A, an MLP with and without batch normalisation
and a CNN on ``digits``, each with SGD and AdamW and batches of 32 and 128; B, 14 others, with more
layers, batches of 16, dropout, tanh, momentum 0 and 0.95, and two small tables. The validation loss
after 8 epochs (tables 20), as a multiple of that at the best learning rate there is, at a constant
lr = max_lr and with one_cycle to max_lr; geometric mean over settings and 4 seeds of the sweep (B
6) of 150 iterations, and the worst; from trainings at 13 learning rates with 2 seeds:

    ==========================  ==========  ==========  ==========  ==========
    max_lr is where the loss    A constant  one_cycle   B constant  one_cycle
    ==========================  ==========  ==========  ==========  ==========
    falls fastest               1.44 (4.0)  2.27 (7.7)  1.73 (34)   1.89 (16)
    falls half as fast          1.13 (1.6)  1.17 (1.6)  1.69 (11)   1.62 (34)
    falls a third as fast       1.18 (6.6)  1.14 (1.6)  1.69 (7.2)  1.60 (35)
    the same, at most half way  1.12 (1.7)  1.19 (1.8)  1.55 (7.5)  1.51 (17)
    is lowest                   1.56 (12)   1.16 (1.9)  3.66 (8e3)  2.71 (1e3)
    ==========================  ==========  ==========  ==========  ==========

At a third of the max_lr chosen the means are 1.32, 2.24, 1.67 and 2.23; at 3 times it 1.64, 1.15,
3.97 and 2.43. In longer sweeps the network has learnt much before the learning rate is high, and
max_lr comes out lower: with 400 iterations at 0.43 of that with 150 (median of 26 settings). From
seed to seed of the sweep it differs by 12% (median), at most by a factor of 1.6 (standard
deviations).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

DIVISOR = 10.0  # max_lr / base_lr, where nothing else is asked for
LEVELLING = 1 / 3  # of the steepest slope: where the loss is said to stop improving
WIDTHS = (0.5, 0.7, 1.0, 1.4)  # of the smoothing to either side, in decades
NEIGHBOURS = 10  # in the smoothing at least, where the learning rates lie further apart
GRID = 201
MIN_POINTS = 10
CEILING = 1.5  # times the first losses: what explodes must not outweigh what comes before it
CERTAINTY = 5.0  # standard errors from which a slope is no noise
RISE = 1.25  # times the first loss, within half a decade, that is a divergence
ABOVE_LOWEST = 3.0  # times the learning rate of the lowest loss: what a search should try too
LEAST_FALL = 0.02  # of the first loss, from which a fall is one


@dataclass(frozen=True)
class Bounds:
    """The band in which a cyclical policy moves the learning rate."""

    base_lr: float  # max_lr / divisor
    max_lr: float
    steepest_lr: float  # where the loss falls fastest
    lowest_lr: float  # where the smoothed loss is lowest
    width: float  # of the smoothing, see :func:`smooth`
    reason: str  # what in the curve says so, in one line
    highest_lr: float | None = None  # that a search should try
    curve: str = "training"  # the loss that they are read off: training or validation

    @property
    def to_search(self) -> tuple[float, float]:
        """Between which learning rates to search. Short trainings are often best above max_lr, and
        with batch normalisation above the lowest loss of the test; see docs/results/recipe.md."""
        return self.base_lr, self.highest_lr or max(self.max_lr, self.lowest_lr)


class Smoothed(NamedTuple):
    """A curve smoothed, at learning rates in equal ratios, all (n,)."""

    lrs: np.ndarray
    losses: np.ndarray
    slopes: np.ndarray  # of the loss, per decade of the learning rate
    errors: np.ndarray  # standard errors of the slopes


def suggest_bounds(
    lrs: Sequence[float], losses: Sequence[float], divisor: float = DIVISOR
) -> Bounds:
    """Read the bounds off a range test, from the loss of the batch at each learning rate.

    ``lrs`` rise; what follows a loss that is not finite is left out. max_lr is where the smoothed
    loss, past its steepest fall, falls at a third of that rate, or half way from there to its
    lowest where that comes first; base_lr is ``max_lr / divisor``.

    Raises ``ValueError`` where the curve has too few points, where it never falls, and where the
    training diverged at once.
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

    What follows a loss that is not finite is left out, and no loss counts for more than 1.5 times
    the first ones. Needs three points or more.
    """
    y = _finite_head(losses)
    x = np.log10(np.asarray(lrs[: len(y)], float))
    y = np.minimum(y, CEILING * np.median(y[: max(5, len(y) // 20)]))
    at = np.linspace(x[0], x[-1], GRID)
    for_values, for_slopes = _local_lines(x, at, width)
    # Each point against its neighbours (Gasser et al. 1986): noise grows and falls with the loss.
    noise = np.abs(np.convolve(y, [-0.5, 1, -0.5], "valid")) * math.sqrt(2 / 3)
    noise = np.concatenate([noise[:1], noise, noise[-1:]])
    noise = np.maximum(noise, np.median(noise))
    errors = np.sqrt(for_slopes**2 @ noise**2)
    # Between learning rates far apart, as the first of linear growth, a line may lead away.
    near = for_slopes != 0
    lowest = np.where(near, y, np.inf).min(axis=1)
    highest = np.where(near, y, -np.inf).max(axis=1)
    values = np.clip(for_values @ y, lowest, highest)
    return Smoothed(10**at, values, for_slopes @ y, errors)


def _local_lines(x: np.ndarray, at: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (len(at), len(x)) of the observations in the value and the slope at each point."""
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
        raise ValueError(f"{len(lrs)} learning rates and {len(losses)} losses: one for each")
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
            f"no usable slope: {shown}, at least {MIN_POINTS} are needed: take smaller steps"
        )
    raise ValueError(
        f"no usable slope: the curve has {len(y)} points, at least {MIN_POINTS} are needed"
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
        "no usable slope: the loss never falls by more than the noise of the batches: smoothed "
        f"it is {start:.4g} at lr {curve.lrs[0]:.3g} and at best {curve.losses[lowest]:.4g}, "
        f"at {curve.lrs[lowest]:.3g}"
    )


def _reason(curve: Smoothed, steepest: int, end: int, lowest: int) -> str:
    fastest = f"the loss falls fastest at lr {curve.lrs[steepest]:.3g}"
    if end == GRID - 1:
        return (
            f"{fastest} and still falls at the last, {curve.lrs[end]:.3g}: "
            "a sweep to a higher learning rate may find a higher bound"
        )
    text = f"{fastest} and is lowest at {curve.lrs[lowest]:.3g}; "
    if curve.slopes[end + 1] <= LEVELLING * curve.slopes[steepest]:
        return text + f"half way between, at {curve.lrs[end]:.3g}, leaves room before it turns up"
    return text + f"at {curve.lrs[end]:.3g} it falls a third as fast"
