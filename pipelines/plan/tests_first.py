"""The tests that a user may ask for before a search, and what they leave of its space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.plan.batch_first import bound_batch_size
from pipelines.plan.range_first import range_space
from search_spaces import Config, SearchSpace
from trainables.data.datasets import TrialData
from trainables.device import gpu
from trainables.device.share import claim_device, set_threads
from trainables.networks import Network
from trainables.smith.lr_range_test import Bounds


@dataclass(frozen=True)
class AfterTests:
    """What is left to search, and the configs to start with that lie in it."""

    space: SearchSpace
    start_with: tuple[Config, ...]
    lr_bounds: Mapping[str, Bounds] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run_tests_first(
    space: SearchSpace,
    network: Network,
    data: TrialData,
    start_with: tuple[Config, ...],
    *,
    batch_size_test: bool,
    lr_range_test: bool,
    memory: float | None,
    cpus: float,
    gpus: float,
    seed: int,
) -> AfterTests:
    """Make the tests, the batch size first, with the CPUs and the share of a GPU of a trial; the
    first config of ``start_with`` is tested, where there is one.

    Raises ``ValueError`` where a test finds nothing.
    """
    set_threads(cpus)
    first = next(iter(start_with), None)
    bounds: Mapping[str, Bounds] = {}
    notes: list[str] = []
    if batch_size_test:
        space, _, line = bound_batch_size(
            space,
            network,
            data,
            first=first,
            memory=memory,
            seed=seed,
            device=claim_device(gpus),
        )
        notes.append(line)
        if first is not None and not space.contains(first):
            first = None
    if lr_range_test:
        ranged = range_space(
            space, network, data, first=first, seed=seed, device=claim_device(gpus)
        )
        space, bounds = ranged.space, ranged.bounds
        notes += ranged.notes
    gpu.release()  # what the tests took: trials need it
    kept = tuple(config for config in start_with if space.contains(config))
    if len(kept) < len(start_with):
        notes.append(
            f"start     {len(kept)} of {len(start_with)} configs of --start-with: "
            "the others lie outside of what the tests left"
        )
    return AfterTests(space, kept, bounds, tuple(notes))
