"""What a training needs on a device: its memory, and the time of an epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from trainables.training.batches import batch_bounds
from trainables.training.inputs import inputs_on
from trainables.training.optimizers import OPTIMIZERS
from trainables.training.steps import WARM_UP, Steps

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData
    from trainables.networks.network import Network

_SLOW = 1.0  # seconds of a step beside which allocating memory is nothing


def footprint(network: Network, config: Mapping[str, object], data: TrialData) -> int:
    """How many numbers a training step holds: weights, gradients, the optimiser's state and the
    outputs of every layer. Nothing is computed to find this, and it is used to sort configs."""
    outputs = 0

    def count(layer: nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal outputs
        outputs += output.numel()

    with torch.device("meta"):
        checked, model = network.build(config, data)
        for layer in model.modules():
            if not list(layer.children()):
                layer.register_forward_hook(count)
        model(torch.empty(min(checked.batch_size, len(data.x_train)), *data.input_shape))
    states = OPTIMIZERS[checked.optimizer].states
    return sum(p.numel() for p in model.parameters()) * (2 + states) + outputs


class Workload:
    """The optimiser steps of one training, or of a training on each of several ``folds`` in turn.

    Raises whatever :meth:`Network.build` raises, and runs out of memory as a training does.
    """

    def __init__(
        self,
        network: Network,
        config: Mapping[str, object],
        folds: Sequence[TrialData],
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        torch.manual_seed(seed)
        self._device = device
        self._trainings: list[tuple[Steps, int]] = []  # each with its batch size
        self._epoch = 0  # steps of an epoch over all folds
        # Trials hold the validation inputs too.
        self._validation = [inputs_on(device, fold.x_val, fold) for fold in folds]
        for fold in folds:
            checked, model = network.build(config, fold)
            steps = Steps(model, checked, fold, seed, device, bf16=network.in_bf16(device))
            self._trainings.append((steps, checked.batch_size))
            self._epoch += len(batch_bounds(len(fold.x_train), checked.batch_size))

    def memory(self) -> int:
        """The peak in bytes; see :func:`trainables.device.step_memory.step_memory`."""
        needed = [steps.memory(batch) for steps, batch in self._trainings]
        # On a GPU each value is the peak of all memory there, the other folds included.
        return max(needed) if self._device.type == "cuda" else sum(needed)

    def warm_up(self) -> None:
        """Makes the first steps, in which memory is allocated; only one if it takes longer than
        that."""
        started = time.perf_counter()
        for _ in range(WARM_UP):
            self._step()
            if time.perf_counter() - started > _SLOW:
                break
        self._wait()

    def epoch_seconds(self, seconds: float) -> float:
        """The time of an epoch with its validation, measured on steps for at least ``seconds``."""
        started, rounds = time.perf_counter(), 0
        while rounds == 0 or time.perf_counter() - started < seconds:
            self._step()
            rounds += 1
        self._wait()
        of_a_step = (time.perf_counter() - started) / (rounds * len(self._trainings))
        return of_a_step * self._epoch + self._validation_seconds()

    @torch.no_grad()
    def _validation_seconds(self) -> float:
        started = time.perf_counter()
        for (steps, _), x in zip(self._trainings, self._validation, strict=True):
            steps.predict(x)
        return time.perf_counter() - started

    def _step(self) -> None:
        for steps, batch in self._trainings:
            steps.step(batch)

    def _wait(self) -> None:
        for steps, _ in self._trainings:
            steps.wait()
