"""The options ``--also`` and ``--require``: which values and combinations are allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import numpy as np
from cyclopts import Parameter
from pydantic import AfterValidator

from pipelines.record.goals import BESIDE, SECONDS, SIZE, Goals, read_aim, read_requirement
from pipelines.study.settings import one_of
from pipelines.tuner.sampling.algorithms import ALGORITHMS
from pipelines.tuner.scheduling.schedulers import SCHEDULERS
from search_spaces import SearchSpace
from trainables.data.datasets import TrialData
from trainables.networks import Network
from trainables.training.metrics import METRICS, Mode, metrics_of

_DRAWN = 1000


def _aim(text: str) -> str:
    return str(read_aim(text))


def _requirement(text: str) -> str:
    return str(read_requirement(text))


Objectives: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_aim)], ...], Parameter(metavar="NAME[:min|max]")
]
Requirements: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_requirement)], ...], Parameter(metavar="NAME<NUMBER")
]


def check_objectives(metric: str | None, also: Sequence[str], algo: str) -> None:
    """Raises ``ValueError`` for an objective that is given twice, and for several objectives if the
    algorithm takes only one."""
    names = [read_aim(text).name for text in also]
    for name in names:
        if name == metric or names.count(name) > 1:
            raise ValueError(f"`also` {name}: it is an objective already")
    algorithm = ALGORITHMS[algo]
    if also and algorithm.learns and not algorithm.several:
        able = [name for name, each in ALGORITHMS.items() if each.several or not each.learns]
        raise ValueError(
            f"`also` {also[0]}: `algo={algo}` searches for one objective; {', '.join(able)} take "
            "several"
        )


def check_seconds(goals: Goals, scheduler: str) -> None:
    """Raises ``ValueError`` if the scheduler pauses trials and their seconds count."""
    if SCHEDULERS[scheduler].pauses and SECONDS in goals.names:
        option = "also" if SECONDS in [aim.name for aim in goals.aims] else "require"
        others = [name for name, each in SCHEDULERS.items() if not each.pauses]
        raise ValueError(
            f"`{option}` {SECONDS}: `scheduler={scheduler}` pauses trials, and the pauses would "
            f"count as seconds; {', '.join(others)} do not pause them"
        )


def check_names(goals: Goals, data: TrialData) -> None:
    """Raises ``ValueError`` for a name that a built-in network does not report for this task. A
    user's own function may report any name."""
    allowed = [*metrics_of(data.task), *BESIDE]
    further = [("also", aim.name) for aim in goals.aims[1:]]
    for option, name in (*further, *(("require", r.name) for r in goals.requirements)):
        try:
            one_of([*METRICS, *BESIDE])(name)
        except ValueError as error:
            raise ValueError(f"`{option}` {error}") from None
        if name not in allowed:
            raise ValueError(
                f"`{option}` {name} does not fit '{data.name}', a {data.task}: "
                f"choose {' or '.join(allowed)}"
            )


def check_possible(goals: Goals, target_value: float | None) -> None:
    """Raises ``ValueError`` if no value of a built-in network can meet a requirement or reach the
    target value."""
    first = goals.first
    mode, best = _best(first.name)
    if best is not None and target_value is not None and first.better(target_value, best):
        raise ValueError(f"`target_value` {target_value:g}: {first.name} is {_limit(mode, best)}")
    for bound in goals.requirements:
        mode, best = _best(bound.name)
        wants = "max" if bound.sign[0] == ">" else "min"
        if best is not None and wants == mode and not bound.holds(best):
            raise ValueError(f"`require` {bound}: {bound.name} is {_limit(mode, best)}")


def _best(name: str) -> tuple[Mode, float | None]:
    """Which way is better, and the best value that is possible."""
    metric = METRICS.get(name)
    return (metric.mode, metric.best) if metric else (BESIDE[name], 0.0)


def _limit(mode: Mode, best: float) -> str:
    return f"at {'most' if mode == 'max' else 'least'} {best:g}"


def check_reachable(
    goals: Goals, space: SearchSpace, network: Network, data: TrialData, seed: int
) -> None:
    """Raises ``ValueError`` if none of many random networks has an allowed size, because then no
    trial would be trained."""
    bounds = [r for r in goals.requirements if r.name == SIZE]
    if not bounds:
        return
    rng = np.random.default_rng(seed)
    sizes = []
    for _ in range(_DRAWN):
        sizes.append(network.size(space.sample(rng), data))
        if all(bound.holds(sizes[-1]) for bound in bounds):
            return
    raise ValueError(
        f"`require` {', '.join(map(str, bounds))}: the {_DRAWN:,} networks drawn at random have "
        f"{min(sizes):,} to {max(sizes):,} parameters"
    )
