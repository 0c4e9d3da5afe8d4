"""The metrics that a search may optimise: how each is measured, which way is better, and the score
of a diverged trial.

To add one, enter it in ``METRICS``: it is then measured in every epoch of a training of its task,
and a search may ask for it. The first of a task is what a search optimises by default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Mode = Literal["min", "max"]
Task = Literal["classification", "regression"]

# Finite, so that every search algorithm can learn from it, and worse than any loss that the
# divergence guard lets through.
DIVERGED_LOSS = 1e3


@dataclass(frozen=True)
class Metric:
    """``worst`` is what a diverged trial reports.

    ``measure`` takes outputs (n, n_outputs) and targets (n,) on one device. The loss has none: it
    is what a training minimises, see :mod:`trainables.training.objective`.
    """

    mode: Mode
    worst: float
    task: Task | None = None  # None for one that every task has
    measure: Callable[[Tensor, Tensor], float] | None = None

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``. False where ``a`` is NaN."""
        return a < b if self.mode == "min" else a > b


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """The share of samples whose largest output is that of their class."""
    return (outputs.argmax(1) == targets).float().mean().item()


def r2(outputs: Tensor, targets: Tensor) -> float:
    """1 - residual / total sum of squares; never below ``WORST_R2``, not even for targets that are
    all the same."""
    residual = (outputs.squeeze(1) - targets).square().mean().item()
    total = targets.var(correction=0).item()
    return max(WORST_R2, 1 - residual / max(total, 1e-12))


WORST_R2 = 1.0 - DIVERGED_LOSS  # of a standardised target: 1 - MSE

METRICS: dict[str, Metric] = {
    "val_accuracy": Metric("max", 0.0, "classification", accuracy),
    "val_r2": Metric("max", WORST_R2, "regression", r2),
    "val_loss": Metric("min", DIVERGED_LOSS),
}


def metrics_of(task: Task) -> dict[str, Metric]:
    """What a training of ``task`` measures, what a search optimises by default first."""
    return {name: metric for name, metric in METRICS.items() if metric.task in (task, None)}
