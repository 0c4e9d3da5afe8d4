"""The batch size test: the speed and the memory of a training step as its batch size doubles.

Smith 2018 (arXiv 1803.09820, section 4.2): a batch as large as the memory allows, judged with the
time that the training takes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from trainables.device.byte_sizes import format_bytes
from trainables.device.step_memory import is_out_of_memory
from trainables.smith.batch_size_rule import knee
from trainables.training.config import check_number
from trainables.training.steps import Steps

if TYPE_CHECKING:
    from trainables.data.datasets import TrialData
    from trainables.networks.network import Network

SMALLEST = 8


@dataclass(frozen=True)
class BatchRow:
    """A batch size that fits into memory."""

    batch_size: int
    samples_per_second: float  # batch_size / median seconds of an optimiser step
    memory: int  # bytes of a step, see trainables.device.step_memory


@dataclass(frozen=True)
class BatchSizeTest:
    """All batch sizes that fit into memory, from the smallest to the largest."""

    rows: tuple[BatchRow, ...]
    knee: int  # the smallest batch size above which throughput gains little
    largest: int
    stopped: str  # why there is no larger batch: none was tried, or it does not fit

    def ran_out_of(self, n_samples: int) -> bool:
        """Whether the test ended because there are only ``n_samples``, not for lack of memory."""
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

    The test ends when a step runs out of memory, when a step needs more than ``memory`` bytes (on
    the CPU, the step that shows this needs up to twice as much), or when the training split has too
    few samples. The batch size in ``config`` is not used. ``seed`` determines the weights and the
    samples. torch's generators are left as they were.

    Raises ``ValueError`` if not even the first batch fits, and whatever ``network.build`` raises.
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
    """The row of a batch size, or None and the reason why there is none."""
    try:
        needed = steps.memory(batch_size)
        if memory is not None and needed > memory:
            return None, (
                f"a step on {batch_size} samples needs {format_bytes(needed)}, "
                f"more than {format_bytes(memory)}"
            )
        return BatchRow(batch_size, steps.samples_per_second(batch_size), needed), ""
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # Clear only here: until the error is gone, it keeps the frames, and these keep the tensors.
    steps.clear()
    return None, f"a step on {batch_size} samples runs out of memory"
