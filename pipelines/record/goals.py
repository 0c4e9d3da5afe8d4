"""The goals of a search: its first metric, other objectives, and its requirements on a trial."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipelines.record.trials import FinishedTrial
from trainables.training.metrics import METRICS, Mode

SIZE, SECONDS = "n_parameters", "seconds"
BESIDE: dict[str, Mode] = {SIZE: "min", SECONDS: "min"}
"""What is known about a trial besides its metrics, and which direction is better."""
_NAME = re.compile(r"[A-Za-z_]\w*")
_REQUIREMENT = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|<|>)\s*(\S+)\s*")
_SLIGHTLY = 1e-12  # the violation if a value is equal to a strict bound


@dataclass(frozen=True)
class Aim:
    """One objective: a metric, or one of ``BESIDE``, and which direction is better."""

    name: str
    mode: Mode

    def __str__(self) -> str:
        return f"{self.name}:{self.mode}"

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``."""
        return a < b if self.mode == "min" else a > b


@dataclass(frozen=True)
class Requirement:
    """A bound on a metric, or on one of ``BESIDE``."""

    name: str
    sign: str  # < <= > >=
    bound: float

    def __str__(self) -> str:
        short = f"{self.bound:g}"
        exact = short if float(short) == self.bound else repr(self.bound).removesuffix(".0")
        return f"{self.name}{self.sign}{exact}"

    def holds(self, value: float) -> bool:
        return {
            "<": value < self.bound,
            "<=": value <= self.bound,
            ">": value > self.bound,
            ">=": value >= self.bound,
        }[self.sign]

    def violation(self, value: float) -> float:
        """How far ``value`` is beyond the bound, as a share of the bound; at most 0 if it holds."""
        distance = value - self.bound if self.sign[0] == "<" else self.bound - value
        share = distance / (abs(self.bound) or 1.0)
        return min(share, 0.0) if self.holds(value) else max(share, _SLIGHTLY)


def read_aim(text: str) -> Aim:
    """The objective in a text such as ``n_parameters:min``. A known direction may be left out.

    Raises ``ValueError`` for anything else.
    """
    name, colon, mode = text.partition(":")
    if not _NAME.fullmatch(name) or (colon and mode not in ("min", "max")):
        raise ValueError(f"'{text}' is not of the form NAME, NAME:min or NAME:max")
    known = METRICS[name].mode if name in METRICS else BESIDE.get(name)
    if known is None and not colon:
        one_of = ", ".join([*METRICS, *BESIDE])
        raise ValueError(
            f"'{text}' is none of {one_of}; a metric of your own function needs a direction: "
            f"{name}:min or {name}:max"
        )
    if known is not None and mode not in ("", known):
        raise ValueError(f"'{text}' has the wrong direction: use {name}:{known}")
    return Aim(name, known or ("min" if mode == "min" else "max"))


def read_requirement(text: str) -> Requirement:
    """The bound in a text such as ``n_parameters<1e5``. Raises ``ValueError`` for other texts."""
    match = _REQUIREMENT.fullmatch(text)
    try:
        bound = float(match[3]) if match else math.nan
    except ValueError:
        bound = math.nan
    if match is None or not math.isfinite(bound):
        raise ValueError(f"'{text}' is not of the form NAME<NUMBER, with one of < <= > >=")
    return Requirement(match[1], match[2], bound)


def reached(trial: FinishedTrial, name: str) -> float | None:
    """The value of an objective for ``trial``: of a metric, at the best epoch. None if it is not
    known."""
    if name == SECONDS:
        return trial.seconds if trial.curve else None
    if name == SIZE and trial.n_parameters is not None:
        return trial.n_parameters
    return trial.metrics.get(name)


@dataclass(frozen=True)
class Goals:
    """All goals of a search. The first of the ``aims`` is the metric searched for."""

    aims: tuple[Aim, ...]
    requirements: tuple[Requirement, ...] = ()

    @property
    def first(self) -> Aim:
        return self.aims[0]

    @property
    def several(self) -> bool:
        """Whether there is more than one objective."""
        return len(self.aims) > 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all values that must be known about a trial."""
        names = [aim.name for aim in self.aims] + [bound.name for bound in self.requirements]
        return tuple(dict.fromkeys(names))

    @property
    def reported(self) -> tuple[str, ...]:
        """The names that a trainable must yield. It may also yield the number of parameters."""
        return tuple(name for name in self.names if name not in BESIDE)

    def values(self, trial: FinishedTrial) -> list[float | None]:
        """The value of each objective for ``trial``."""
        return [reached(trial, aim.name) for aim in self.aims]

    def violations(self, trial: FinishedTrial) -> dict[str, float]:
        """How far ``trial`` is from each requirement, for Optuna; 0 if that is not known, for
        example for a trial that was not trained."""
        values = {r: reached(trial, r.name) for r in self.requirements}
        return {str(r): 0.0 if v is None else r.violation(v) for r, v in values.items()}

    def judged(self, trial: FinishedTrial) -> FinishedTrial:
        """A trial of another search, judged by the requirements of this one."""
        known = {r.name: v for r in self.requirements if (v := reached(trial, r.name)) is not None}
        return replace(trial, broken=told(broken_of(self.requirements, known)))


def broken_of(
    requirements: Iterable[Requirement], known: Mapping[str, float]
) -> tuple[Requirement, ...]:
    """The requirements that the ``known`` values break; others are ignored."""
    return tuple(r for r in requirements if r.name in known and not r.holds(known[r.name]))


def told(requirements: Iterable[Requirement]) -> str:
    """``requirements`` as text, as they are recorded."""
    return ", ".join(map(str, requirements))
