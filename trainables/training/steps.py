"""Optimiser steps as in a training, to measure their time and memory."""

from __future__ import annotations

import gc
import math
import statistics
import time
from typing import TYPE_CHECKING

import torch

from trainables.device.step_memory import step_memory
from trainables.training.batches import to_tensor
from trainables.training.config import TrainingConfig
from trainables.training.guard import DivergenceGuard
from trainables.training.inputs import Inputs, inputs_on
from trainables.training.objective import objective_of
from trainables.training.optimizers import make_optimizer, step, zero_grad
from trainables.training.passes import Passes, make_passes

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData

WARM_UP = 2  # steps that are not timed: the first ones allocate
# At least so many steps and so much time: a median needs several steps, and other work of the
# machine may take longer than a step on a small batch.
TIMED_STEPS = 5
TIMED_SECONDS = 0.1
GPU_ROUND = 32  # steps timed together on a GPU: a training waits for the GPU just as rarely


class Steps:
    """Optimiser steps as in a training, on the first samples of the shuffled train split."""

    def __init__(
        self,
        model: torch.nn.Module,
        config: TrainingConfig,
        data: TrialData,
        seed: int,
        device: torch.device,
        bf16: bool = False,
    ) -> None:
        self._device = device
        self._model = model.to(device).train()
        self._optimizer = make_optimizer(model, config)
        self._objective = objective_of(data)
        self._guard = DivergenceGuard(lambda first: math.inf, device)  # it checks as in a training
        self._x = inputs_on(device, data.x_train, data)
        self._y = to_tensor(data.y_train, device)
        self._bf16 = bf16
        self._passes: Passes | None = None
        self._batch = torch.empty(0)  # the batch that these passes are for
        shuffling = torch.Generator().manual_seed(seed)
        self._order = torch.randperm(len(self._x), generator=shuffling).to(device)

    def memory(self, batch_size: int) -> int:
        """Bytes that a step needs."""
        return step_memory(
            lambda: self.step(batch_size), self._model, self._optimizer, self._device
        )

    def samples_per_second(self, batch_size: int) -> float:
        """The median speed of some rounds of steps after a warm-up. On a CPU a round is a step."""
        for _ in range(WARM_UP):
            self.step(batch_size)
        self.wait()
        steps = 1 if self._device.type == "cpu" else GPU_ROUND
        seconds: list[float] = []
        while len(seconds) < TIMED_STEPS or sum(seconds) < TIMED_SECONDS:
            started = time.perf_counter()
            for _ in range(steps):
                self.step(batch_size)
            self.wait()
            seconds.append(time.perf_counter() - started)
        return batch_size * steps / statistics.median(seconds)

    def predict(self, x: Inputs) -> None:
        """A forward pass on all of ``x``, in parts. It returns when the device has finished."""
        assert self._passes is not None  # a step came first
        self._model.eval()
        for part in x.parts():
            self._passes.predict(part)
        self._model.train()
        self.wait()

    def clear(self) -> None:
        """Frees the memory that a failed step still holds."""
        self._passes = None
        zero_grad(self._optimizer)
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def step(self, batch_size: int) -> None:
        """One forward and backward pass and optimiser step. A GPU may finish it later."""
        passes = self._passes_of(batch_size)
        _, loss = passes.forward(self._batch)
        self._guard.explodes(loss)
        passes.backward()
        step(self._optimizer)

    def wait(self) -> None:
        """Waits until all steps are finished."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _passes_of(self, batch_size: int) -> Passes:
        batch_size = min(batch_size, len(self._y))  # a training's batch is no larger
        if self._passes is None or len(self._batch) != batch_size:
            self._passes = None  # freed first, because both may not fit into memory together
            self._batch = self._order[:batch_size]
            self._passes = make_passes(
                self._model,
                self._objective.loss,
                self._x,
                self._y,
                batch_size=batch_size,
                bf16=self._bf16,
            )
        return self._passes
