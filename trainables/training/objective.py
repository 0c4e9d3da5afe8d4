"""What a task minimises, and how its predictions are judged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor
from torch.nn import functional

from trainables.training.metrics import DIVERGED_LOSS, METRICS

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData

# A training has diverged at this many times the loss of its first batch (or of chance, where that
# is more). AdamW's first steps can multiply the loss by 60 in trainings that then do well. Of 120
# MLPs on digits, wine and diabetes, at learning rates from 0.01 to 1, this stops 34 of the 42 that
# learnt nothing and 3 of the 78 that learnt something; 20 would stop 37 and 11.
EXPLOSION = 100.0
WORST_ACCURACY = METRICS["val_accuracy"].worst
WORST_R2 = METRICS["val_r2"].worst


class Scores(NamedTuple):
    """The loss of some predictions, and their accuracy or R2."""

    loss: float
    quality: float


@dataclass(frozen=True)
class Objective:
    """What a task minimises and how its predictions are judged."""

    loss: Callable[[Tensor, Tensor], Tensor]  # of outputs (n, n_outputs) and targets (n,)
    quality_name: str
    quality: Callable[[Tensor, Tensor], float]
    worst_quality: float
    chance_loss: float  # of a model that has learnt nothing

    @property
    def worst(self) -> Scores:
        return Scores(DIVERGED_LOSS, self.worst_quality)

    def judge(self, outputs: Tensor, targets: Tensor) -> Scores:
        return Scores(self.loss(outputs, targets).item(), self.quality(outputs, targets))

    def limit(self, first_loss: float) -> float:
        """The loss from which a training has diverged, given that of its first batch."""
        # The known number goes first: max() keeps it where the other is NaN.
        return min(DIVERGED_LOSS, EXPLOSION * max(self.chance_loss, first_loss))


def objective_of(data: TrialData) -> Objective:
    """Cross entropy and accuracy for classification; mean squared error and R2 for regression."""
    if data.task == "classification":
        return Objective(
            functional.cross_entropy,
            "accuracy",
            _accuracy,
            WORST_ACCURACY,
            math.log(data.n_classes),
        )
    return Objective(_mean_squared_error, "r2", _r2, WORST_R2, 1.0)


def _accuracy(outputs: Tensor, targets: Tensor) -> float:
    return (outputs.argmax(1) == targets).float().mean().item()


def _mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.mse_loss(outputs.squeeze(1), targets)


def _r2(outputs: Tensor, targets: Tensor) -> float:
    """1 - residual / total sum of squares; never below ``WORST_R2``, not even for targets that are
    all the same."""
    residual = _mean_squared_error(outputs, targets).item()
    total = targets.var(correction=0).item()
    return max(WORST_R2, 1 - residual / max(total, 1e-12))
