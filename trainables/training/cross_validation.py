"""Cross-validation in lockstep: trains one config on k folds, one epoch on each in turn."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainables.training.trainable import (
    Epochs,
    Metrics,
    Trainable,
    check_epochs,
    metrics_and_model,
    number,
)

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class CrossValidated:
    """Makes a trainable for the folds of a data set from a trainable for a single data set."""

    trainable: Trainable

    def __call__(
        self,
        config: Mapping[str, object],
        folds: Sequence[object],
        *,
        max_epochs: int,
        seed: int,
        device: torch.device,
    ) -> Lockstep:
        """Yields the mean over the folds of each epoch's metrics, their spread, and the models of
        all folds together. See :class:`Lockstep`.

        Raises ``TypeError`` if the trainable returns something that yields nothing.
        """
        trainings = [
            self.trainable(config, fold, max_epochs=max_epochs, seed=seed, device=device)
            for fold in folds
        ]
        resumable = all(
            hasattr(t, "state_dict") and hasattr(t, "load_state_dict") for t in trainings
        )
        return ResumableLockstep(trainings) if resumable else Lockstep(trainings)


class Lockstep(Iterator["tuple[dict[str, Any], nn.Module | None]"]):
    """Each item is one epoch of every training. The iterator ends when the first training ends.

    Each metric is the mean over the folds. A metric named ``val_...`` also gets its sample standard
    deviation, as ``val_..._std``. If one fold diverges, the config counts as diverged. If a number
    of one fold is not finite, the mean is not finite either.
    """

    def __init__(self, trainings: Sequence[Epochs]) -> None:
        for training in trainings:
            check_epochs(training)
        self._trainings = trainings

    def __next__(self) -> tuple[dict[str, Any], nn.Module | None]:
        from torch import nn

        epochs = [metrics_and_model(next(training)) for training in self._trainings]
        models = [model for _, model in epochs if model is not None]
        whole = nn.ModuleList(models) if len(models) == len(epochs) else None
        return summarise([metrics for metrics, _ in epochs]), whole


class ResumableLockstep(Lockstep):
    """Its state consists of the states of all its trainings."""

    def state_dict(self) -> dict[str, Any]:
        trainings: Sequence[Any] = self._trainings
        return {"folds": [training.state_dict() for training in trainings]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        trainings: Sequence[Any] = self._trainings
        for training, saved in zip(trainings, state["folds"], strict=True):
            training.load_state_dict(saved)


def summarise(folds: Sequence[Metrics]) -> dict[str, Any]:
    """The metrics of one epoch over the folds; see :class:`Lockstep`.

    Raises ``TypeError`` for a metric that is not a number, and ``ValueError`` if only some folds
    have a metric although none has diverged and all numbers are finite.
    """
    summary: dict[str, Any] = {"diverged": any(metrics.get("diverged", False) for metrics in folds)}
    for name, values in _by_name(folds).items():
        if name == "epoch":
            summary[name] = int(values[0])
        elif name == "seconds":
            summary[name] = sum(values)
        else:
            summary[name] = _mean(values)
        if name.startswith("val_"):
            summary[f"{name}_std"] = _deviation(values)
    return summary


def _by_name(folds: Sequence[Metrics]) -> dict[str, list[float]]:
    """The metrics that all folds have, each with its values. A fold that diverges may have fewer
    metrics than the others."""
    numbers = [
        {name: float(number(name, value)) for name, value in fold.items() if name != "diverged"}
        for fold in folds
    ]
    names = [name for name in numbers[0] if all(name in fold for fold in numbers)]
    partial = {name: None for fold in numbers for name in fold if name not in names}
    sound = all(_all_finite(list(fold.values())) for fold in numbers)
    if partial and sound and not any(fold.get("diverged", False) for fold in folds):
        raise ValueError(
            "the trainable must yield the same metrics for every fold, but only some have "
            f"{', '.join(partial)}"
        )
    return {name: [fold[name] for fold in numbers] for name in names}


def _mean(values: Sequence[float]) -> float:
    """The mean; NaN or infinite if one of ``values`` is."""
    return statistics.fmean(values) if _all_finite(values) else sum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    """The sample standard deviation; NaN if one of ``values`` is not finite."""
    return statistics.stdev(values) if _all_finite(values) else math.nan


def _all_finite(values: Sequence[float]) -> bool:
    return math.isfinite(sum(values))  # then every value is finite, and so is the sum in fmean
