"""Measures the share of a GPU at which most trials finish per hour, on the GPU itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from pipelines.cluster.resources import Node, ray_gpus
from pipelines.cluster.room import room
from pipelines.cluster.sharing import assigned_gpus
from search_spaces import Config
from trainables.data.datasets import TrialData
from trainables.device.byte_sizes import format_bytes
from trainables.device.share import claim_device, set_threads
from trainables.device.step_memory import is_out_of_memory
from trainables.networks import Network
from trainables.training.workload import Workload

SHARES = (1, 2, 4, 8)  # the values of k that are tried, for shares of 1/k
_SECONDS = 2.0  # for which each config is trained at each k
_AHEAD = 0.5  # seconds from the order to start to the start itself
_PATIENCE = 120.0  # seconds to wait for a whole free GPU


@dataclass(frozen=True)
class ShareRow:
    """k trainings at once, each with 1/k of one GPU."""

    k: int
    memory: int = 0  # bytes of one training at its peak
    trials_per_hour: float = 0.0  # of all k trainings together
    problem: str = ""  # why there are no figures

    @property
    def name(self) -> str:
        return f"1/{self.k}" if self.k > 1 else "1"

    @property
    def share(self) -> float:
        return ray_gpus(Fraction(1, self.k))


def best_row(rows: Sequence[ShareRow]) -> ShareRow:
    """The row with the most trials per hour; of equal rows, the one with the largest share.

    Raises ``ValueError`` if no share could be measured.
    """
    sound = [row for row in rows if not row.problem]
    if not sound:
        reasons = "; ".join(f"{row.name}: {row.problem}" for row in rows)
        raise ValueError(f"`gpus_per_trial=auto` found no share for the largest configs: {reasons}")
    return max(sound, key=lambda row: (row.trials_per_hour, -row.k))


def measure_shares(
    nodes: Sequence[Node],
    network: Network,
    configs: Sequence[Config],
    folds: Sequence[TrialData],
    *,
    cpus: float,
    max_epochs: int,
    seed: int,
) -> list[ShareRow]:
    """Train each of ``configs`` for 2 s in k processes at once on one GPU, for k = 1, 2, 4, 8.

    The measurement ends with the first k that does not fit: into 1/k of the GPU's memory (with
    CUDA), or into the CPUs of a node with a GPU.

    Raises ``ValueError`` if no GPU is free, or if a process dies.
    """
    with room():
        stored = ray.put((network, list(configs), list(folds)))
    rows: list[ShareRow] = []
    for k in SHARES:
        rows.append(_measure(k, nodes, stored, len(configs), cpus, max_epochs, seed))
        if rows[-1].problem:
            break
    return rows


def table(rows: Sequence[ShareRow]) -> Iterator[str]:
    """A header, and one line per share."""
    yield f"{'at once':>9}  {'share':>6}  {'memory of one':>13}  {'trials an hour':>14}"
    for row in rows:
        figures = f"{format_bytes(row.memory):>13}  {row.trials_per_hour:>14.0f}"
        yield f"{row.k:>9}  {row.name:>6}  {row.problem or figures}"


def _measure(
    k: int,
    nodes: Sequence[Node],
    stored: Any,
    n_configs: int,
    cpus: float,
    max_epochs: int,
    seed: int,
) -> ShareRow:
    if not any(node.gpus >= 1 and node.cpus >= k * cpus for node in nodes):
        return ShareRow(k, problem=f"needs {k * cpus:g} CPUs on a node with a GPU")
    try:
        with _processes(k, cpus) as processes:
            ray.get([p.start.remote(cpus, stored, seed) for p in processes])
            memory, seconds = 0, [0.0] * k
            for i in range(n_configs):
                needed = ray.get([p.load.remote(i) for p in processes])
                if None in needed:
                    return ShareRow(k, problem="out of memory")
                memory = max(memory, *needed)
                start = ray.get(processes[0].clock.remote()) + _AHEAD
                epochs = ray.get([p.epoch_seconds.remote(start, _SECONDS) for p in processes])
                seconds = [a + b * max_epochs for a, b in zip(seconds, epochs, strict=True)]
    except RayError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ValueError(f"`gpus_per_trial=auto`: measuring 1/{k} failed: {reason}") from None
    return ShareRow(k, memory, sum(3600 * n_configs / s for s in seconds))


@contextmanager
def _processes(k: int, cpus: float) -> Iterator[list[Any]]:
    """k processes, each with 1/k of the same GPU."""
    group = placement_group([{"CPU": k * cpus, "GPU": 1}])
    try:
        if not group.wait(_PATIENCE):
            raise ValueError(
                f"`gpus_per_trial=auto`: no GPU with {k * cpus:g} CPUs became free "
                f"within {_PATIENCE:g} s"
            )
        inside = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0)
        share = {"num_cpus": cpus, "num_gpus": ray_gpus(Fraction(1, k))}
        process = ray.remote(_Process).options(scheduling_strategy=inside, **share)
        yield [process.remote() for _ in range(k)]
    finally:
        remove_placement_group(group)  # and the processes in it


class _Process:
    """Trains in a process of its own, with the share that a trial would get."""

    def start(
        self, cpus: float, stored: tuple[Network, list[Config], list[TrialData]], seed: int
    ) -> None:
        set_threads(cpus)
        self._network, self._configs, self._folds = stored
        self._seed = seed
        self._workload: Workload | None = None

    def load(self, config: int) -> int | None:
        """The bytes that a training step needs; None if they do not fit."""
        self._workload = None  # first: two workloads may not fit at the same time
        try:
            device = claim_device(assigned_gpus())
        except ValueError:  # CUDA alone fills the share
            return None
        try:
            self._workload = Workload(
                self._network, self._configs[config], self._folds, seed=self._seed, device=device
            )
            memory = self._workload.memory()
            self._workload.warm_up()
            return memory
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        return None

    def clock(self) -> float:
        """The time, which is the same for all processes: they are on one machine."""
        return time.time()

    def epoch_seconds(self, start: float, seconds: float) -> float:
        """Seconds per epoch, measured from ``start`` on, while all other processes train too."""
        assert self._workload is not None  # load() came first
        time.sleep(max(0.0, start - time.time()))
        return self._workload.epoch_seconds(seconds)
