"""A search space: named domains, some of which are active only if others have certain values.

A space is written once and compiled for every search algorithm. It does not know any algorithm
itself: :meth:`SearchSpace.walk` visits the active parameters in order and asks a function for each
value. That function may be a random number generator, an Optuna trial or a decoder of HyperOpt's
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from search_spaces.domains import (
    Condition,
    Config,
    Domain,
    Float,
    Value,
    can_hold,
    domain_from_dict,
    domain_to_dict,
)

DEFAULT_LEVELS = 3


@dataclass(frozen=True)
class SearchSpace:
    """Named domains; a parent comes before the parameters that depend on it.

    ``grid_levels`` says how many values a grid takes of each parameter unless the user says
    otherwise. A parameter that ``grid_levels`` leaves out takes one value (its middle, or the first
    option). Without ``grid_levels`` every parameter takes three.

    Every algorithm except a grid tries the configs in ``try_first`` before its own. A config for
    which ``forbid`` is true gets no trial.

    ``if_missing`` is for parameters that the space did not have in earlier versions. It gives the
    value with which a config that was saved then still means the same (see :meth:`completed`).

    Raises ``ValueError`` for a condition that can never hold or whose parent is not an earlier
    parameter, for a config in ``try_first`` that is not in the space, for a number of levels that
    is not a whole number of at least 1, and for an unknown name in ``grid_levels`` or
    ``if_missing``.
    """

    domains: Mapping[str, Domain]
    grid_levels: Mapping[str, int] = field(default_factory=dict)
    try_first: tuple[Config, ...] = ()
    forbid: Callable[[Config], bool] | None = None
    if_missing: Config = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.domains:
            raise ValueError("a search space needs at least one parameter")
        seen: dict[str, Domain] = {}
        for name, domain in self.domains.items():
            if not isinstance(name, str):
                raise ValueError(f"the name of a parameter must be a string, not {name!r}")
            if not isinstance(domain, Domain):
                raise ValueError(f"{name} must be a Float, an Int or a Choice, not {domain!r}")
            if domain.when is not None:
                _check_condition(name, domain.when, seen)
            seen[name] = domain
        for name in (*self.grid_levels, *self.if_missing):
            self._check_name(name)
        for name, n in self.grid_levels.items():
            if type(n) is not int or n < 1:
                raise ValueError(f"{name} needs a whole number of levels, at least 1, not {n!r}")
        for config in self.try_first:
            if problem := self.problem_with(config):
                raise ValueError(f"a config to try first is not in the space: {problem}")

    def is_active(self, name: str, config: Mapping[str, Value]) -> bool:
        """Whether parameter ``name`` exists, given the values of the parameters before it."""
        condition = self.domains[name].when
        return condition is None or (
            condition.parent in config and condition.holds(config[condition.parent])
        )

    def active_part(self, config: Config) -> Config:
        """``config`` without the parameters that the space does not have or that are not active."""
        active: Config = {}
        for name in self.domains:
            if name in config and self.is_active(name, active):
                active[name] = config[name]
        return active

    def walk(self, choose: Callable[[str, Domain], Value]) -> Config:
        """A config of the active parameters only; each value is ``choose(name, domain)``."""
        config: Config = {}
        for name, domain in self.domains.items():
            if self.is_active(name, config):
                config[name] = choose(name, domain)
        return config

    def sample(self, rng: np.random.Generator) -> Config:
        """A config drawn at random."""
        return self.walk(lambda _, domain: domain.at(rng.random()))

    def contains(self, config: Mapping[str, object]) -> bool:
        """Whether ``config`` has exactly the active parameters, each with a value of its domain and
        of the right type."""
        return not self.problem_with(config)

    def problem_with(self, config: Mapping[str, object]) -> str:
        """Why the space does not contain ``config``, in a few words; empty if it does."""
        known: Config = {}
        for name, domain in self.domains.items():
            if not self.is_active(name, known):
                if name in config:
                    return f"{name} is given, but it is active only when {domain.when}"
                continue
            if name not in config:
                return f"{name} is missing"
            value = config[name]
            if not domain.contains(value):
                shown = value if isinstance(value, str) else repr(value)  # numpy's tell their type
                return f"{name}={shown} is not in {domain}"
            known[name] = value  # type: ignore[assignment]  # contains() has checked the type
        unknown = [name for name in config if name not in self.domains]
        return f"the space has no parameter '{unknown[0]}'" if unknown else ""

    def forbids(self, config: Config) -> bool:
        """Whether ``config`` gets no trial.

        Raises ``ValueError``, which names the config, if ``forbid`` raises.
        """
        if self.forbid is None:
            return False
        try:
            return bool(self.forbid(config))
        except Exception as error:  # it may raise anything, and the user should read it
            values = ", ".join(f"{name}={value}" for name, value in config.items())
            reason = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"the space's `forbid` {name_of(self.forbid)} raises {reason} for {values}"
            ) from error

    def completed(self, config: Mapping[str, Value]) -> Config:
        """``config``, with the values of ``if_missing`` for active parameters that it lacks."""
        whole = dict(config)
        for name in self.domains:
            if name not in whole and name in self.if_missing and self.is_active(name, whole):
                whole[name] = self.if_missing[name]
        return whole

    @property
    def idle(self) -> set[str]:
        """The parameters that can only have the value that ``if_missing`` gives them. They need not
        be shown to a reader."""
        fixed = {name: domain for name, domain in self.domains.items() if domain.single}
        return {n for n, v in self.if_missing.items() if n in fixed and fixed[n].contains(v)}

    def without_idle(self, config: Mapping[str, Any]) -> Config:
        """``config`` as it is shown: without the :attr:`idle` parameters."""
        idle = self.idle
        return {name: value for name, value in config.items() if name not in idle}

    def replace(self, changes: Mapping[str, Domain]) -> SearchSpace:
        """The space with other domains for some parameters, without the parameters that can then
        never be active. Raises ``ValueError`` for a name that the space does not have."""
        domains: dict[str, Domain] = {}
        for name in changes:
            self._check_name(name)
        for name, domain in {**self.domains, **changes}.items():
            if domain.when is None or _can_hold(domain.when, domains):
                domains[name] = domain
        grid_levels = {name: n for name, n in self.grid_levels.items() if name in domains}
        if_missing = {name: v for name, v in self.if_missing.items() if name in domains}
        space = SearchSpace(domains, grid_levels, forbid=self.forbid, if_missing=if_missing)
        try_first = tuple(config for config in self.try_first if space.contains(config))
        return replace(space, try_first=try_first)

    def to_dict(self) -> dict[str, Any]:
        """The whole space, exactly, as values that JSON can hold; ``forbid`` as its name."""
        return {
            "domains": {name: domain_to_dict(domain) for name, domain in self.domains.items()},
            "grid_levels": dict(self.grid_levels),
            "try_first": [dict(config) for config in self.try_first],
            "forbid": None if self.forbid is None else name_of(self.forbid),
            "if_missing": dict(self.if_missing),
        }

    @classmethod
    def from_dict(
        cls, content: Mapping[str, Any], forbid: Callable[[Config], bool] | None = None
    ) -> SearchSpace:
        """The space that :meth:`to_dict` wrote; ``forbid`` is the function that it names.

        Raises ``ValueError`` if ``content`` is not a search space.
        """
        try:
            return cls(
                {name: domain_from_dict(value) for name, value in content["domains"].items()},
                dict(content["grid_levels"]),
                tuple(dict(config) for config in content["try_first"]),
                forbid,
                dict(content.get("if_missing", {})),  # older records do not have it
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a search space: {type(error).__name__}: {error}") from error

    def grid(self, levels: Mapping[str, int] | None = None) -> Iterator[Config]:
        """Every combination of the levels of the parameters that are active together.

        ``levels`` maps a name to its number of levels. It takes precedence over ``grid_levels``.
        """
        return self._combinations(list(self.domains), {}, self.resolve_levels(levels))

    def grid_size(self, levels: Mapping[str, int] | None = None) -> int:
        """The number of configs in :meth:`grid`, counted without making them."""
        wanted = self.resolve_levels(levels)
        return self._count(
            list(wanted), {}, {n: self.domains[n].levels(k) for n, k in wanted.items()}
        )

    def n_configs(self, most: int) -> int | None:
        """How many configs there are, with those that are forbidden. None if a parameter has a
        range of real numbers, or more than ``most`` values."""
        every = {name: domain.values(most) for name, domain in self.domains.items()}
        known = {name: values for name, values in every.items() if values is not None}
        return self._count(list(known), {}, known) if len(known) == len(every) else None

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

    def _count(
        self, names: list[str], config: Config, values: Mapping[str, Sequence[Value]]
    ) -> int:
        """The number of combinations of ``values`` in which the parameters are active together.
        Recurses only at parents: any other parameter simply multiplies the number."""
        size = 1
        parents = {d.when.parent for d in self.domains.values() if d.when is not None}
        for i, name in enumerate(names):
            if not self.is_active(name, config):
                continue
            if name in parents:
                rest = names[i + 1 :]
                return size * sum(
                    self._count(rest, {**config, name: v}, values) for v in values[name]
                )
            size *= len(values[name])
        return size

    def _check_name(self, name: str) -> None:
        if name not in self.domains:
            raise ValueError(
                f"no parameter '{name}' in the space: it has {', '.join(self.domains)}"
            )


def _check_condition(name: str, condition: Condition, earlier: Mapping[str, Domain]) -> None:
    if not isinstance(condition, Condition):
        raise ValueError(f"{name} needs an AtLeast or a OneOf as `when`, not {condition!r}")
    parent = earlier.get(condition.parent)
    if parent is None:
        raise ValueError(f"{name} depends on '{condition.parent}', which must stand before it")
    if isinstance(parent, Float):
        raise ValueError(
            f"{name} depends on '{condition.parent}', which must be an Int or a Choice"
        )
    if not can_hold(condition, parent):
        raise ValueError(f"{name} can never be active: no value satisfies {condition}")


def _can_hold(condition: Condition, domains: Mapping[str, Domain]) -> bool:
    parent = domains.get(condition.parent)
    return parent is not None and not isinstance(parent, Float) and can_hold(condition, parent)


def name_of(function: object) -> str:
    """``module:name`` of a function or class; ``str()`` of any other callable."""
    name = getattr(function, "__qualname__", None)
    return str(function) if name is None else f"{getattr(function, '__module__', '')}:{name}"
