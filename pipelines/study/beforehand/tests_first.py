"""The tests that a user may ask for before a search, and the space that they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.study.spec import StudySpec
from search_spaces import Config, SearchSpace
from trainables.data.datasets import TrialData
from trainables.device import gpu
from trainables.device.share import claim_device, set_threads
from trainables.device.step_memory import default_bound
from trainables.networks import Network
from trainables.smith.lr_range_rule import Bounds

if TYPE_CHECKING:
    from trainables.smith.lr_range_test import RangeTest


@dataclass(frozen=True)
class AfterTests:
    """The space that is left to search, and the configs to start with that it contains."""

    space: SearchSpace
    start_with: tuple[Config, ...]
    lr_bounds: Mapping[str, Bounds] = field(default_factory=dict)
    lr_tests: Mapping[str, RangeTest] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run_tests_first(
    spec: StudySpec,
    space: SearchSpace,
    network: Network,
    data: TrialData,
    start_with: tuple[Config, ...],
) -> AfterTests:
    """Make the tests that ``spec`` asks for, the batch size test first, with the CPUs and the share
    of a GPU that a trial gets. They test the first config of ``start_with``, if there is one.

    Raises ``ValueError`` if a test finds nothing.
    """
    # Imported here because the tests train: a search without them needs no torch in this process.
    from pipelines.study.beforehand.batch_first import bound_batch_size
    from pipelines.study.beforehand.range_first import RATIO, range_space

    asked, seed = spec.space, spec.search.seed
    tried_before = space.try_first
    set_threads(spec.resources.trial.cpus)
    device = claim_device(spec.resources.trial.gpus)
    first = next(iter(start_with), None)
    bounds: Mapping[str, Bounds] = {}
    tests: Mapping[str, RangeTest] = {}
    notes: list[str] = []
    if asked.batch_size_test:
        space, _, line = bound_batch_size(
            space,
            network,
            data,
            first=first,
            memory=default_bound(device) if asked.memory is None else asked.memory,
            seed=seed,
            device=device,
        )
        notes.append(line)
        if first is not None and not space.contains(first):
            first = None
    if asked.lr_range_test:
        ranged = range_space(
            space,
            network,
            data,
            first=first,
            seed=seed,
            device=device,
            keeps_ratio=RATIO in asked.fix or RATIO in asked.range,
        )
        space, bounds, tests = ranged.space, ranged.bounds, ranged.tests
        notes += ranged.notes
    gpu.release()  # trials need the memory that the tests took
    kept = tuple(config for config in start_with if space.contains(config))
    notes += _left_out(kept, start_with, "of `start_with`")
    notes += _left_out(space.try_first, tried_before, "that the space tries first")
    return AfterTests(space, kept, bounds, tests, tuple(notes))


def _left_out(kept: Sequence[Config], before: Sequence[Config], which: str) -> list[str]:
    if len(kept) == len(before):
        return []
    return [
        f"start     {len(kept)} of {len(before)} configs {which}: "
        "the others lie outside the space that the tests left"
    ]
