"""Cross-validation in lockstep: one config trained on k folds, an epoch of each at a time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch
    from torch import nn

Metrics: TypeAlias = Mapping[str, float | int | bool]
Epochs: TypeAlias = "Iterator[tuple[Metrics, nn.Module | None]]"


@dataclass(frozen=True)
class CrossValidated:
    """A trainable of the folds of a data set, made of one of a single data set."""

    trainable: Callable[..., Epochs]

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
        all folds together. See :class:`Lockstep`."""
        trainings = [
            self.trainable(config, fold, max_epochs=max_epochs, seed=seed, device=device)
            for fold in folds
        ]
        resumable = all(
            hasattr(t, "state_dict") and hasattr(t, "load_state_dict") for t in trainings
        )
        return ResumableLockstep(trainings) if resumable else Lockstep(trainings)


class Lockstep(Iterator["tuple[dict[str, Any], nn.Module | None]"]):
    """Each item is one epoch of every training; it ends where the first of them ends.

    A metric is its mean over the folds; one that is called ``val_...`` has its sample standard
    deviation beside it, as ``val_..._std``. Where one fold has diverged, the config has, and
    where a number of one fold is not finite, the mean is not either.
    """

    def __init__(self, trainings: Sequence[Epochs]) -> None:
        self._trainings = trainings

    def __next__(self) -> tuple[dict[str, Any], nn.Module | None]:
        from torch import nn

        epochs = [next(training) for training in self._trainings]
        models = [model for _, model in epochs if model is not None]
        whole = nn.ModuleList(models) if len(models) == len(epochs) else None
        return summarise([metrics for metrics, _ in epochs]), whole


class ResumableLockstep(Lockstep):
    """With the states of all its trainings as its state."""

    def state_dict(self) -> dict[str, Any]:
        trainings: Sequence[Any] = self._trainings
        return {"folds": [training.state_dict() for training in trainings]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        trainings: Sequence[Any] = self._trainings
        for training, saved in zip(trainings, state["folds"], strict=True):
            training.load_state_dict(saved)


def summarise(folds: Sequence[Metrics]) -> dict[str, Any]:
    """The metrics of one epoch over the folds; see :class:`Lockstep`."""
    summary: dict[str, Any] = {}
    for name in folds[0]:
        values = [float(metrics[name]) for metrics in folds]
        if name == "epoch":
            summary[name] = int(values[0])
        elif name == "diverged":
            summary[name] = any(values)
        elif name == "seconds":
            summary[name] = sum(values)
        else:
            summary[name] = _mean(values)
        if name.startswith("val_"):
            summary[f"{name}_std"] = _deviation(values)
    return summary


def _mean(values: Sequence[float]) -> float:
    """NaN or infinite where one of them is."""
    return statistics.fmean(values) if _all_finite(values) else sum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    """Of a sample; NaN where one of them is not finite."""
    return statistics.stdev(values) if _all_finite(values) else math.nan


def _all_finite(values: Sequence[float]) -> bool:
    return math.isfinite(sum(values))  # so is every one of them, and what fmean adds up
