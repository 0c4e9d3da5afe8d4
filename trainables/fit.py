"""The one training loop: a generator of the metrics of each epoch."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.config import TrainingConfig
from trainables.metrics import DIVERGED_LOSS, METRICS
from trainables.schedules import Schedule, make_schedule

if TYPE_CHECKING:
    from trainables.datasets import TrialData

# A training has diverged at this many times the loss of its first batch (or of chance, where that
# is more). AdamW's first steps can multiply the loss by 60 in trainings that then do well. Of 120
# MLPs on digits, wine and diabetes, at learning rates from 0.01 to 1, this stops 34 of the 42 that
# learnt nothing and 3 of the 78 that learnt something; 20 would stop 37 and 11.
EXPLOSION = 100.0
WORST_ACCURACY = METRICS["val_accuracy"].worst
WORST_R2 = METRICS["val_r2"].worst
EVALUATION_BATCH = 512  # bounds the memory of the activations, and is large enough to be fast


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch achieved. Every number is finite, of a diverged training too.

    Train scores are those of the predictions made during the epoch, each before its batch's
    optimiser step; validation scores are those of the model at the end of the epoch.
    """

    epoch: int  # counted from 1
    train_loss: float  # cross entropy in nats, or mean squared error of the standardised target
    val_loss: float
    lr: float  # at the last step of the epoch
    momentum: float  # at the last step of the epoch; betas[0] of AdamW
    seconds: float  # wall time of the epoch, validation included
    train_accuracy: float | None = None  # in [0, 1]; None for regression
    val_accuracy: float | None = None
    train_r2: float | None = None  # at most 1; None for classification
    val_r2: float | None = None
    diverged: bool = False  # the training ended here, and the scores are the worst ones

    def as_dict(self) -> dict[str, float | int | bool]:
        """The metrics by name, without those that the task does not have."""
        return {name: value for name, value in asdict(self).items() if value is not None}


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


def fit(
    model: nn.Module,
    config: TrainingConfig,
    data: TrialData,
    *,
    max_epochs: int,
    seed: int,
    device: torch.device,
) -> Iterator[EpochMetrics]:
    """Trains ``model`` in place, one epoch for each item asked of the iterator.

    ``model`` maps ``(n, *data.input_shape)`` to ``(n, data.n_classes)``, where regression has one
    class; it is moved to ``device``, on which the whole of ``data`` stays. ``max_epochs`` is the
    length that the one-cycle policy plans for; the caller may stop earlier.

    A training whose loss explodes or is not a number ends with one last item, ``diverged``, which
    has the worst scores; it raises nothing. The batch that shows it makes no optimiser step.

    ``seed`` alone decides the order of the batches. Dropout draws from torch's global generator,
    which is seeded here: on the CPU the same model, config, data and seed give the same metrics,
    unless something else draws from that generator in between.
    """
    torch.manual_seed(seed)
    training = _Training.start(model, config, data, max_epochs, seed, device)
    for epoch in range(1, max_epochs + 1):
        started = time.perf_counter()
        train = training.run_epoch()
        val = None if train is None else training.validate()
        if train is None or val is None:
            worst = training.objective.worst
            yield _metrics(training, epoch, worst, worst, started, diverged=True)
            return
        yield _metrics(training, epoch, train, val, started)


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser of ``config``; its learning rate and momentum are those of the start."""
    # fused, because one kernel for all parameters takes a half (SGD) to a third (AdamW) of the time
    # of the default on one CPU core: 26 against 54 us and 51 against 140 us a step for 64-64-10.
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=True,
        )
    return torch.optim.AdamW(
        model.parameters(),
        lr=config.lr,
        betas=(config.momentum, 0.999),
        weight_decay=config.weight_decay,
        fused=True,
    )


def set_rates(optimizer: torch.optim.Optimizer, lr: float, momentum: float) -> None:
    """Sets the learning rate and the momentum (betas[0] where there are betas)."""
    for group in optimizer.param_groups:
        group["lr"] = lr
        if "betas" in group:
            group["betas"] = (momentum, group["betas"][1])
        else:
            group["momentum"] = momentum


def batch_bounds(n_samples: int, batch_size: int) -> list[tuple[int, int]]:
    """Where each batch of an epoch starts and ends in the epoch's order.

    The last batch may be smaller, but a single sample is left out: batch normalisation has no
    variance for it.
    """
    bounds = [
        (start, min(start + batch_size, n_samples)) for start in range(0, n_samples, batch_size)
    ]
    start, end = bounds[-1]
    return bounds[:-1] if end - start == 1 < batch_size and len(bounds) > 1 else bounds


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


def to_tensor(array: np.ndarray, device: torch.device) -> Tensor:
    """``array`` on ``device``: on the CPU the same memory, which may be read-only."""
    with warnings.catch_warnings():
        # Nothing writes to it: batches are copies.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array).to(device)


@dataclass
class _Training:
    """The state of one training between two epochs."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    objective: Objective
    x_train: Tensor
    y_train: Tensor
    x_val: Tensor
    y_val: Tensor
    bounds: list[tuple[int, int]]
    shuffling: torch.Generator
    step: int = 0
    limit: float | None = None
    rates: tuple[float, float] = (0.0, 0.0)  # of the latest step

    @classmethod
    def start(
        cls,
        model: nn.Module,
        config: TrainingConfig,
        data: TrialData,
        max_epochs: int,
        seed: int,
        device: torch.device,
    ) -> _Training:
        bounds = batch_bounds(len(data.x_train), config.batch_size)
        model.to(device)
        return cls(
            model=model,
            optimizer=make_optimizer(model, config),
            schedule=make_schedule(config, len(bounds), max_epochs * len(bounds)),
            objective=objective_of(data),
            x_train=to_tensor(data.x_train, device),
            y_train=to_tensor(data.y_train, device),
            x_val=to_tensor(data.x_val, device),
            y_val=to_tensor(data.y_val, device),
            bounds=bounds,
            shuffling=torch.Generator().manual_seed(seed),
        )

    def run_epoch(self) -> Scores | None:
        """Trains on every batch once; the scores, or None where the training diverged."""
        self.model.train()
        order = torch.randperm(len(self.x_train), generator=self.shuffling)
        order = order.to(self.x_train.device)
        outputs = []
        for start, end in self.bounds:
            output = self._run_batch(order[start:end])
            if output is None:
                return None
            outputs.append(output)
        # Judged once an epoch: on small batches the scores would cost as much as the training.
        return self.objective.judge(torch.cat(outputs), self.y_train[order[: self.bounds[-1][1]]])

    def _run_batch(self, batch: Tensor) -> Tensor | None:
        """One optimiser step on the samples of ``batch``; their outputs from before it."""
        self.rates = self.schedule(self.step)
        output: Tensor = self.model(self.x_train[batch])
        loss = self.objective.loss(output, self.y_train[batch])
        if self._explodes(loss.item()):
            return None
        self.optimizer.zero_grad()
        loss.backward()
        set_rates(self.optimizer, *self.rates)
        self.optimizer.step()
        self.step += 1
        return output.detach()

    def _explodes(self, loss: float) -> bool:
        if self.limit is None:
            self.limit = self.objective.limit(loss)
        return not loss < self.limit  # in this form NaN explodes

    @torch.no_grad()
    def validate(self) -> Scores | None:
        """The scores on the validation data, or None where the loss is not below the worst."""
        self.model.eval()
        outputs = torch.cat([self.model(x) for x in torch.split(self.x_val, EVALUATION_BATCH)])
        scores = self.objective.judge(outputs, self.y_val)
        # Not the limit of the training loss: early running means of batch normalisation can make
        # one validation bad in a training that recovers.
        return scores if scores.loss < DIVERGED_LOSS else None


def _metrics(
    training: _Training,
    epoch: int,
    train: Scores,
    val: Scores,
    started: float,
    diverged: bool = False,
) -> EpochMetrics:
    lr, momentum = training.rates
    name = training.objective.quality_name
    qualities = {f"train_{name}": train.quality, f"val_{name}": val.quality}
    return EpochMetrics(
        epoch=epoch,
        train_loss=train.loss,
        val_loss=val.loss,
        lr=lr,
        momentum=momentum,
        seconds=time.perf_counter() - started,
        diverged=diverged,
        **qualities,
    )


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
