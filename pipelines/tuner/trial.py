"""A trial on the cluster: the only place where a trainable meets Ray."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from pyarrow.fs import FileSystem
from ray import tune
from ray.tune.result import DONE, RESULT_DUPLICATE
from torch import nn

from pipelines.cluster import notice
from pipelines.cluster.sharing import assigned_gpus
from pipelines.tuner.attempts import LeavingError, MemoryHeldError, unpack
from search_spaces import Config
from trainables.data.datasets import TrialData
from trainables.device import gpu
from trainables.device.share import claim_device, set_threads
from trainables.training.metrics import METRICS

Metrics: TypeAlias = Mapping[str, float | int | bool]
# trainable(config, data, max_epochs=, seed=, device=) yields each epoch's metrics and the model.
# An iterator that is Resumable lets its trial be paused, and go on after its machine was lost.
Trainable: TypeAlias = Callable[..., Iterator[tuple[Metrics, nn.Module | None]]]

WEIGHTS = "weights.pt"  # of the best epoch
TRAINING = "training.pt"  # what the training goes on from
FINISHED = "finished"  # the trainable ended by itself; Ray's own "done" is also set by schedulers
HAS_WEIGHTS = "has_weights"
NOTICE = "notice"  # the trial's machine is about to be taken away
METRIC_VALUES = "metric_values"  # all that the trainable reported, apart from what Ray adds


@runtime_checkable
class Resumable(Protocol):
    """A training whose state can be saved and loaded, as torch's modules and optimisers do."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class TrialSettings:
    """What all trials of a study share, beside the data."""

    trainable: Trainable
    metric: str
    max_epochs: int
    cpus: float
    storage: str  # where checkpoints lie: an absolute path, or a URI
    must_resume: bool = False  # the scheduler pauses trials


class StudyTrial(tune.Trainable):
    """One step is one epoch. An actor is reused: a new config makes a new model, not a process."""

    def setup(self, config: Config, settings: TrialSettings, data: TrialData) -> None:
        self._settings = settings
        self._data = data
        set_threads(settings.cpus)
        self._start(config)

    def reset_config(self, new_config: Config) -> bool:
        """Ray ends an actor that raises here, and the trial starts in another.

        Raises ``LeavingError`` on a machine that is about to go, and ``MemoryHeldError`` where the
        trial before still holds memory of the GPU.
        """
        if notice.is_given():
            raise LeavingError
        if held := self._release():
            raise MemoryHeldError(held)
        self._start(new_config)
        return True

    def _start(self, packed: Config) -> None:
        settings = self._settings
        self._config, attempt = unpack(packed)
        self._model: nn.Module | None = None
        self._epoch = 0
        self._best: float | None = None
        self._best_weights: dict[str, torch.Tensor] = {}
        self._epochs = settings.trainable(
            self._config,
            self._data,
            max_epochs=settings.max_epochs,
            seed=attempt.seed,
            device=claim_device(assigned_gpus()),
        )
        if settings.must_resume and not isinstance(self._epochs, Resumable):
            raise TypeError(
                "the scheduler pauses trials, but the trainable's iterator has no state_dict and "
                "load_state_dict"
            )
        if attempt.checkpoint is not None:
            filesystem, _ = FileSystem.from_uri(settings.storage)
            with tune.Checkpoint(attempt.checkpoint, filesystem).as_directory() as folder:
                self.load_checkpoint(folder)

    def _release(self) -> int:
        """Give the device's memory back to the trials that share it; the bytes that stay."""
        self._model = None
        self._best_weights = {}
        self._epochs = iter(())
        return gpu.release()

    def step(self) -> dict[str, Any]:
        try:
            metrics, self._model = next(self._epochs)
        except StopIteration:
            if self._epoch == 0:
                raise RuntimeError("the trainable ended without yielding an epoch") from None
            return {DONE: True, RESULT_DUPLICATE: True}
        self._epoch += 1
        result = report(metrics, self._epoch, self._settings)
        self._keep_best(result[self._settings.metric])
        return {**result, HAS_WEIGHTS: self._model is not None, NOTICE: notice.is_given()}

    def _keep_best(self, value: float) -> None:
        """A later epoch may be saved to go on from, but the best one's weights are the result."""
        if self._best is None or METRICS[self._settings.metric].better(value, self._best):
            self._best = value
            weights = {} if self._model is None else self._model.state_dict()
            self._best_weights = {name: t.detach().clone() for name, t in weights.items()}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """The best weights alone, on the CPU, and the state to go on from: both loadable with
        ``weights_only=True``."""
        folder = Path(checkpoint_dir)
        torch.save({name: t.cpu() for name, t in self._best_weights.items()}, folder / WEIGHTS)
        if isinstance(self._epochs, Resumable):
            state = {
                "config": self._config,
                "epoch": self._epoch,
                "best": self._best,
                "training": self._epochs.state_dict(),
            }
            torch.save(state, folder / TRAINING)

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        """Go on from there; a trainable that cannot starts from its first epoch: it is seeded."""
        folder = Path(checkpoint_dir)
        if not isinstance(self._epochs, Resumable):
            return
        # On the CPU: generators' states must be there, and the rest is copied to where it belongs.
        state = torch.load(folder / TRAINING, weights_only=True, map_location="cpu")
        self._epochs.load_state_dict(state["training"])
        self._epoch = state["epoch"]
        if state["config"] == self._config:  # otherwise it is another trial's, taken over
            self._best = state["best"]
            self._best_weights = torch.load(folder / WEIGHTS, weights_only=True)

    def cleanup(self) -> None:
        self._release()


def report(metrics: Metrics, epoch: int, settings: TrialSettings) -> dict[str, Any]:
    """What Ray is told of an epoch: finite numbers only. A metric that is not finite, or a
    trainable's own word, makes the trial diverged, with the metric's worst score.

    Raises ``ValueError`` where the metric searched for is missing.
    """
    if settings.metric not in metrics:
        raise ValueError(
            f"the trainable yields no '{settings.metric}', but `metric` asks for it: "
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
