"""The batch size test: how fast and how large a training step is as its batch doubles.

Smith 2018 (arXiv 1803.09820, section 4.2): a batch as large as the memory allows, judged with the
time that the training takes.
"""

from __future__ import annotations

import gc
import itertools
import math
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from trainables.device.byte_sizes import format_bytes
from trainables.device.step_memory import step_memory
from trainables.smith.batch_size_rule import knee
from trainables.training.batches import to_tensor
from trainables.training.config import TrainingConfig, check_number
from trainables.training.guard import DivergenceGuard
from trainables.training.inputs import Inputs, inputs_on
from trainables.training.objective import objective_of
from trainables.training.optimizers import make_optimizer, step, zero_grad
from trainables.training.passes import Passes, make_passes

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData
    from trainables.networks.network import Network

SMALLEST = 8
WARM_UP = 2  # steps that are not timed: the first ones allocate
# Both at least: a median needs several steps, and those of a small batch take less than what else
# the machine does in between.
TIMED_STEPS = 5
TIMED_SECONDS = 0.1
GPU_ROUND = 32  # steps that are timed together on a GPU: a training waits for it as seldom
# What CUDA's allocator and its libraries say, and what the CPU's does where the machine refuses.
_OUT_OF_MEMORY = (
    *("out of memory", "status_alloc_failed"),
    *("can't allocate memory", "not enough memory"),
)


@dataclass(frozen=True)
class BatchRow:
    """A batch that fits."""

    batch_size: int
    samples_per_second: float  # batch_size / median seconds of an optimiser step
    memory: int  # bytes of a step, see trainables.device.step_memory


@dataclass(frozen=True)
class BatchSizeTest:
    """Every batch that fits, from the smallest to the largest."""

    rows: tuple[BatchRow, ...]
    knee: int  # the smallest batch from which on throughput gains little
    largest: int
    stopped: str  # why no larger batch was tried, or fits

    def ran_out_of(self, n_samples: int) -> bool:
        """Whether it ended because there were only so many: no batch was too large."""
        return 2 * self.largest > n_samples

    def as_dict(self) -> dict[str, Any]:
        """Every field by name, for JSON."""
        return asdict(self)


def run_batch_size_test(
    network: Network,
    config: Mapping[str, object],
    data: TrialData,
    *,
    memory: float | None = None,
    seed: int = 0,
    device: torch.device,
) -> BatchSizeTest:
    """Times training steps on batches of 8, 16, 32 ... samples of the training split.

    Ends where a step runs out of memory, where it needs more than ``memory`` bytes (on the CPU the
    batch that shows it needs up to twice of that), or where the training split has no more samples.
    The batch size in ``config`` is not used. ``seed`` decides the weights and the samples; torch's
    generators are left as they were.

    Raises ``ValueError`` where not even the first batch fits, and what ``network.build`` raises.
    """
    if memory is not None:
        check_number("the memory bound", memory, "above 0 bytes", lambda v: v > 0)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        checked, model = network.build(config, data)
        rows: list[BatchRow] = []
        steps = Steps(model, checked, data, seed, device, bf16=network.in_bf16(device))
        stopped = ""
        for batch_size in _sizes(len(data.x_train)):
            row, stopped = _measure(steps, batch_size, memory)
            if row is None:
                break
            rows.append(row)
    if not rows:
        raise ValueError(f"not even the first batch fits: {stopped}")
    if not stopped:
        following = 2 * rows[-1].batch_size
        stopped = f"the training split has {len(data.x_train)} samples, fewer than {following}"
    best = knee([r.batch_size for r in rows], [r.samples_per_second for r in rows])
    return BatchSizeTest(tuple(rows), best, rows[-1].batch_size, stopped)


def _sizes(n_samples: int) -> Iterator[int]:
    first = min(SMALLEST, n_samples)
    doubled = (first * 2**i for i in itertools.count())
    return itertools.takewhile(lambda size: size <= n_samples, doubled)


def _measure(steps: Steps, batch_size: int, memory: float | None) -> tuple[BatchRow | None, str]:
    """The row of a batch, or None and why there is none."""
    try:
        needed = steps.memory(batch_size)
        if memory is not None and needed > memory:
            return None, (
                f"a step on {batch_size} samples needs {format_bytes(needed)}, "
                f"above {format_bytes(memory)}"
            )
        return BatchRow(batch_size, steps.samples_per_second(batch_size), needed), ""
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # Only here, when the error is gone: it holds the frames, and they the tensors.
    steps.clear()
    return None, f"a step on {batch_size} samples runs out of memory"


def is_out_of_memory(error: Exception) -> bool:
    """Whether a step failed because it needs more memory than there is."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return any(words in str(error).lower() for words in _OUT_OF_MEMORY)


class Steps:
    """Optimiser steps as in a training, on the first samples of a shuffled split."""

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
        self._guard = DivergenceGuard(lambda first: math.inf, device)  # it looks as in a training
        self._x = inputs_on(device, data.x_train, data)
        self._y = to_tensor(data.y_train, device)
        self._bf16 = bf16
        self._passes: Passes | None = None
        self._batch = torch.empty(0)  # that these are for
        shuffling = torch.Generator().manual_seed(seed)
        self._order = torch.randperm(len(self._x), generator=shuffling).to(device)

    def memory(self, batch_size: int) -> int:
        """Bytes that a step needs."""
        return step_memory(
            lambda: self.step(batch_size), self._model, self._optimizer, self._device
        )

    def samples_per_second(self, batch_size: int) -> float:
        """From the median of some rounds of steps after a warm-up; on a CPU a round is a step."""
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
        """A forward pass on all of ``x``, in parts; returns when it is done."""
        assert self._passes is not None  # a step came first
        self._model.eval()
        for part in x.parts():
            self._passes.predict(part)
        self._model.train()
        self.wait()

    def clear(self) -> None:
        """Lets go of what a step that failed has left."""
        self._passes = None
        zero_grad(self._optimizer)
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def step(self, batch_size: int) -> None:
        """One forward and backward pass and step of the optimiser; a GPU may not be done then."""
        passes = self._passes_of(batch_size)
        _, loss = passes.forward(self._batch)
        self._guard.explodes(loss)
        passes.backward()
        step(self._optimizer)

    def wait(self) -> None:
        """For the steps to be done."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _passes_of(self, batch_size: int) -> Passes:
        batch_size = min(batch_size, len(self._y))  # a training's batch is no larger
        if self._passes is None or len(self._batch) != batch_size:
            self._passes = None  # before the next ones are made: they would not fit together
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
