"""Clues of under- and overfitting in the curves of a training.

The clues are those of Smith 2018 (arXiv 1803.09820, section 3) and of Google's deep learning tuning
playbook ("examine the training curves"). They are read off the shapes of both losses over the
epochs: how steadily they fall, how far they are from the chance loss, and how they diverge from
each other.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["lr too large", "lr too small", "overfitting", "underfitting", "fits"]

LEAST_EPOCHS = 5  # with fewer, half of the epochs do not have two steps

# Shares of the chance loss, unless a comment says otherwise. A value without a reason was chosen
# between the curves of the two kinds that it tells apart.
AT_CHANCE = 0.8  # above this, next to nothing has been learnt
FROM_ABOVE = 1.45  # of the loss now: a training that was so much higher exploded and fell back
BENT = 0.03  # mean change of the validation loss's slope from epoch to epoch
LEARNING = 0.05  # a larger fall from one third of the epochs to the next is not noise
EXPLODED = 3.0  # networks begin at up to 2.3
JUMP = 0.25  # a rise from one epoch to the next; 0.15 is common in small data sets
UNSTEADY = 0.025  # mean rise of both losses per epoch; dropout moves only the training loss
RECOVERED = 0.3  # below this, the training loss has recovered from a jump
STRAIGHT = 0.5  # late fall over early fall; an exponential decay of that ratio has half to go
FAR = 0.5  # of the first loss: below this, most of the way is done
STEADY = 0.5  # net fall divided by all movement; 0.3 for a random walk of ten steps
TURNED = 0.1  # of the lowest validation loss: less is noise in sets of some 100 samples
TURNED_LEAST = 0.02  # the same, if the lowest loss is near 0
PATIENCE = 3  # epochs since the lowest validation loss
HIGH = 0.1  # below this, the loss is fitted
FALLING = 0.03  # of the loss itself, in the last third of the epochs
CLOSE = 0.1  # how far the validation loss is above the training loss


@dataclass(frozen=True)
class Clue:
    """What the curves of a training show; ``kind`` is "fits" if they show nothing wrong.

    ``train_loss`` and ``val_loss`` are means over the last third of the epochs. ``epoch``, counted
    from 1, is the epoch of the divergence or of the jump, or the epoch of the lowest validation
    loss before overfitting. ``change`` is how much the loss rose there or has risen since; if the
    loss falls, it is the fall in the last epochs, as a number below 0.
    """

    kind: Kind
    evidence: str
    train_loss: float
    val_loss: float
    epoch: int | None = None
    change: float = 0.0


class _Curves(NamedTuple):
    """Both losses per epoch, and the loss of a model that has learnt nothing."""

    train: Sequence[float]
    val: Sequence[float]
    chance: float

    def clue(
        self, kind: Kind, evidence: str, epoch: int | None = None, change: float = 0.0
    ) -> Clue:
        train, val = statistics.fmean(_late(self.train)), statistics.fmean(_late(self.val))
        return Clue(kind, evidence, train, val, epoch, change)


def clue(
    train_losses: Sequence[float],
    val_losses: Sequence[float],
    *,
    chance_loss: float | None = None,
    diverged: bool = False,
) -> Clue | None:
    """What the losses of a training, one per epoch, say about its hyperparameters.

    ``chance_loss`` is the loss of a model that has learnt nothing; by default it is the first loss.
    None if there are too few epochs to tell. Raises ``ValueError`` if the numbers of training and
    validation losses differ.
    """
    n = len(train_losses)
    if n != len(val_losses):
        raise ValueError(
            f"{n} training and {len(val_losses)} validation losses: give one of each per epoch"
        )
    if n and (diverged or not all(map(math.isfinite, (*train_losses, *val_losses)))):
        return Clue("lr too large", f"diverged in epoch {n}", train_losses[-1], val_losses[-1], n)
    if n < LEAST_EPOCHS:
        return None
    chance = min(train_losses[0], val_losses[0]) if chance_loss is None else chance_loss
    curves = _Curves(train_losses, val_losses, chance)
    for rule in (_jumping, _at_chance, _straight, _overfitting, _underfitting):
        if found := rule(curves):
            return found
    train, val = train_losses[-1], val_losses[-1]
    return curves.clue("fits", f"training loss {train:.3g} and validation loss {val:.3g}")


def _jumping(c: _Curves) -> Clue | None:
    """The LR is near one at which the training diverges (Smith: the loss has sudden jumps)."""
    highest = max(c.train)
    if highest > EXPLODED * c.chance:
        epoch = c.train.index(highest) + 1
        evidence = f"the training loss is {highest:.3g} in epoch {epoch}, chance is {c.chance:.3g}"
        return c.clue("lr too large", evidence, epoch, highest)
    # Without the first step: to begin badly is not the same as to learn and then to fail.
    rises = [b - a for a, b in pairwise(c.train[1:])]
    jump, now = max(rises), statistics.fmean(_late(c.train))
    if jump > JUMP * c.chance and now > RECOVERED * c.chance:
        epoch = rises.index(jump) + 3
        evidence = f"the training loss jumps up by {jump:.3g} in epoch {epoch} and is {now:.3g} now"
        return c.clue("lr too large", evidence, epoch, jump)
    train, val = _mean_rise(_second_half(c.train)), _mean_rise(_second_half(c.val))
    if min(train, val) > UNSTEADY * c.chance:
        evidence = (
            f"unsteady: the training loss rises by {train:.3g} and the validation loss by "
            f"{val:.3g} per epoch, on average over the second half"
        )
        return c.clue("lr too large", evidence, change=train)
    return None


def _at_chance(c: _Curves) -> Clue | None:
    """Nothing was learnt: a large LR throws the weights about, a small LR moves them smoothly. The
    validation loss shows which, because dropout makes the training loss rough with any LR."""
    now = statistics.median(_late(c.train))
    if now < AT_CHANCE * c.chance:
        return None
    evidence = f"the loss is {now:.4g} after {len(c.train)} epochs, chance is {c.chance:.4g}"
    recent = c.val[max(0, len(c.val) // 2 - 2) :]
    bends = zip(recent, recent[1:], recent[2:], strict=False)
    bend = statistics.fmean(abs(x - 2 * y + z) for x, y, z in bends)
    thrown = max(c.train) > FROM_ABOVE * now or bend > BENT * c.chance
    fall = _fall(c.train)
    if thrown and fall < LEARNING * c.chance:
        return c.clue(
            "lr too large", f"stuck: {evidence}; the validation loss goes up and down", change=-fall
        )
    return c.clue("lr too small", evidence, change=-fall)


def _straight(c: _Curves) -> Clue | None:
    """A slow and steady fall, almost in a straight line, with most of the way still to go."""
    half = len(c.train) // 2
    early, late = c.train[0] - c.train[half], c.train[-1 - half] - c.train[-1]
    far = statistics.fmean(c.train[-2:]) > FAR * c.train[0]
    if far and early > 0 and late > STRAIGHT * early and _steadiness(c.val) > STEADY:
        evidence = (
            f"the training loss falls almost in a straight line, by {early:.3g} in the first half "
            f"of {len(c.train)} epochs and by {late:.3g} in the second, to {c.train[-1]:.3g}"
        )
        return c.clue("lr too small", evidence, change=-late)
    return None


def _overfitting(c: _Curves) -> Clue | None:
    """The validation loss turns up while the training loss goes on falling."""
    smooth = [statistics.median(c.val[max(0, i - 1) : i + 2]) for i in range(len(c.val))]
    lowest = min(smooth)
    turn = smooth.index(lowest)
    last = max(2, len(c.val) // 5)
    val, train = statistics.median(c.val[-last:]), statistics.fmean(c.train[-last:])
    rise = val - lowest
    if (
        rise > max(TURNED * lowest, TURNED_LEAST * c.chance)
        and len(c.val) - 1 - turn > PATIENCE
        and train < min(lowest, c.train[turn])
    ):
        evidence = (
            f"since epoch {turn + 1} the validation loss has risen from {lowest:.3g} to {val:.3g}, "
            f"and the training loss fallen from {c.train[turn]:.3g} to {train:.3g}"
        )
        return c.clue("overfitting", evidence, turn + 1, rise)
    return None


def _underfitting(c: _Curves) -> Clue | None:
    """Both losses are high and close to each other, and still fall."""
    train, val = _late(c.train), _late(c.val)
    levels = statistics.fmean(train), statistics.fmean(val)
    falls = train[0] - train[-1], val[0] - val[-1]
    if (
        min(levels) > HIGH * c.chance
        and levels[1] - levels[0] < CLOSE * c.chance
        and all(fall > FALLING * level for fall, level in zip(falls, levels, strict=True))
        and _steadiness(val) > STEADY
    ):
        evidence = (
            f"training loss {train[-1]:.3g} and validation loss {val[-1]:.3g} still fall, "
            f"by {falls[0]:.3g} and {falls[1]:.3g} in the last {len(train) - 1} epochs"
        )
        return c.clue("underfitting", evidence, change=-falls[0])
    return None


def _late(losses: Sequence[float]) -> Sequence[float]:
    """The losses of the last third of the steps (at least three), and the loss before them."""
    return losses[-max(3, len(losses) // 3) - 1 :]


def _second_half(losses: Sequence[float]) -> Sequence[float]:
    return losses[len(losses) // 2 - 1 :]


def _fall(losses: Sequence[float]) -> float:
    """The fall from the mean of the second third of the epochs to the mean of the last third."""
    third = max(2, len(losses) // 3)
    return statistics.fmean(losses[-2 * third : -third]) - statistics.fmean(losses[-third:])


def _mean_rise(losses: Sequence[float]) -> float:
    return statistics.fmean(max(0.0, b - a) for a, b in pairwise(losses))


def _steadiness(losses: Sequence[float]) -> float:
    """Net fall divided by all movement: 1 if every step goes down, 0 if nothing moves."""
    moved = sum(abs(b - a) for a, b in pairwise(losses))
    return (losses[0] - losses[-1]) / moved if moved else 0.0
