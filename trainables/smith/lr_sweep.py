"""A training with its own learning rate for every iteration. It leaves the model unchanged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from trainables.training.batches import EVALUATION_BATCH, batch_bounds, to_tensor
from trainables.training.config import TrainingConfig
from trainables.training.objective import objective_of
from trainables.training.optimizers import make_optimizer, set_rates, step, zero_grad

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData

Growth: TypeAlias = Literal["linear", "exponential"]

EXPLOSION = 4.0  # times its best: a higher smoothed loss ends the sweep, as in fastai's lr_find
SMOOTHING = 0.9  # of the running mean that is compared with EXPLOSION
VALIDATIONS = 50
VALIDATION_SAMPLES = 2048  # at most: more would make the sweep longer, not the curve better


@dataclass(frozen=True)
class Validation:
    """Scores on the validation data after the optimiser step of an iteration."""

    iteration: int  # counted from 0
    lr: float
    loss: float
    quality: float


@dataclass(frozen=True)
class RangeTest:
    """The result of one sweep.

    The train scores of an iteration are those of its batch before the optimiser step. The last
    train loss is NaN or infinite if that ended the sweep; all others are finite.
    """

    growth: Growth
    low: float  # the learning rate of the first iteration
    high: float  # of the last iteration, if the sweep does not end early
    iterations: int  # as planned
    iterations_per_epoch: int
    quality_name: str  # "accuracy" or "r2"
    lrs: tuple[float, ...]
    train_losses: tuple[float, ...]  # cross entropy in nats, or MSE of the standardised target
    train_qualities: tuple[float, ...]  # of single batches
    validations: tuple[Validation, ...]
    stopped: str  # why the sweep ended before ``high``; empty if it did not

    def as_dict(self) -> dict[str, Any]:
        """Every field by name, for JSON: a loss that is not finite becomes None."""
        losses = [loss if math.isfinite(loss) else None for loss in self.train_losses]
        return {**asdict(self), "train_losses": losses}


def sweep(
    model: nn.Module,
    config: TrainingConfig,
    data: TrialData,
    *,
    growth: Growth,
    lrs: Sequence[float],
    seed: int,
    device: torch.device,
) -> RangeTest:
    """Trains ``model`` with one of ``lrs`` after the other; see
    :func:`trainables.smith.lr_range_test.run_range_test`.

    The model is moved to ``device``. Afterwards its parameters and buffers and torch's global
    generators are as they were before, even if an error ends the sweep.
    """
    model.to(device)
    with kept_generators(device), _kept_model(model):
        torch.manual_seed(seed)
        return _Sweep(model, config, data, growth, lrs, seed, device).run()


class _Sweep:
    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        data: TrialData,
        growth: Growth,
        lrs: Sequence[float],
        seed: int,
        device: torch.device,
    ) -> None:
        self._model = model
        self._momentum = config.momentum
        self._optimizer = make_optimizer(model, config)
        self._objective = objective_of(data, config.label_smoothing)
        self._x_train = to_tensor(data.x_train, device)
        self._y_train = to_tensor(data.y_train, device)
        self._x_val = to_tensor(data.x_val[:VALIDATION_SAMPLES], device)
        self._y_val = to_tensor(data.y_val[:VALIDATION_SAMPLES], device)
        self._bounds = batch_bounds(len(data.x_train), config.batch_size)
        self._shuffling = torch.Generator().manual_seed(seed)
        self._growth = growth
        self._lrs = lrs

    def run(self) -> RangeTest:
        losses: list[float] = []
        qualities: list[float] = []
        validations: list[Validation] = []
        guard = _Guard()
        every = -(-len(self._lrs) // VALIDATIONS)
        for iteration, (lr, batch) in enumerate(zip(self._lrs, self._batches(), strict=False)):
            loss, quality = self._step(lr, batch)
            losses.append(loss)
            qualities.append(quality)
            if guard.stops(loss):
                break
            if iteration % every == every - 1:
                validations += self._validate(iteration, lr)
        return RangeTest(
            growth=self._growth,
            low=self._lrs[0],
            high=self._lrs[-1],
            iterations=len(self._lrs),
            iterations_per_epoch=len(self._bounds),
            quality_name=self._objective.quality_name,
            lrs=tuple(self._lrs[: len(losses)]),
            train_losses=tuple(losses),
            train_qualities=tuple(qualities),
            validations=tuple(validations),
            stopped=guard.reason,
        )

    def _batches(self) -> Iterator[Tensor]:
        """The rows of each batch, one shuffled epoch after the other, endlessly."""
        while True:
            order = torch.randperm(len(self._x_train), generator=self._shuffling)
            order = order.to(self._x_train.device)
            yield from (order[start:end] for start, end in self._bounds)

    def _step(self, lr: float, batch: Tensor) -> tuple[float, float]:
        """Loss and quality of the batch, then an optimiser step if the loss is finite."""
        self._model.train()
        output = self._model(self._x_train[batch])
        targets = self._y_train[batch]
        value = self._objective.loss(output.detach(), targets).item()
        quality = self._objective.quality(output.detach(), targets)
        if math.isfinite(value):
            zero_grad(self._optimizer)
            self._objective.train_loss(output, targets).backward()
            set_rates(self._optimizer, lr, self._momentum)
            step(self._optimizer)
        return value, quality

    @torch.no_grad()
    def _validate(self, iteration: int, lr: float) -> list[Validation]:
        """One point of the validation curve, or none if its loss is not finite."""
        self._model.eval()
        outputs = torch.cat([self._model(x) for x in torch.split(self._x_val, EVALUATION_BATCH)])
        scores = self._objective.judge(outputs, self._y_val)
        if not math.isfinite(scores.loss):
            return []
        quality = scores.values[self._objective.quality_name]
        return [Validation(iteration, lr, scores.loss, quality)]


class _Guard:
    """Follows the running mean of the loss and tells when it has exploded."""

    def __init__(self) -> None:
        self.reason = ""
        self._sum = 0.0
        self._weight = 0.0
        self._best = math.inf

    def stops(self, loss: float) -> bool:
        self._sum = SMOOTHING * self._sum + (1 - SMOOTHING) * loss
        self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)
        mean = self._sum / self._weight
        self._best = min(self._best, mean)
        if not math.isfinite(loss):
            self.reason = f"the training loss is {loss}"
        elif not mean <= EXPLOSION * self._best:
            self.reason = (
                f"the smoothed training loss is {mean:.3g}, "
                f"over {EXPLOSION:g} times its best, {self._best:.3g}"
            )
        return bool(self.reason)


@contextmanager
def kept_generators(device: torch.device) -> Iterator[None]:
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        yield


@contextmanager
def _kept_model(model: nn.Module) -> Iterator[None]:
    tensors = [*model.parameters(), *model.buffers()]
    before = [tensor.detach().clone() for tensor in tensors]
    training = model.training
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, before, strict=True):
                tensor.copy_(value)
        model.zero_grad()
        model.train(training)
