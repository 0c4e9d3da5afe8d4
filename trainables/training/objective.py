"""The loss that a task minimises, and how its predictions are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trainables.training.metrics import DIVERGED_LOSS, METRICS, Metric, metrics_of
from trainables.training.predictions import Predictions

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.data.datasets import TrialData

# A training has diverged at this many times the loss of its first batch (or the chance loss, if it
# is larger). AdamW's first steps can multiply the loss by 60 in trainings that then do well. Of 120
# MLPs on digits, wine and diabetes, at learning rates from 0.01 to 1, this stops 34 of the 42 that
# learnt nothing and 3 of the 78 that learnt something; a limit of 20 would stop 37 and 11.
EXPLOSION = 100.0
# But the limit is at least this many times the largest loss that a batch can have by chance: with
# one huge target, or a few samples of a rare class, a batch can be hundreds of times worse than the
# mean.
BY_CHANCE = 4.0


class Scores(NamedTuple):
    """The loss of some predictions, and their other measures by name."""

    loss: float
    values: dict[str, float]


@dataclass(frozen=True)
class Objective:
    """The loss that a task minimises, and how its predictions are scored."""

    loss: Callable[[Tensor, Tensor], Tensor]  # of outputs (n, n_outputs) and targets (n,)
    train_loss: Callable[[Tensor, Tensor], Tensor]  # the loss, with label smoothing
    chance_loss: float  # of a model that knows only the distribution of the targets
    measures: Mapping[str, Metric]  # by name, such as accuracy or r2; without the loss
    worst_loss: float = DIVERGED_LOSS  # see worst_loss()
    target_std: float = 1.0  # for a regression, in the target's own units

    @property
    def quality_name(self) -> str:
        """The name of the measure that a user looks at first."""
        return next(iter(self.measures))

    @property
    def worst(self) -> Scores:
        of_data = (self.worst_loss, self.target_std)
        values = {name: m.of_data(*of_data).worst for name, m in self.measures.items()}
        return Scores(self.worst_loss, values)

    @property
    def worst_at_a_glance(self) -> Scores:
        loss, values = self.worst
        return Scores(loss, {self.quality_name: values[self.quality_name]})

    def quality(self, outputs: Tensor, targets: Tensor) -> float:
        """The measure that a user looks at first."""
        return self._judge(outputs, targets, [self.quality_name]).values[self.quality_name]

    def judge(self, outputs: Tensor, targets: Tensor) -> Scores:
        return self._judge(outputs, targets, list(self.measures))

    def glance(self, outputs: Tensor, targets: Tensor) -> Scores:
        """The loss, and the measure that a user looks at first."""
        return self._judge(outputs, targets, [self.quality_name])

    def _judge(self, outputs: Tensor, targets: Tensor, names: Sequence[str]) -> Scores:
        import torch

        predictions = Predictions(outputs, targets)
        found = [self.loss(outputs, targets).double()]
        for name in names:
            metric = self.measures[name]
            assert metric.measure is not None  # objective_of() takes only metrics that have one
            measured = metric.measure(predictions).double()
            found.append(measured * self.target_std if metric.in_target_units else measured)
        loss, *values = torch.stack(found).tolist()  # waits only once for the device
        return Scores(loss, dict(zip(names, values, strict=True)))

    def limit(self, first_loss: float, by_chance: float) -> float:
        """The loss from which on a training has diverged, given the loss of its first batch, and
        the result of :func:`worst_by_chance` for its batches."""
        # The known number comes first, because max() keeps it if the other is NaN.
        limit = min(DIVERGED_LOSS, EXPLOSION * max(self.chance_loss, first_loss))
        return max(limit, BY_CHANCE * by_chance)


def worst_by_chance(data: TrialData, targets: np.ndarray, n: int) -> float:
    """The largest loss that a batch of ``n`` of ``targets`` (n_samples,) can have, for a model that
    knows only the distribution of the train targets."""
    if data.task == "classification":
        return -float(np.log(data.class_shares.min()))
    squares = np.square(targets, dtype=float)
    n = min(n, len(squares))
    return float(np.partition(squares, -n)[-n:].mean())


def worst_loss(data: TrialData) -> float:
    """The validation loss at which a training on ``data`` has diverged, and which it then reports.
    A sound training always reports less."""
    if data.task == "classification":
        return DIVERGED_LOSS
    return max(DIVERGED_LOSS, BY_CHANCE * worst_by_chance(data, data.y_val, len(data.y_val)))


def metric_of(name: str, folds: Sequence[TrialData]) -> Metric:
    """The metric ``name`` of METRICS, with the worst score on these data, in the units of the
    target. With several folds it is the worst score over all folds."""
    return METRICS[name].of_data(max(map(worst_loss, folds)), folds[0].target_std)


def objective_of(data: TrialData, label_smoothing: float = 0.0) -> Objective:
    """The objective for ``data``, with the METRICS of its task.

    The loss is cross entropy with the data's class weights for a classification, and mean squared
    error for a regression. ``label_smoothing`` (Szegedy et al. 2016, arXiv 1512.00567, section 7)
    is used only for a classification, and only in the training loss, not in any measure.
    """
    measures = {
        name.removeprefix("val_"): metric
        for name, metric in metrics_of(data.task).items()
        if metric.measure is not None
    }
    if data.task == "regression":
        error = _mean_squared_error
        return Objective(error, error, 1.0, measures, worst_loss(data), data.target_std)
    shares = data.class_shares
    chance_loss = -float((shares * np.log(shares)).sum())
    loss = _CrossEntropy(data.class_weights)
    smoothed = _CrossEntropy(data.class_weights, label_smoothing) if label_smoothing else loss
    return Objective(loss, smoothed, chance_loss, measures)


class _CrossEntropy:
    def __init__(self, class_weights: Sequence[float], smoothing: float = 0.0) -> None:
        self._smoothing = smoothing
        self._class_weights = class_weights
        self._weight: Tensor | None = None  # on the device of the outputs

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        from torch.nn import functional

        if self._class_weights and self._weight is None:
            self._weight = outputs.new_tensor(self._class_weights)
        return functional.cross_entropy(
            outputs, targets, self._weight, label_smoothing=self._smoothing
        )


def _mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    from torch.nn import functional

    return functional.mse_loss(outputs.squeeze(1), targets)
