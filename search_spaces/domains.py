"""The building blocks of a search space: frozen domains and conditions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Value: TypeAlias = bool | int | float | str
Config: TypeAlias = dict[str, Value]


def _is_finite(value: Value) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _plain(value: Any) -> Any:
    """``value`` as a Python number if it is a NumPy number; otherwise unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def _options(given: Iterable[Value], what: str) -> tuple[Value, ...]:
    """``given`` as a tuple. Raises ``ValueError`` if these cannot be options."""
    if isinstance(given, str) or not isinstance(given, Iterable):  # a forgotten comma
        raise ValueError(f"options must be a list, not {given!r}: write ({given!r},)")
    options = tuple(_plain(option) for option in given)
    if not options:
        raise ValueError(f"a {what} needs at least one option")
    for option in options:
        if type(option) not in (bool, int, float, str):
            raise ValueError(f"an option must be a bool, int, float or str, not {option!r}")
        if not _is_finite(option):
            raise ValueError(f"an option must be finite, not {option}")
    if len(set(options)) < len(options):  # 1 and True are equal too
        raise ValueError(f"a {what} must not repeat an option: {options}")
    return options


@dataclass(frozen=True)
class AtLeast:
    """Active if ``parent`` is ``bound`` or more.

    Raises ``ValueError`` for a bound that is not a whole number.
    """

    parent: str
    bound: int

    def __post_init__(self) -> None:
        if type(self.bound) is not int:
            raise ValueError(
                f"the bound of {self.parent} must be a whole number, not {self.bound!r}"
            )

    def holds(self, value: Value) -> bool:
        return not isinstance(value, str) and value >= self.bound

    def __str__(self) -> str:
        return f"{self.parent} >= {self.bound}"


@dataclass(frozen=True)
class OneOf:
    """Active if ``parent`` takes one of ``options``.

    Raises ``ValueError`` for the same options as :class:`Choice` does.
    """

    parent: str
    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", _options(self.options, "condition"))

    def holds(self, value: Value) -> bool:
        return value in self.options

    def __str__(self) -> str:
        return f"{self.parent} in {{{', '.join(map(str, self.options))}}}"


Condition: TypeAlias = AtLeast | OneOf


def _check_bounds(low: object, high: object, log: object, *, whole: bool) -> None:
    """Raises ``ValueError`` for a domain that cannot be searched or read again from a record."""
    kinds = (int,) if whole else (int, float)
    if type(low) not in kinds or type(high) not in kinds:
        numbers = "whole numbers" if whole else "numbers"
        raise ValueError(f"bounds must be {numbers}, not {low!r} and {high!r}")
    if type(log) is not bool:
        raise ValueError(f"log must be True or False, not {log!r}")
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if not (_is_finite(low) and _is_finite(high)):
        raise ValueError(f"bounds must be finite, not {low} and {high}")
    if not (_is_number(low) and _is_number(high)):
        raise ValueError(f"bounds must be below 2**63 in size, not {low} and {high}")
    if low > high:
        raise ValueError(f"low must not be above high: {low} > {high}")
    if low < high and float(low) == float(high):
        raise ValueError(f"bounds must differ as floating-point numbers, not {low} and {high}")
    if log and low <= 0:
        raise ValueError(f"a log domain needs low > 0, not {low}")
    if log and math.isinf(high / low):
        raise ValueError(f"low is too small for a log domain up to {high}: {low}")


def _share(value: float, low: float, high: float, log: bool) -> float:
    """How far ``value`` lies between ``low`` and ``high``: 0 to 1, in the logarithm if ``log``."""
    if low == high:
        return 0.5
    return math.log(value / low, high / low) if log else (value - low) / (high - low)


def _spaced(low: float, high: float, log: bool, n: int) -> list[float]:
    """``n`` values from ``low`` to ``high``, equally spaced (in the logarithm if ``log``). If ``n``
    is 1, the value is the middle."""
    fractions = [0.5] if n == 1 else [i / (n - 1) for i in range(n)]
    if log:
        return [low * (high / low) ** f for f in fractions]
    return [low + (high - low) * f for f in fractions]


@dataclass(frozen=True)
class Float:
    """A real number in [low, high]. If ``log``, it is uniform in its logarithm.

    Raises ``ValueError`` for bounds that are not finite numbers or are the wrong way round.
    """

    low: float
    high: float
    log: bool = False
    when: Condition | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _plain(getattr(self, name)))
        _check_bounds(self.low, self.high, self.log, whole=False)

    @property
    def single(self) -> bool:
        return self.low == self.high

    def values(self, most: int) -> tuple[float, ...] | None:
        """All values, if they can be counted and are at most ``most``; otherwise None."""
        return (float(self.low),) if self.single else None

    def at(self, quantile: float) -> float:
        """The value below which this share of all draws lies; ``quantile`` is in [0, 1)."""
        if self.log:
            return self.clip(self.low * (self.high / self.low) ** quantile)
        return self.clip(self.low + (self.high - self.low) * quantile)

    def quantile(self, value: float) -> float:
        """The share of draws below ``value``."""
        return _share(value, self.low, self.high, self.log)

    def clip(self, value: float) -> float:
        return float(min(max(value, self.low), self.high))

    def contains(self, value: object) -> bool:
        return isinstance(value, float) and self.low <= value <= self.high

    def parse(self, text: str) -> float:
        """The value that the user typed. Raises ``ValueError`` if it has another type."""
        number = _number(text)
        if number is None:
            raise ValueError(f"'{text}' is not a number")
        if not math.isfinite(number):
            raise ValueError(f"'{text}' is not a finite number")
        return number

    def levels(self, n: int) -> list[float]:
        return sorted({self.clip(v) for v in _spaced(self.low, self.high, self.log, n)})

    def __str__(self) -> str:
        return f"{self.low:g} .. {self.high:g}{' (log)' if self.log else ''}"


@dataclass(frozen=True)
class Int:
    """An integer in [low, high], both included. If ``log``, it is uniform in its logarithm.

    Raises ``ValueError`` for bounds that are not whole numbers or are the wrong way round.
    """

    low: int
    high: int
    log: bool = False
    when: Condition | None = None

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, _plain(getattr(self, name)))
        _check_bounds(self.low, self.high, self.log, whole=True)

    @property
    def single(self) -> bool:
        return self.low == self.high

    def values(self, most: int) -> range | None:
        return range(self.low, self.high + 1) if self.high - self.low < most else None

    def at(self, quantile: float) -> int:
        """The value below which this share of all draws lies; ``quantile`` is in [0, 1)."""
        # The range is half a step wider at each end, so that the ends are as likely as the rest.
        low, high = self.low - 0.5, self.high + 0.5
        if self.log:
            return self.clip(low * (high / low) ** quantile)
        return self.clip(low + (high - low) * quantile)

    def quantile(self, value: float) -> float:
        """The share of draws below ``value``, plus half of the draws equal to ``value``."""
        return _share(value, self.low - 0.5, self.high + 0.5, self.log)

    def clip(self, value: float) -> int:
        return int(min(max(round(value), self.low), self.high))

    def contains(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def parse(self, text: str) -> int:
        """The value that the user typed. Raises ``ValueError`` if it has another type."""
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
    """One of ``options``, which have no order. If only one option can be tried, it is the first.

    Raises ``ValueError`` if there are no options, if an option is given twice, and if an option is
    not a bool, number or str.
    """

    options: tuple[Value, ...]
    when: Condition | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", _options(self.options, "choice"))

    @property
    def single(self) -> bool:
        return len(self.options) == 1

    def values(self, most: int) -> tuple[Value, ...] | None:
        return self.options if len(self.options) <= most else None

    def at(self, quantile: float) -> Value:
        """The option before which this share of all draws lies; ``quantile`` is in [0, 1)."""
        return self.options[int(quantile * len(self.options))]

    def contains(self, value: object) -> bool:
        return any(type(value) is type(option) and value == option for option in self.options)

    def parse(self, text: str) -> Value:
        """The option that the user typed. Raises ``ValueError`` if ``text`` is not an option."""
        for option in self.options:
            if str(option).lower() == text.lower():
                return option
        for option in self.options:
            if _is_number(option) and option == _number(text):  # such as 0 for 0.0
                return option
        texts = [o for o in self.options if isinstance(o, str) and _number(o) is not None]
        meant = [option for option in texts if _number(option) == _number(text)]  # 1 for "01"
        if len(meant) == 1:
            return meant[0]
        raise ValueError(f"'{text}' is none of {', '.join(map(str, self.options))}")

    def levels(self, n: int) -> list[Value]:
        return list(self.options[:n])

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, self.options)) + "}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


Domain: TypeAlias = Float | Int | Choice


def can_hold(condition: Condition, parent: Int | Choice) -> bool:
    """Whether some value of ``parent`` satisfies ``condition``."""
    if isinstance(parent, Choice):
        return any(condition.holds(value) for value in parent.options)
    if isinstance(condition, AtLeast):
        return condition.holds(parent.high)
    return any(
        not isinstance(option, str) and parent.low <= option <= parent.high and option % 1 == 0
        for option in condition.options
    )


def domain_to_dict(domain: Domain) -> dict[str, Any]:
    """A domain and its condition as values that JSON can hold."""
    content: dict[str, Any] = {"kind": type(domain).__name__.lower()}
    if isinstance(domain, Choice):
        content["options"] = list(domain.options)
    else:
        content |= {"low": domain.low, "high": domain.high, "log": domain.log}
    if isinstance(domain.when, AtLeast):
        content["when"] = {"parent": domain.when.parent, "at_least": domain.when.bound}
    elif isinstance(domain.when, OneOf):
        content["when"] = {"parent": domain.when.parent, "one_of": list(domain.when.options)}
    return content


def domain_from_dict(content: Mapping[str, Any]) -> Domain:
    """The domain that :func:`domain_to_dict` wrote.

    Raises ``ValueError`` for an unknown kind, and ``KeyError`` if something is missing.
    """
    when = _condition(content["when"]) if "when" in content else None
    if content["kind"] == "choice":
        return Choice(content["options"], when)
    kinds: dict[str, type[Float | Int]] = {"float": Float, "int": Int}
    if content["kind"] not in kinds:
        raise ValueError(f"unknown kind of domain '{content['kind']}': not float, int or choice")
    return kinds[content["kind"]](content["low"], content["high"], content["log"], when)


def _is_number(value: object) -> bool:
    """Whether ``value`` is a number of a size that all algorithms can hold."""
    return type(value) in (int, float) and abs(value) < 2**63  # type: ignore[arg-type]


def _condition(content: Mapping[str, Any]) -> Condition:
    if "at_least" in content:
        return AtLeast(content["parent"], content["at_least"])
    return OneOf(content["parent"], content["one_of"])
