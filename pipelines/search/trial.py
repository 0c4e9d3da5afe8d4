"""A trial on the cluster: the only place where a trainable meets Ray."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from ray import tune
from ray.tune.result import DONE, RESULT_DUPLICATE
from torch import nn

from search_spaces import Config
from trainables.datasets import TrialData
from trainables.device import pick_device, set_threads
from trainables.metrics import METRICS

Metrics: TypeAlias = Mapping[str, float | int | bool]
# trainable(config, data, max_epochs=, seed=, device=) yields each epoch's metrics and the model.
Trainable: TypeAlias = Callable[..., Iterator[tuple[Metrics, nn.Module | None]]]

WEIGHTS = "weights.pt"
FINISHED = "finished"  # the trainable ended by itself; Ray's own "done" is also set by schedulers
HAS_WEIGHTS = "has_weights"
METRIC_VALUES = "metric_values"  # all that the trainable reported, apart from what Ray adds


@dataclass(frozen=True)
class TrialSettings:
    """What all trials of a study share, beside the data."""

    trainable: Trainable
    metric: str
    max_epochs: int
    seed: int
    cpus: float
    gpus: float


class StudyTrial(tune.Trainable):
    """One step is one epoch. An actor is reused: a new config makes a new model, not a process."""

    def setup(self, config: Config, settings: TrialSettings, data: TrialData) -> None:
        self._settings = settings
        self._data = data
        set_threads(settings.cpus)
        self._start(config)

    def reset_config(self, new_config: Config) -> bool:
        self._release()
        self._start(new_config)
        return True

    def _start(self, config: Config) -> None:
        settings = self._settings
        self._model: nn.Module | None = None
        self._epoch = 0
        self._epochs = settings.trainable(
            config,
            self._data,
            max_epochs=settings.max_epochs,
            seed=settings.seed,
            device=pick_device(settings.gpus),
        )

    def _release(self) -> None:
        """Give the device's memory back to the trials that share it."""
        self._model = None
        self._epochs = iter(())
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def step(self) -> dict[str, Any]:
        try:
            metrics, self._model = next(self._epochs)
        except StopIteration:
            if self._epoch == 0:
                raise RuntimeError("the trainable ended without yielding an epoch") from None
            return {DONE: True, RESULT_DUPLICATE: True}
        self._epoch += 1
        result = report(metrics, self._epoch, self._settings)
        return {**result, HAS_WEIGHTS: self._model is not None}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """The weights alone, on the CPU, loadable with ``weights_only=True``."""
        weights = {} if self._model is None else self._model.state_dict()
        cpu = {name: tensor.detach().cpu() for name, tensor in weights.items()}
        torch.save(cpu, Path(checkpoint_dir) / WEIGHTS)

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """A trial that is run again starts from its first epoch: it is seeded."""

    def cleanup(self) -> None:
        self._release()


def report(metrics: Metrics, epoch: int, settings: TrialSettings) -> dict[str, Any]:
    """What Ray is told of an epoch: finite numbers only. A metric that is not finite, or a
    trainable's own word, makes the trial diverged, with the metric's worst score.

    Raises ``ValueError`` where the metric searched for is missing.
    """
    if settings.metric not in metrics:
        raise ValueError(
            f"the trainable yields no '{settings.metric}', but --metric asks for it: "
            f"it yields {', '.join(metrics) or 'nothing'}"
        )
    numbers = {k: v if isinstance(v, bool | int) else float(v) for k, v in metrics.items()}
    finite = {k: v for k, v in numbers.items() if math.isfinite(v)}
    diverged = bool(metrics.get("diverged", False)) or settings.metric not in finite
    if diverged:
        finite[settings.metric] = METRICS[settings.metric].worst
    epoch = int(finite.get("epoch", epoch))
    last = diverged or epoch >= settings.max_epochs
    return {
        "epoch": epoch,
        "diverged": diverged,
        settings.metric: finite[settings.metric],
        METRIC_VALUES: {k: v for k, v in finite.items() if k not in ("epoch", "diverged")},
        FINISHED: last,
        DONE: last,
    }
