"""The space as the command line leaves it: parameters fixed, ranges narrowed, large models out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from search_spaces import Choice, Config, Float, Int, SearchSpace
from search_spaces.domains import Domain
from trainables.data.datasets import TrialData
from trainables.networks import Network


def narrow(space: SearchSpace, fixed: Iterable[str], ranges: Iterable[str]) -> SearchSpace:
    """The space with ``NAME=VALUE`` fixed and ``NAME=LOW..HIGH`` as ranges.

    Raises ``ValueError`` for a name that the space does not have and a value of the wrong type.
    """
    changes: dict[str, Domain] = {}
    for entry in fixed:
        name, value = _split(entry, "--fix", "NAME=VALUE", space)
        changes[name] = _fixed(space.domains[name], value, f"--fix {entry}")
    for entry in ranges:
        name, value = _split(entry, "--range", "NAME=LOW..HIGH", space)
        if name in changes:
            raise ValueError(f"--range {entry}: {name} is given twice")
        changes[name] = _ranged(space.domains[name], value, f"--range {entry}")
    return space.replace(changes) if changes else space


def bound_parameters(
    space: SearchSpace, network: Network, data: TrialData, most: float
) -> SearchSpace:
    """The space without configs whose network has more than ``most`` trainable parameters."""
    return replace(space, forbid=either(space.forbid, lambda c: network.size(c, data) > most))


def either(
    a: Callable[[Config], bool] | None, b: Callable[[Config], bool]
) -> Callable[[Config], bool]:
    return b if a is None else lambda config: a(config) or b(config)


def _split(entry: str, option: str, form: str, space: SearchSpace) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not (name and equals and value):
        raise ValueError(f"{option} {entry} is not of the form {form}")
    if name not in space.domains:
        names = ", ".join(space.domains)
        raise ValueError(f"{option} {entry}: the space has no '{name}': it has {names}")
    return name, value


def _fixed(domain: Domain, text: str, where: str) -> Domain:
    value = _parse(domain, text, where)
    if isinstance(domain, Choice):
        return replace(domain, options=(value,))
    return _bounded(domain, value, value, where)


def _ranged(domain: Domain, text: str, where: str) -> Domain:
    if isinstance(domain, Choice):
        raise ValueError(f"{where}: a choice has no range: use --fix, or the options {domain}")
    low, dots, high = text.partition("..")
    if not dots:
        raise ValueError(f"{where} is not of the form NAME=LOW..HIGH")
    return _bounded(domain, _parse(domain, low, where), _parse(domain, high, where), where)


def _parse(domain: Domain, text: str, where: str) -> bool | int | float | str:
    try:
        return domain.parse(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _bounded(domain: Float | Int, low: object, high: object, where: str) -> Domain:
    try:
        return replace(domain, low=low, high=high)  # type: ignore[arg-type]  # parsed by the domain
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
