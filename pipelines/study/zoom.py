"""The ranges for a search that follows another one: around its best trials, and beyond an edge of
the old range if the best trial lies there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.record.trials import FinishedTrial, ranked
from search_spaces import Choice, Float, Int, SearchSpace, Value
from search_spaces.domains import Domain
from search_spaces.limits import LIMITS, ORDERED
from trainables.training.metrics import Metric

QUANTILE = 0.25
_WIDEST = 24  # letters, of a column of the table
LEAST_TOP = 5  # trials; the top has at least so many
LEAST_ACTIVE = 3  # top trials that must have a parameter before its range changes
LEAST_TRIED = 3  # trials that an option must have had before it may be dropped
EDGE = 0.05  # of the old range: a best value that is closer to an edge may be better beyond it
WIDENING = 0.5  # of the old range, beyond that edge
PADDING = 0.1  # of the range of the top trials, added on either side
LEAST_PADDING = 0.05  # of the old range, because the top trials of a grid may all have one value

Limits = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Change:
    """How a parameter changes, and why. ``new`` is None if it is left out."""

    name: str
    old: Domain
    new: Domain | None
    why: str


def zoom(
    space: SearchSpace,
    trials: Sequence[FinishedTrial],
    metric: Metric,
    quantile: float = QUANTILE,
    limits: Limits = LIMITS,
) -> tuple[SearchSpace, list[Change]]:
    """The space around the best ``quantile`` of the trials, and a row for each of its parameters
    that is not idle.

    Diverged and failed trials, and those that the space does not contain, do not count. No range is
    widened beyond ``limits``, and a parameter that is not in them is not widened at all.

    Raises ``ValueError`` for a quantile outside (0, 1] and for too few trials.
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"the quantile must be above 0 and at most 1, not {quantile:g}")
    sound = [trial for trial in ranked(trials, metric) if space.contains(trial.config)]
    if len(sound) < LEAST_TOP:
        raise ValueError(
            f"zooming in needs {LEAST_TOP} trials that neither diverged nor failed: there are "
            f"{len(sound)} among {len(trials)}; search with more `trials` first"
        )
    top = sound[: max(LEAST_TOP, math.ceil(quantile * len(sound)))]
    domains = dict(space.domains)
    reasons: dict[str, str] = {}
    for name, old in space.domains.items():
        found = _Found(len(top), [t.config[name] for t in top if name in t.config], len(sound))
        if old.single:
            reasons[name] = "has one value only: kept"
        elif len(found.values) < LEAST_ACTIVE:
            reasons[name] = f"too few of the top {len(top)} trials have it: kept"
        elif isinstance(old, Choice):
            tried = Counter(t.config[name] for t in sound if name in t.config)
            domains[name], reasons[name] = _chosen(old, found, tried)
        else:
            domains[name], reasons[name] = _bounded(old, found, _limits(name, limits, domains))
    zoomed = space.replace(domains)
    return zoomed, [
        Change(name, old, zoomed.domains[name], reasons[name])
        if name in zoomed.domains
        else Change(name, old, None, "never active in the new space: left out")
        for name, old in space.domains.items()
        if name not in space.idle
    ]


def zoom_lines(changes: Sequence[Change]) -> Iterator[str]:
    """The table of changes, with aligned columns: a longer cell moves those after it to the right,
    so that one long list of options widens no other line."""
    rows = [("parameter", "old", "new", "why"), *map(_row, changes)]
    widths = [min(max(len(row[column]) for row in rows), _WIDEST) for column in range(3)]
    for *cells, why in rows:
        columns = [f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)]
        yield "  ".join(["", *columns, why])


def _row(change: Change) -> tuple[str, str, str, str]:
    new = "-" if change.new is None else "same" if change.new == change.old else str(change.new)
    return change.name, str(change.old), new, change.why


@dataclass(frozen=True)
class _Found:
    """The values of a parameter in the ``top`` trials that have it, the best first."""

    top: int
    values: list[Value]
    sound: int

    def __str__(self) -> str:
        have = "" if len(self.values) == self.top else f"the {len(self.values)} that have it of "
        return f"{have}the top {self.top} of {self.sound} trials"


def _chosen(old: Choice, found: _Found, tried: Mapping[Value, int]) -> tuple[Choice, str]:
    missing = [option for option in old.options if option not in found.values]
    dropped = [option for option in missing if tried.get(option, 0) >= LEAST_TRIED]
    spared = [option for option in missing if option not in dropped]
    reasons = []
    if dropped:
        reasons.append(f"none of {found} has {_listed(dropped)}: dropped")
    if spared:
        reasons.append(f"fewer than {LEAST_TRIED} trials had {_listed(spared)}: kept")
    kept = tuple(option for option in old.options if option not in dropped)
    why = "; ".join(reasons) or f"{found} have every option: kept"
    return replace(old, options=kept), why


def _listed(options: Sequence[Value]) -> str:
    return ", ".join(map(str, options))


def _limits(name: str, limits: Limits, domains: Mapping[str, Domain]) -> tuple[float, float] | None:
    """How far a parameter may be widened, given the present ranges of the others; None if it must
    not be widened."""
    if name not in limits:
        return None
    low, high = limits[name]
    for lower, upper in ORDERED:
        other = domains.get(upper if name == lower else lower)
        if isinstance(other, Float | Int):
            if name == lower:
                high = min(high, other.low)
            elif name == upper:
                low = max(low, other.high)
    return low, high


def _bounded(
    old: Float | Int, found: _Found, limits: tuple[float, float] | None
) -> tuple[Float | Int, str]:
    values = [float(value) for value in found.values]
    least, most, best = min(values), max(values), values[0]
    scale = _Scale(old)
    padding = max(PADDING * (scale.of(most) - scale.of(least)), LEAST_PADDING)
    low: float = old.clip(scale.value(max(scale.of(least) - padding, 0.0)))
    high: float = old.clip(scale.value(min(scale.of(most) + padding, 1.0)))
    step = 1 if isinstance(old, Int) else 0  # a range is widened by at least this
    where = f"are at {best:.4g}" if least == most else f"lie in {least:.4g} .. {most:.4g}"
    why = f"{found} {where}"
    if scale.of(best) <= EDGE:
        low = old.low
        if limits is not None:
            low = min(low, max(limits[0], min(scale.value(-WIDENING), low - step)))
        why += f"; {_at_edge(best, 'lower', low < old.low, limits)}"
    elif scale.of(best) >= 1 - EDGE:
        high = old.high
        if limits is not None:
            high = max(high, min(limits[1], max(scale.value(1 + WIDENING), high + step)))
        why += f"; {_at_edge(best, 'upper', high > old.high, limits)}"
    if isinstance(old, Int):
        return replace(old, low=math.ceil(low), high=math.floor(high)), why
    return replace(old, low=low, high=high), why


def _at_edge(best: float, edge: str, widened: bool, limits: tuple[float, float] | None) -> str:
    if widened:
        outcome = "widened"
    elif limits is None:
        outcome = "widen it by hand"
    else:
        outcome = "kept, because it cannot go further"
    return f"best {best:.4g} within {EDGE:.0%} of the {edge} edge: {outcome}"


class _Scale:
    """A range scaled to 0 .. 1, by the logarithm if the domain is logarithmic."""

    def __init__(self, domain: Float | Int) -> None:
        self._domain = domain
        self._low = self._to(domain.low)
        self._width = self._to(domain.high) - self._low

    def of(self, value: float) -> float:
        return (self._to(value) - self._low) / self._width

    def value(self, position: float) -> float:
        """The value at ``position``, rounded to a whole number or to 1% of the range or less."""
        if position in (0.0, 1.0):
            return self._domain.high if position else self._domain.low
        at = self._low + position * self._width
        exact = math.exp(at) if self._domain.log else at
        if isinstance(self._domain, Int):
            return round(exact)
        width = exact * min(1.0, self._width) if self._domain.log else self._width
        return round(exact, 2 - math.floor(math.log10(width)))

    def _to(self, value: float) -> float:
        return math.log(value) if self._domain.log else float(value)
