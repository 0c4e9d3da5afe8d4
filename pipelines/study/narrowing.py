"""Applies the settings to a space: parameters fixed, ranges narrowed, large networks left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np

from pipelines.study.settings import Scalar
from pipelines.tuner.sampling.samplers import PATIENCE
from search_spaces import Choice, Config, Float, Int, SearchSpace
from search_spaces.domains import Domain
from search_spaces.limits import LIMITS, ORDERED
from search_spaces.space import name_of
from trainables.data.datasets import TrialData
from trainables.networks import Network

_TRIED = 300  # configs


def narrow(
    space: SearchSpace,
    fixed: Mapping[str, Scalar],
    ranges: Mapping[str, tuple[Scalar, Scalar]],
) -> SearchSpace:
    """The space with some parameters fixed, and others between a low and a high value.

    Raises ``ValueError`` for a name that the space does not have, for one that the other settings
    rule out, and for a value of the wrong type.
    """
    changes: dict[str, Domain] = {}
    given: dict[str, str] = {}
    for name, value in fixed.items():
        where = given[name] = f"`fix` {name}={_text(value)}"
        changes[name] = _fixed(name, _find(space, name, where), value, where)
    for name, (low, high) in ranges.items():
        where = f"`range` {name}={_text(low)}..{_text(high)}"
        if name in changes:
            raise ValueError(f"{where}: {name} is given twice")
        given[name] = where
        changes[name] = _ranged(_find(space, name, where), low, high, where)
    if not changes:
        return space
    narrowed = space.replace(changes)
    for name, where in given.items():
        if name not in narrowed.domains:
            needed = space.domains[name].when
            raise ValueError(f"{where}: {name} needs {needed}, which the other settings rule out")
    # A number may be changed in the first configs. With another optimiser or policy, or with batch
    # norm, a config would be a different one.
    values = {name: domain.at(0.0) for name, domain in changes.items() if domain.single}
    numbers = {name: value for name, value in values.items() if type(value) in (int, float)}
    return _with_values(space, narrowed, numbers)


def for_data(space: SearchSpace, network: Network, data: TrialData) -> SearchSpace:
    """The space without the choices that make no difference for ``data``."""
    fixed = {
        name: value
        for name, value in network.without_use(data).items()
        if name in space.domains and space.domains[name].contains(value)
    }
    narrowed = space.replace({name: Choice((value,)) for name, value in fixed.items()})
    return _with_values(space, narrowed, fixed)


def _with_values(space: SearchSpace, narrowed: SearchSpace, fixed: Config) -> SearchSpace:
    """``narrowed`` with the configs that ``space`` tries first, each with the ``fixed`` values.
    Configs that ``narrowed`` does not contain are left out."""
    first = [narrowed.active_part({**config, **fixed}) for config in space.try_first]
    different = [config for i, config in enumerate(first) if config not in first[:i]]
    return replace(narrowed, try_first=tuple(c for c in different if narrowed.contains(c)))


@dataclass(frozen=True)
class TooLarge:
    """Whether the network of a config has more than ``most`` trainable parameters."""

    network: Network
    data: TrialData
    most: float

    def __call__(self, config: Config) -> bool:
        return self.network.size(config, self.data) > self.most

    def __str__(self) -> str:
        return f"more than {self.most:g} parameters"


@dataclass(frozen=True)
class Either:
    """Whether at least one of two functions forbids a config."""

    a: Callable[[Config], bool]
    b: Callable[[Config], bool]

    def __call__(self, config: Config) -> bool:
        return self.a(config) or self.b(config)

    def __str__(self) -> str:
        return f"{name_of(self.a)}, {name_of(self.b)}"


def bound_parameters(
    space: SearchSpace, network: Network, data: TrialData, most: float
) -> SearchSpace:
    """The space without configs whose network has more than ``most`` trainable parameters."""
    too_large = TooLarge(network, data, most)
    forbid = too_large if space.forbid is None else Either(space.forbid, too_large)
    return replace(space, forbid=forbid)


def try_forbid(space: SearchSpace) -> None:
    """Raises ``ValueError`` if the function that forbids configs raises an error for one of many
    configs, because it would do so during the search."""
    rng = np.random.default_rng(0)
    for config in (*space.try_first, *(space.sample(rng) for _ in range(_TRIED))):
        space.forbids(config)


def allowed_configs(space: SearchSpace, rng: np.random.Generator, n: int) -> list[Config]:
    """``n`` random configs that the space does not forbid. If it forbids nearly all, the configs
    that were found are repeated.

    Raises ``ValueError`` if it forbids all of many.
    """
    drawn = (space.sample(rng) for _ in range(max(n, PATIENCE)))
    allowed = (c for c in drawn if not space.forbids(c))
    found = list(islice(allowed, n))
    if not found:
        by = name_of(space.forbid)
        raise ValueError(f"{PATIENCE} configs in a row are forbidden by {by}: widen the space")
    return list(islice(cycle(found), n))


def check_sizes(
    space: SearchSpace, network: Network, data: TrialData, most: float, seed: int
) -> None:
    """Raises ``ValueError`` if none of many random networks has at most ``most`` parameters.

    Then no algorithm would find one."""
    rng = np.random.default_rng(seed)
    smallest = math.inf
    for _ in range(PATIENCE):
        smallest = min(smallest, network.size(space.sample(rng), data))
        if smallest <= most:
            return
    raise ValueError(
        f"`max_parameters` {most:g}: the smallest of {PATIENCE:,} networks drawn at random has "
        f"{smallest:,} parameters"
    )


def check_order(space: SearchSpace) -> None:
    """Raises ``ValueError`` if a parameter could be above the one that must be its upper bound,
    because then some trials would fail during the search."""
    for lower, upper in ORDERED:
        low, high = space.domains.get(lower), space.domains.get(upper)
        if isinstance(low, Float | Int) and isinstance(high, Float | Int) and low.high > high.low:
            raise ValueError(
                f"{lower} must not be above {upper}: the space has {lower} up to {low.high:g} and "
                f"{upper} from {high.low:g}"
            )


def _find(space: SearchSpace, name: str, where: str) -> Domain:
    if name not in space.domains:
        names = ", ".join(space.domains)
        raise ValueError(f"{where}: the space has no '{name}': it has {names}")
    return space.domains[name]


def _fixed(name: str, domain: Domain, value: Scalar, where: str) -> Domain:
    parsed = _parse(domain, value, where)
    if isinstance(domain, Choice):
        return replace(domain, options=(parsed,))
    if parsed == 0 and LIMITS.get(name, (math.inf, math.inf))[0] == 0:
        domain = replace(domain, log=False)  # a single value needs no logarithm, and 0 has none
    return _bounded(domain, parsed, parsed, where)


def _ranged(domain: Domain, low: Scalar, high: Scalar, where: str) -> Domain:
    if isinstance(domain, Choice):
        raise ValueError(f"{where}: a choice has no range: use `fix`, or the options {domain}")
    return _bounded(domain, _parse(domain, low, where), _parse(domain, high, where), where)


def _parse(domain: Domain, value: Scalar, where: str) -> Scalar:
    try:
        return domain.parse(_text(value))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _bounded(domain: Float | Int, low: object, high: object, where: str) -> Domain:
    try:
        return replace(domain, low=low, high=high)  # type: ignore[arg-type]  # parsed by the domain
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _text(value: Scalar) -> str:
    """As a user types it, with all digits, so that a number is read back exactly."""
    return str(value).lower() if isinstance(value, bool) else str(value)
