"""The metrics that a search may optimise: how each is measured, which way is better, and the score
of a diverged trial.

To add one, enter it in ``METRICS``, under a name that begins with ``val_``: then every training of
its task measures it in each epoch, and a search may optimise it. A trial whose optimised metric is
not a finite number counts as diverged. The first metric of a task is the one that a search
optimises by default.

The metrics of a classification are those of scikit-learn. F1, AUC and average precision are
computed for each class against all others, and averaged with equal weights, even if there are two
classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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

    ``measure`` returns a tensor with one number. The loss has no ``measure``: it is what a training
    minimises, see :mod:`trainables.training.objective`.
    """

    mode: Mode
    worst: float
    task: Task | None = None  # None if every task has it
    measure: Callable[[Predictions], Tensor] | None = None
    in_target_units: bool = False  # if not, targets are standardised
    best: float | None = None  # the best value that is possible; None if there is none

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``. False if ``a`` is NaN."""
        return a < b if self.mode == "min" else a > b

    def place(self, value: float, metrics: Mapping[str, float]) -> tuple[float, float]:
        """What sorts values from the best to the worst. Of equal values, that whose ``metrics``
        have the lower validation loss comes first: a network may rank all samples correctly long
        before its probabilities are of any use."""
        return (value if self.mode == "min" else -value, metrics.get("val_loss", math.inf))

    def reaches(self, value: float, target: float) -> bool:
        """Whether ``value`` is as good as ``target``, or better."""
        return value == target or self.better(value, target)

    def of_data(self, worst_loss: float, target_std: float) -> Metric:
        """The metric with the worst value for given data: ``worst_loss`` is the loss at which a
        training on them has diverged, ``target_std`` the standard deviation of their target."""
        if self.in_target_units:
            return replace(self, worst=math.sqrt(worst_loss) * target_std)
        return replace(self, worst=worst_loss) if self.measure is None else self


def accuracy(predictions: Predictions) -> Tensor:
    """The share of samples whose own class has the largest output."""
    return (predictions.outputs.argmax(1) == predictions.targets).double().mean()


def balanced_accuracy(predictions: Predictions) -> Tensor:
    """The mean of the recalls: for each class, the share of its samples that are recognised."""
    recalls = predictions.confusion.diagonal() / predictions.per_class
    return predictions.mean_over_classes(recalls)


def f1(predictions: Predictions) -> Tensor:
    """The harmonic mean of precision and recall, averaged over the classes."""
    confusion = predictions.confusion
    found = confusion.sum(0) + predictions.per_class
    return predictions.mean_over_classes(2 * confusion.diagonal() / found.clamp(min=1))


def auc(predictions: Predictions) -> Tensor:
    """The area under the ROC curve, averaged over the classes: how often a sample of the class gets
    a higher probability for it than a sample of another class. A tie counts half."""
    (hits, below, hits_below), of_class = predictions.ranking, predictions.per_class
    pairs = of_class * (len(predictions.targets) - of_class)
    # Pairs in the right order minus pairs in the wrong order; ties cancel out.
    balance = (hits * below - hits_below).sum(1)
    return predictions.mean_over_classes((1 + balance / pairs.clamp(min=1)) / 2)


def average_precision(predictions: Predictions) -> Tensor:
    """For each sample of a class, the precision among the samples with at least its probability;
    averaged over the samples, then over the classes."""
    (hits, below, hits_below), of_class = predictions.ranking, predictions.per_class
    precisions = (of_class[:, None] - hits_below) / (len(predictions.targets) - below)
    return predictions.mean_over_classes((hits * precisions).sum(1) / of_class)


def r2(predictions: Predictions) -> Tensor:
    """1 - residual / total sum of squares. It is never below ``WORST_R2``, even if all targets are
    the same."""
    residual = predictions.errors.square().mean()
    total = predictions.targets.var(correction=0).clamp(min=1e-12)
    return (1 - residual / total).clamp(min=WORST_R2)


def rmse(predictions: Predictions) -> Tensor:
    """The root of the mean squared error."""
    return predictions.errors.square().mean().sqrt()


def mae(predictions: Predictions) -> Tensor:
    """The mean absolute error."""
    return predictions.errors.abs().mean()


WORST_R2 = 1.0 - DIVERGED_LOSS  # for a standardised target: 1 - MSE
WORST_ERROR = math.sqrt(DIVERGED_LOSS)  # of a standardised target

METRICS: dict[str, Metric] = {
    "val_accuracy": Metric("max", 0.0, "classification", accuracy, best=1.0),
    "val_balanced_accuracy": Metric("max", 0.0, "classification", balanced_accuracy, best=1.0),
    "val_f1": Metric("max", 0.0, "classification", f1, best=1.0),
    "val_auc": Metric("max", 0.0, "classification", auc, best=1.0),
    "val_average_precision": Metric("max", 0.0, "classification", average_precision, best=1.0),
    "val_r2": Metric("max", WORST_R2, "regression", r2, best=1.0),
    "val_rmse": Metric("min", WORST_ERROR, "regression", rmse, in_target_units=True, best=0.0),
    "val_mae": Metric("min", WORST_ERROR, "regression", mae, in_target_units=True, best=0.0),
    "val_loss": Metric("min", DIVERGED_LOSS, best=0.0),
}
ACCURACY = "val_accuracy"
FOR_LARGE_CLASSES = ("val_balanced_accuracy", "val_auc")  # these count the other classes too


def metrics_of(task: Task) -> dict[str, Metric]:
    """The metrics of ``task``. The first one is what a search optimises by default."""
    return {name: metric for name, metric in METRICS.items() if metric.task in (task, None)}
