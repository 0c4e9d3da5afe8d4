"""The language of search spaces: frozen domains, conditions, and the space that holds them.

A space is written once and compiled for every search algorithm. It knows no algorithm itself:
:meth:`SearchSpace.walk` visits the active parameters in order and asks a function for each value,
and that function may be a random number generator, an Optuna trial or a decoder of HyperOpt's
values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

Value: TypeAlias = bool | int | float | str
Config: TypeAlias = dict[str, Value]


@dataclass(frozen=True)
class AtLeast:
    """Active where ``parent`` is ``bound`` or more."""

    parent: str
    bound: int

    def holds(self, value: Value) -> bool:
        return not isinstance(value, str) and value >= self.bound

    def __str__(self) -> str:
        return f"{self.parent} >= {self.bound}"


@dataclass(frozen=True)
class OneOf:
    """Active where ``parent`` takes one of ``options``."""

    parent: str
    options: tuple[Value, ...]

    def holds(self, value: Value) -> bool:
        return value in self.options

    def __str__(self) -> str:
        return f"{self.parent} in {{{', '.join(map(str, self.options))}}}"


Condition: TypeAlias = AtLeast | OneOf


def _check_bounds(low: float, high: float, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"bounds must be finite, not {low} and {high}")
    if low > high:
        raise ValueError(f"low must not be above high: {low} > {high}")
    if log and low <= 0:
        raise ValueError(f"a log domain needs low > 0, not {low}")


def _spaced(low: float, high: float, log: bool, n: int) -> list[float]:
    """``n`` values from ``low`` to ``high``, equally spaced (in the logarithm where ``log``); the
    middle for ``n`` = 1."""
    fractions = [0.5] if n == 1 else [i / (n - 1) for i in range(n)]
    if log:
        return [low * (high / low) ** f for f in fractions]
    return [low + (high - low) * f for f in fractions]


@dataclass(frozen=True)
class Float:
    """A real number in [low, high], uniform in its logarithm where ``log``."""

    low: float
    high: float
    log: bool = False
    when: Condition | None = None

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, self.log)

    @property
    def single(self) -> bool:
        return self.low == self.high

    def at(self, quantile: float) -> float:
        """The value that this share, in [0, 1), of draws lie below."""
        if self.log:
            return self.clip(self.low * (self.high / self.low) ** quantile)
        return self.clip(self.low + (self.high - self.low) * quantile)

    def clip(self, value: float) -> float:
        return float(min(max(value, self.low), self.high))

    def contains(self, value: object) -> bool:
        return isinstance(value, float) and self.low <= value <= self.high

    def parse(self, text: str) -> float:
        """A value as typed. Raises ``ValueError`` for one of another type."""
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"'{text}' is not a number") from None

    def levels(self, n: int) -> list[float]:
        return sorted({self.clip(v) for v in _spaced(self.low, self.high, self.log, n)})

    def __str__(self) -> str:
        return f"{self.low:g} .. {self.high:g}{' (log)' if self.log else ''}"


@dataclass(frozen=True)
class Int:
    """An integer in [low, high], both included; uniform in its logarithm where ``log``."""

    low: int
    high: int
    log: bool = False
    when: Condition | None = None

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, self.log)

    @property
    def single(self) -> bool:
        return self.low == self.high

    def at(self, quantile: float) -> int:
        """The value that this share, in [0, 1), of draws lie below."""
        # From half below to half above, so that the ends are as likely as the rest.
        low, high = self.low - 0.5, self.high + 0.5
        if self.log:
            return self.clip(low * (high / low) ** quantile)
        return self.clip(low + (high - low) * quantile)

    def clip(self, value: float) -> int:
        return int(min(max(round(value), self.low), self.high))

    def contains(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def parse(self, text: str) -> int:
        """A value as typed. Raises ``ValueError`` for one of another type."""
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"'{text}' is not a whole number") from None

    def levels(self, n: int) -> list[int]:
        return sorted({self.clip(v) for v in _spaced(self.low, self.high, self.log, n)})

    def __str__(self) -> str:
        return f"{self.low} .. {self.high}{' (log)' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """One of ``options``, in no order. Put first what is to be tried when only one may be."""

    options: tuple[Value, ...]
    when: Condition | None = None

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("a choice needs at least one option")
        for option in self.options:
            if type(option) not in (bool, int, float, str):
                raise ValueError(f"an option must be a bool, int, float or str, not {option!r}")
        if len(set(self.options)) < len(self.options):  # 1 and True are equal too
            raise ValueError(f"a choice must not repeat an option: {self.options}")

    @property
    def single(self) -> bool:
        return len(self.options) == 1

    def at(self, quantile: float) -> Value:
        """The option that this share, in [0, 1), of draws stand before."""
        return self.options[int(quantile * len(self.options))]

    def contains(self, value: object) -> bool:
        return any(type(value) is type(option) and value == option for option in self.options)

    def parse(self, text: str) -> Value:
        """An option as typed. Raises ``ValueError`` for what is none."""
        for option in self.options:
            if str(option).lower() == text.lower():
                return option
        raise ValueError(f"'{text}' is none of {', '.join(map(str, self.options))}")

    def levels(self, n: int) -> list[Value]:
        return list(self.options[:n])

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, self.options)) + "}"


Domain: TypeAlias = Float | Int | Choice

DEFAULT_LEVELS = 3


@dataclass(frozen=True)
class SearchSpace:
    """Named domains, parents before the parameters that depend on them.

    ``grid_levels`` says how many values a grid takes of each parameter unless the user says
    otherwise; when it is given, a parameter that it leaves out takes one (its middle, or the first
    option). Without it every parameter takes three.

    Every algorithm but a grid tries the configs in ``try_first`` before its own. A config for which
    ``forbid`` is true gets no trial.

    Raises ``ValueError`` for a condition whose parent is not an earlier parameter, or can never
    hold, and for a config in ``try_first`` that is not in the space.
    """

    domains: Mapping[str, Domain]
    grid_levels: Mapping[str, int] = field(default_factory=dict)
    try_first: tuple[Config, ...] = ()
    forbid: Callable[[Config], bool] | None = None

    def __post_init__(self) -> None:
        if not self.domains:
            raise ValueError("a search space needs at least one parameter")
        seen: dict[str, Domain] = {}
        for name, domain in self.domains.items():
            if domain.when is not None:
                _check_condition(name, domain.when, seen)
            seen[name] = domain
        for name in self.grid_levels:
            self._check_name(name)
        for config in self.try_first:
            if problem := self.problem_with(config):
                raise ValueError(f"a config to try first is not in the space: {problem}")

    def is_active(self, name: str, config: Mapping[str, Value]) -> bool:
        """Whether parameter ``name`` exists, given the values of the parameters before it."""
        condition = self.domains[name].when
        return condition is None or (
            condition.parent in config and condition.holds(config[condition.parent])
        )

    def walk(self, choose: Callable[[str, Domain], Value]) -> Config:
        """A config that holds the active parameters only, each as ``choose(name, domain)``."""
        config: Config = {}
        for name, domain in self.domains.items():
            if self.is_active(name, config):
                config[name] = choose(name, domain)
        return config

    def sample(self, rng: np.random.Generator) -> Config:
        """A config drawn at random."""
        return self.walk(lambda _, domain: domain.at(rng.random()))

    def contains(self, config: Mapping[str, object]) -> bool:
        """Whether ``config`` has exactly the active parameters, each with the type and a value of
        its domain."""
        return not self.problem_with(config)

    def problem_with(self, config: Mapping[str, object]) -> str:
        """Why the space does not contain ``config``, in a few words; empty where it does."""
        known: Config = {}
        for name, domain in self.domains.items():
            if not self.is_active(name, known):
                if name in config:
                    return f"{name} is given, but active only when {domain.when}"
                continue
            if name not in config:
                return f"{name} is missing"
            value = config[name]
            if not domain.contains(value):
                return f"{name}={value} is not in {domain}"
            known[name] = value  # type: ignore[assignment]  # contains() has checked the type
        unknown = [name for name in config if name not in self.domains]
        return f"the space has no parameter '{unknown[0]}'" if unknown else ""

    def replace(self, changes: Mapping[str, Domain]) -> SearchSpace:
        """The space with other domains for some parameters, without those that can then never be
        active. Raises ``ValueError`` for a name that it does not have."""
        domains: dict[str, Domain] = {}
        for name in changes:
            self._check_name(name)
        for name, domain in {**self.domains, **changes}.items():
            if domain.when is None or _can_hold(domain.when, domains):
                domains[name] = domain
        grid_levels = {name: n for name, n in self.grid_levels.items() if name in domains}
        space = SearchSpace(domains, grid_levels, forbid=self.forbid)
        try_first = tuple(config for config in self.try_first if space.contains(config))
        return SearchSpace(domains, grid_levels, try_first, self.forbid)

    def grid(self, levels: Mapping[str, int] | None = None) -> Iterator[Config]:
        """Every combination of the levels of the parameters that are active together.

        ``levels`` maps a name to its number of levels, over what ``grid_levels`` says.
        """
        return self._combinations(list(self.domains), {}, self.resolve_levels(levels))

    def grid_size(self, levels: Mapping[str, int] | None = None) -> int:
        """The number of configs in :meth:`grid`, counted without making them."""
        return self._count(list(self.domains), {}, self.resolve_levels(levels))

    def resolve_levels(self, levels: Mapping[str, int] | None = None) -> dict[str, int]:
        """The number of levels of every parameter. Raises ``ValueError`` for an unknown name or a
        number below one."""
        default = 1 if self.grid_levels else DEFAULT_LEVELS
        for name, n in (levels or {}).items():
            self._check_name(name)
            if n < 1:
                raise ValueError(f"{name} needs at least 1 level, not {n}")
        wanted = {**self.grid_levels, **(levels or {})}
        return {name: wanted.get(name, default) for name in self.domains}

    def _combinations(
        self, names: list[str], config: Config, levels: Mapping[str, int]
    ) -> Iterator[Config]:
        if not names:
            yield dict(config)
            return
        name, *rest = names
        if not self.is_active(name, config):
            yield from self._combinations(rest, config, levels)
            return
        for value in self.domains[name].levels(levels[name]):
            yield from self._combinations(rest, {**config, name: value}, levels)

    def _count(self, names: list[str], config: Config, levels: Mapping[str, int]) -> int:
        """Branches only at parents: any other parameter multiplies."""
        size = 1
        parents = {d.when.parent for d in self.domains.values() if d.when is not None}
        for i, name in enumerate(names):
            if not self.is_active(name, config):
                continue
            values = self.domains[name].levels(levels[name])
            if name in parents:
                rest = names[i + 1 :]
                return size * sum(self._count(rest, {**config, name: v}, levels) for v in values)
            size *= len(values)
        return size

    def _check_name(self, name: str) -> None:
        if name not in self.domains:
            raise ValueError(
                f"no parameter '{name}' in the space: it has {', '.join(self.domains)}"
            )


def _check_condition(name: str, condition: Condition, earlier: Mapping[str, Domain]) -> None:
    parent = earlier.get(condition.parent)
    if parent is None:
        raise ValueError(f"{name} depends on '{condition.parent}', which must stand before it")
    if isinstance(parent, Float):
        raise ValueError(
            f"{name} depends on '{condition.parent}', which must be an Int or a Choice"
        )
    if not any(condition.holds(value) for value in values(parent)):
        raise ValueError(f"{name} can never be active: no value has {condition}")


def _can_hold(condition: Condition, domains: Mapping[str, Domain]) -> bool:
    parent = domains.get(condition.parent)
    return (
        parent is not None
        and not isinstance(parent, Float)
        and any(condition.holds(value) for value in values(parent))
    )


def values(domain: Int | Choice) -> list[Value]:
    """Every value of a finite domain."""
    if isinstance(domain, Choice):
        return list(domain.options)
    return list(range(domain.low, domain.high + 1))
