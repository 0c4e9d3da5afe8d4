"""The training loop: an iterator over each epoch's metrics that can be saved and resumed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainables.training.batches import batch_bounds, to_tensor
from trainables.training.config import TrainingConfig
from trainables.training.guard import DivergenceGuard
from trainables.training.inputs import inputs_on
from trainables.training.objective import Scores, objective_of, worst_by_chance
from trainables.training.optimizers import load_state, make_optimizer, set_rates, step
from trainables.training.passes import make_passes
from trainables.training.schedules import make_schedule

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData


@dataclass(frozen=True)
class EpochMetrics:
    """The scores of one epoch. Every number is finite, even if the training has diverged.

    Train scores come from the predictions made during the epoch, each before the optimiser step of
    its batch. Validation scores are those of the model at the end of the epoch.
    """

    epoch: int  # counted from 1
    train_loss: float  # cross entropy in nats, or mean squared error of the standardised target
    val_loss: float
    lr: float  # at the last step of the epoch
    momentum: float  # at the last step of the epoch; betas[0] of AdamW
    seconds: float  # wall time of the epoch, validation included
    values: Mapping[str, float]
    """train_accuracy or train_r2, and all METRICS of the task: val_accuracy, ..."""
    diverged: bool = False  # the training ended here, and these are the worst scores

    def as_dict(self) -> dict[str, float | int | bool]:
        """The metrics by name."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "values"}
        return {**plain, **self.values}


def fit(
    model: nn.Module,
    config: TrainingConfig,
    data: TrialData,
    *,
    max_epochs: int,
    seed: int,
    device: torch.device,
    cycle_ends: tuple[int, ...] = (),
    bf16: bool = False,
) -> Training:
    """Trains ``model`` in place, one epoch for each item of the iterator.

    ``model`` maps ``(n, *data.input_shape)`` to ``(n, data.n_classes)``; for a regression
    ``data.n_classes`` is 1. The model is moved to ``device``, where all of ``data`` stays too.
    ``max_epochs`` is the length that a policy plans for; the caller may stop earlier. With
    ``cycle_ends`` (in epochs) the one-cycle policy makes a chain of whole cycles; see
    :func:`trainables.training.schedules.make_schedule`. For ``bf16`` see
    :class:`trainables.training.passes.Passes`.

    If the loss explodes or is not a number, the training ends with one last item that is
    ``diverged`` and has the worst scores; nothing is raised. On a CPU there is no optimiser step
    for the batch that shows this; on a GPU there may be a few more steps, see
    :class:`trainables.training.guard.DivergenceGuard`.

    ``seed`` alone determines the order of the batches. Dropout draws from torch's global generator,
    which is seeded here: on the CPU the same model, config, data and seed give the same metrics,
    unless something else draws from that generator in between.
    """
    seed_torch(seed, device)
    return Training(model, config, data, max_epochs, seed, device, cycle_ends, bf16)


def seed_torch(seed: int, device: torch.device) -> None:
    """Seeds torch's global generators that a training on ``device`` draws from.

    For a CPU the generators of GPUs are not seeded, because this would take longer than a step.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


class Training(Iterator[EpochMetrics]):
    """A training between two epochs; see :func:`fit`."""

    def __init__(
        self,
        model: nn.Module,
        config: TrainingConfig,
        data: TrialData,
        max_epochs: int,
        seed: int,
        device: torch.device,
        cycle_ends: tuple[int, ...] = (),
        bf16: bool = False,
    ) -> None:
        self.model = model.to(device)
        self._max_epochs = max_epochs
        self._bounds = batch_bounds(len(data.x_train), config.batch_size)
        self._optimizer = make_optimizer(model, config)
        steps = len(self._bounds)
        self._schedule = make_schedule(config, steps, max_epochs * steps, cycle_ends)
        self._objective = objective_of(data, config.label_smoothing)
        self._y_train = to_tensor(data.y_train, device)
        self._passes = make_passes(
            self.model,
            self._objective.train_loss,
            inputs_on(device, data.x_train, data),
            self._y_train,
            batch_size=min(config.batch_size, len(data.x_train)),
            bf16=bf16,
        )
        self._x_val = inputs_on(device, data.x_val, data)
        self._y_val = to_tensor(data.y_val, device)
        self._shuffling = torch.Generator().manual_seed(seed)
        self._epoch = 0
        self._step = 0
        worst = worst_by_chance(data, data.y_train, config.batch_size)
        self._guard = DivergenceGuard(partial(self._objective.limit, by_chance=worst), device)
        self._rates = (0.0, 0.0)  # of the latest step
        self._diverged = False

    def __next__(self) -> EpochMetrics:
        if self._diverged or self._epoch >= self._max_epochs:
            raise StopIteration
        started = time.perf_counter()
        self._epoch += 1
        train = self._run_epoch()
        val = None if train is None else self._validate()
        if train is None or val is None:
            self._diverged = True
            train, val = self._objective.worst_at_a_glance, self._objective.worst
        lr, momentum = self._rates
        values = {f"train_{name}": value for name, value in train.values.items()}
        values |= {f"val_{name}": value for name, value in val.values.items()}
        return EpochMetrics(
            epoch=self._epoch,
            train_loss=train.loss,
            val_loss=val.loss,
            lr=lr,
            momentum=momentum,
            seconds=time.perf_counter() - started,
            values=values,
            diverged=self._diverged,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that the following epochs depend on, torch's global generators included.

        It consists of tensors and numbers, and can be loaded with ``weights_only=True``.
        """
        return {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "epoch": self._epoch,
            "step": self._step,
            "limit": self._guard.limit,
            "shuffling": self._shuffling.get_state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resumes from ``state``. With the same config, data and seed the training goes on as if it
        had not been interrupted.

        The learning rate, momentum and weight decay come from this training's own config, so that
        they can be changed between two epochs. Raises ``RuntimeError`` for the state of another
        network.
        """
        self.model.load_state_dict(state["model"])
        decays = [group["weight_decay"] for group in self._optimizer.param_groups]
        load_state(self._optimizer, state["optimizer"])
        for group, decay in zip(self._optimizer.param_groups, decays, strict=True):
            group["weight_decay"] = decay
        self._epoch = state["epoch"]
        self._step = state["step"]
        self._guard.limit = state["limit"]
        self._shuffling.set_state(state["shuffling"])
        torch.set_rng_state(state["random"])
        if state["random_cuda"] and torch.cuda.is_initialized():
            torch.cuda.set_rng_state_all(state["random_cuda"][: torch.cuda.device_count()])

    def _run_epoch(self) -> Scores | None:
        """Trains on every batch once. Returns the scores, or None if the training diverged."""
        self.model.train()
        order = torch.randperm(len(self._y_train), generator=self._shuffling)
        order = order.to(self._y_train.device)
        outputs = []
        for start, end in self._bounds:
            output = self._run_batch(order[start:end])
            if output is None:
                return None
            outputs.append(output)
        if self._guard.has_exploded():
            return None
        # Scored once an epoch: for each small batch the scores would cost as much as the training.
        targets = self._y_train[order[: self._bounds[-1][1]]]
        return self._objective.glance(torch.cat(outputs), targets)

    def _run_batch(self, batch: Tensor) -> Tensor | None:
        """One optimiser step on the samples of ``batch``. Returns their outputs before the step."""
        self._rates = self._schedule(self._step)
        output, loss = self._passes.forward(batch)
        if self._guard.explodes(loss):
            return None
        self._passes.backward()
        set_rates(self._optimizer, *self._rates)
        step(self._optimizer)
        self._step += 1
        return output

    @torch.no_grad()
    def _validate(self) -> Scores | None:
        """The scores on the validation data, or None if the loss is not below the worst loss."""
        self.model.eval()
        outputs = torch.cat([self._passes.predict(x) for x in self._x_val.parts()])
        scores = self._objective.judge(outputs, self._y_val)
        # The limit of the training loss does not apply: in the first epochs, the running means of
        # batch normalisation can make one validation bad although the training recovers.
        return scores if scores.loss < self._objective.worst_loss else None
