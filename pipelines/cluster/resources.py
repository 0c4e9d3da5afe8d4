"""The share of a machine that a trial takes, and how many fit on a cluster."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

# Ray counts a resource in ten-thousandths.
_RAY_UNITS = 10_000
AUTO = "auto"


@dataclass(frozen=True)
class TrialResources:
    """What a trial takes: ``gpus`` is 0, a whole number, or a share of one, in Ray's units."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Node:
    """What one machine of the cluster has in all."""

    name: str
    cpus: float
    gpus: float


def parse_gpus(text: str) -> Fraction:
    """``0``, a whole number, or 1/k written ``1/4`` or ``0.25``; other fractions do not divide a
    GPU evenly. Raises ``ValueError`` with the nearest that do."""
    try:
        number = Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"'{text}' is not a number: give 0, a whole number, or 1/k") from None
    if number < 0:
        raise ValueError(f"{text} is negative: give 0, a whole number, or 1/k")
    if number >= 1:
        if number.denominator == 1:
            return number
        near = f"{math.floor(number)} and {math.ceil(number)}"
        raise ValueError(f"{text} is neither 1/k nor a whole number; near are {near}")
    if number == 0:
        return number
    k = round(1 / number)
    if k > _RAY_UNITS:
        raise ValueError(f"{text} is below 1/{_RAY_UNITS}, the least that Ray counts")
    if abs(number - Fraction(1, k)) * 10**3 <= Fraction(1, k):  # 0.333 is 1/3
        return Fraction(1, k)
    below, above = math.ceil(1 / number), math.floor(1 / number)
    near = " and ".join(f"1/{k} ({1 / k:.4g})" if k > 1 else "1" for k in (below, above))
    raise ValueError(f"{text} is neither 1/k nor a whole number; near are {near}")


def read_share(value: object) -> float | str:
    """The GPUs of a trial in Ray's units, from what :func:`parse_gpus` takes; ``auto`` stays."""
    text = str(value).strip()
    return AUTO if text == AUTO else ray_gpus(parse_gpus(text))


def ray_gpus(share: Fraction) -> float:
    """The share in Ray's units, rounded down, so that k shares of 1/k fit on one GPU."""
    return math.floor(share * _RAY_UNITS) / _RAY_UNITS


def slots_on(node: Node, trial: TrialResources) -> int:
    """How many trials run at once on ``node``."""
    cpus, gpus = trial.cpus, trial.gpus
    by_cpu = math.floor(node.cpus / cpus + 1e-9) if cpus else None
    if gpus >= 1:
        by_gpu: int | None = math.floor(node.gpus / gpus + 1e-9)
    elif gpus > 0:
        by_gpu = math.floor(node.gpus) * math.floor(1 / gpus + 1e-9)  # no share spans two GPUs
    else:
        by_gpu = None
    limits = [limit for limit in (by_cpu, by_gpu) if limit is not None]
    return min(limits)


def spread(nodes: Sequence[Node], trial: TrialResources, at_once: int) -> float:
    """The GPUs of a trial with which ``at_once`` trials use as many GPUs as they can.

    Ray fills one GPU of a node before it uses the next. So where all of the shares that there are
    will not be used, each is made as large as it may be: 1/k with the smallest k with which as many
    trials fit on ``nodes``. That of ``trial``, a share itself, where no larger one will do.
    """
    larger = (ray_gpus(Fraction(1, k)) for k in range(1, math.floor(1 / trial.gpus + 1e-9)))
    fits = (s for s in larger if slots_in(nodes, replace(trial, gpus=s)) >= at_once)
    return next(fits, trial.gpus)


def slots_in(nodes: Iterable[Node], trial: TrialResources) -> int:
    """How many trials run at once on all ``nodes``."""
    return sum(slots_on(node, trial) for node in nodes)


def check_fit(nodes: Sequence[Node], trial: TrialResources) -> None:
    """Raises ``ValueError``, with what the cluster has, where no node can hold a trial."""
    if any(slots_on(node, trial) for node in nodes):
        return
    cpus, gpus = trial.cpus, trial.gpus
    if nodes and not any(node.gpus for node in nodes) and gpus:
        wanted = f"`gpus_per_trial` {gpus:g}"
    elif all(node.cpus < cpus for node in nodes):
        wanted = f"`cpus_per_trial` {cpus:g}"
    elif all(slots_on(node, TrialResources(0.0, gpus)) == 0 for node in nodes if gpus):
        wanted = f"`gpus_per_trial` {gpus:g}"
    else:
        wanted = f"`cpus_per_trial` {cpus:g} with `gpus_per_trial` {gpus:g}"
    raise ValueError(f"{wanted} fits on no node: {describe(nodes)}")


def check_has_gpu(nodes: Sequence[Node], cpus: float) -> None:
    """Raises ``ValueError``, with what the cluster has, where no node has a GPU and a trial's
    CPUs."""
    if any(node.gpus >= 1 and node.cpus >= cpus for node in nodes):
        return
    raise ValueError(
        f"`gpus_per_trial=auto` measures on a GPU and {cpus:g} CPUs, which no node has: "
        f"{describe(nodes)}; 0 searches without a GPU"
    )


def describe(nodes: Sequence[Node]) -> str:
    """What each of the nodes has."""
    each = "; ".join(f"{node.name} has {node.cpus:g} CPUs and {node.gpus:g} GPUs" for node in nodes)
    return each or "the cluster has no nodes"
