"""The resources that a trial takes, and how many trials fit on a cluster."""

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
    """A trial's resources. ``gpus`` is 0, a whole number or a share of one GPU, in Ray's units."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Node:
    """The total resources of one machine of the cluster."""

    name: str
    cpus: float
    gpus: float


def parse_gpus(text: str) -> Fraction:
    """Reads ``0``, a whole number, or 1/k in a form such as ``1/4`` or ``0.25``. Other fractions do
    not divide a GPU evenly: for them, raises ``ValueError`` with the nearest that do."""
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
        raise ValueError(f"{text} is neither 1/k nor a whole number; the nearest are {near}")
    if number == 0:
        return number
    k = round(1 / number)
    if k > _RAY_UNITS:
        raise ValueError(f"{text} is below 1/{_RAY_UNITS}, the smallest share that Ray counts")
    if abs(number - Fraction(1, k)) * 10**3 <= Fraction(1, k):  # 0.333 is 1/3
        return Fraction(1, k)
    below, above = math.ceil(1 / number), math.floor(1 / number)
    near = " and ".join(f"1/{k} ({1 / k:.4g})" if k > 1 else "1" for k in (below, above))
    raise ValueError(f"{text} is neither 1/k nor a whole number; the nearest are {near}")


def read_share(value: object) -> float | str:
    """The GPUs of a trial in Ray's units, read by :func:`parse_gpus`; ``auto`` stays ``auto``."""
    text = str(value).strip()
    return AUTO if text == AUTO else ray_gpus(parse_gpus(text))


def ray_gpus(share: Fraction) -> float:
    """``share`` in Ray's units, rounded down so that k shares of 1/k fit on one GPU."""
    return math.floor(share * _RAY_UNITS) / _RAY_UNITS


def slots_on(node: Node, trial: TrialResources) -> int:
    """How many trials can run at once on ``node``."""
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
    """The GPUs per trial with which ``at_once`` trials use as many GPUs as they can.

    Ray fills one GPU of a node before it uses the next. So if fewer trials run than there are
    shares, each share is made as large as possible: 1/k with the smallest k for which ``at_once``
    trials fit on ``nodes``. If no larger share fits, this is the share of ``trial``.
    """
    larger = (ray_gpus(Fraction(1, k)) for k in range(1, math.floor(1 / trial.gpus + 1e-9)))
    fits = (s for s in larger if slots_in(nodes, replace(trial, gpus=s)) >= at_once)
    return next(fits, trial.gpus)


def slots_in(nodes: Iterable[Node], trial: TrialResources) -> int:
    """How many trials can run at once on all ``nodes``."""
    return sum(slots_on(node, trial) for node in nodes)


def check_fit(nodes: Sequence[Node], trial: TrialResources) -> None:
    """If no node can hold a trial, raises ``ValueError`` with what the cluster has."""
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
    alone = nodes and not any(node.cpus for node in nodes)
    joins = "; workers have not joined yet: `ray status` shows who has" if alone else ""
    raise ValueError(f"{wanted} fits on no node: {describe(nodes)}{joins}")


def check_has_gpu(nodes: Sequence[Node], cpus: float) -> None:
    """If no node has a GPU and the CPUs of a trial, raises ``ValueError`` with what the cluster
    has."""
    if any(node.gpus >= 1 and node.cpus >= cpus for node in nodes):
        return
    raise ValueError(
        f"`gpus_per_trial=auto` needs a node with a GPU and {cpus:g} CPUs, and there is none: "
        f"{describe(nodes)}; use 0 to search without a GPU"
    )


def describe(nodes: Sequence[Node]) -> str:
    """The resources of each node, in words."""
    each = "; ".join(f"{node.name} has {node.cpus:g} CPUs and {node.gpus:g} GPUs" for node in nodes)
    return each or "the cluster has no nodes"
