"""The metrics that a search may optimise: how each is measured, which way is better, and the score
of a diverged trial.

To add one, enter it in ``METRICS``: it is then measured in every epoch of a training of its task,
and a search may ask for it. The first of a task is what a search optimises by default.

Those of a classification are scikit-learn's. F1, AUC and average precision are found for each class
against all others, and their mean counts each class alike, also where there are two classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from trainables.task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.training.predictions import Predictions

Mode = Literal["min", "max"]

# Finite, so that every search algorithm can learn from it, and worse than any loss that the
# divergence guard lets through; for a target with heavy tails see worst_loss().
DIVERGED_LOSS = 1e3


@dataclass(frozen=True)
class Metric:
    """``worst`` is what a diverged trial reports.

    ``measure`` gives a tensor of one number. The loss has none: it is what a training minimises,
    see :mod:`trainables.training.objective`.
    """

    mode: Mode
    worst: float
    task: Task | None = None  # None for one that every task has
    measure: Callable[[Predictions], Tensor] | None = None
    in_target_units: bool = False  # else a target counts in its standard deviations

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``. False where ``a`` is NaN."""
        return a < b if self.mode == "min" else a > b

    def reaches(self, value: float, target: float) -> bool:
        """Whether ``value`` is as good as ``target``, or better."""
        return value == target or self.better(value, target)

    def of_data(self, worst_loss: float, target_std: float) -> Metric:
        """The metric of data on which a training has diverged at this loss, and whose target has
        this standard deviation."""
        if self.in_target_units:
            return replace(self, worst=math.sqrt(worst_loss) * target_std)
        return replace(self, worst=worst_loss) if self.measure is None else self


def accuracy(predictions: Predictions) -> Tensor:
    """The share of samples whose largest output is that of their class."""
    return (predictions.outputs.argmax(1) == predictions.targets).double().mean()


def balanced_accuracy(predictions: Predictions) -> Tensor:
    """The mean over the classes of the share of their samples that are taken for theirs."""
    recalls = predictions.confusion.diagonal() / predictions.per_class
    return predictions.mean_over_classes(recalls)


def f1(predictions: Predictions) -> Tensor:
    """The harmonic mean of precision and recall."""
    confusion = predictions.confusion
    found = confusion.sum(0) + predictions.per_class
    return predictions.mean_over_classes(2 * confusion.diagonal() / found.clamp(min=1))


def auc(predictions: Predictions) -> Tensor:
    """The area under the ROC curve: the probability that a sample of a class has a higher
    probability of it than one of another class; the same probability counts half."""
    (hits, below, hits_below), of_class = predictions.ranking, predictions.per_class
    pairs = of_class * (len(predictions.targets) - of_class)
    # Pairs in order less those out of it: what is left of all counts half.
    balance = (hits * below - hits_below).sum(1)
    return predictions.mean_over_classes((1 + balance / pairs.clamp(min=1)) / 2)


def average_precision(predictions: Predictions) -> Tensor:
    """The mean, over the samples of a class, of the precision among those with at least their
    probability."""
    (hits, below, hits_below), of_class = predictions.ranking, predictions.per_class
    precisions = (of_class[:, None] - hits_below) / (len(predictions.targets) - below)
    return predictions.mean_over_classes((hits * precisions).sum(1) / of_class)


def r2(predictions: Predictions) -> Tensor:
    """1 - residual / total sum of squares; never below ``WORST_R2``, not even for targets that are
    all the same."""
    residual = predictions.errors.square().mean()
    total = predictions.targets.var(correction=0).clamp(min=1e-12)
    return (1 - residual / total).clamp(min=WORST_R2)


def rmse(predictions: Predictions) -> Tensor:
    """The root of the mean squared error."""
    return predictions.errors.square().mean().sqrt()


def mae(predictions: Predictions) -> Tensor:
    """The mean absolute error."""
    return predictions.errors.abs().mean()


WORST_R2 = 1.0 - DIVERGED_LOSS  # of a standardised target: 1 - MSE
WORST_ERROR = math.sqrt(DIVERGED_LOSS)  # of a standardised target

METRICS: dict[str, Metric] = {
    "val_accuracy": Metric("max", 0.0, "classification", accuracy),
    "val_balanced_accuracy": Metric("max", 0.0, "classification", balanced_accuracy),
    "val_f1": Metric("max", 0.0, "classification", f1),
    "val_auc": Metric("max", 0.0, "classification", auc),
    "val_average_precision": Metric("max", 0.0, "classification", average_precision),
    "val_r2": Metric("max", WORST_R2, "regression", r2),
    "val_rmse": Metric("min", WORST_ERROR, "regression", rmse, in_target_units=True),
    "val_mae": Metric("min", WORST_ERROR, "regression", mae, in_target_units=True),
    "val_loss": Metric("min", DIVERGED_LOSS),
}
ACCURACY = "val_accuracy"
FOR_LARGE_CLASSES = ("val_balanced_accuracy", "val_auc")  # which see the other classes too


def metrics_of(task: Task) -> dict[str, Metric]:
    """What a training of ``task`` measures, what a search optimises by default first."""
    return {name: metric for name, metric in METRICS.items() if metric.task in (task, None)}
