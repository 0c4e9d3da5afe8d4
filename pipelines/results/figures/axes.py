"""What the figures share: axes that outliers do not stretch, lines that can be told apart, and
thinning out of points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import plotly.graph_objects as go

from search_spaces import Choice, Value
from search_spaces.domains import Domain
from trainables.training.metrics import Mode

T = TypeVar("T")

# The palette of Okabe and Ito, as for the fates. The next line has another colour and another dash.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_FEW = 10  # on an axis with a smaller range Plotly would mark halves

_STANDOFF = 4  # pixels between a vertical axis and its title: long numbers came close to it
_MARGIN = 1.1  # a logarithmic axis goes beyond its values by this factor
_LEAST_TICKS = 3
_DIGITS = ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9))  # of ticks: coarse, else fine
_DECADES = 2  # an axis with more of them is marked at powers of ten only

FENCE = 1.5  # times the interquartile range: values beyond it are outliers (Tukey 1977)
_PADDING = 0.05
NARROW_MARGINS = {"l": 16, "r": 16, "t": 24, "b": 16}
"""For a figure whose axes and legend take their own room: Plotly's margins fill half a phone."""
NUMBERS = {"exponentformat": "power", "minexponent": 4}
"""How an axis writes numbers: 0.5 and 20000, but 3e8 and 6e-5 as powers of ten, not 300M or 60µ."""


def figure(x: str, y: str, **layout: Any) -> go.Figure:
    """An empty figure whose axes are called ``x`` and ``y``."""
    # The template "none" is nearly empty: copying a full one into each figure would take longest.
    shared = {
        "template": "none",
        "margin": {"l": 60, "r": 16, "t": 16, "b": 44},
        "hovermode": "closest",
        "showlegend": True,  # by default Plotly hides the legend of a single trace
        "legend": {
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "font": {"size": 11},  # so that two entries fit into a line of a small figure
        },
    }
    axes = {
        f"{name}axis": {"title": title, **NUMBERS, **layout.pop(f"{name}axis", {})}
        for name, title in (("x", {"text": x}), ("y", {"text": y, "standoff": _STANDOFF}))
    }
    return go.Figure(layout={**shared, **axes, **layout})


def line_style(place: int) -> dict[str, str]:
    """The colour and the dash of the line at this place among others."""
    return {"color": _COLOURS[place % len(_COLOURS)], "dash": _DASHES[place % len(_DASHES)]}


def whole(least: float, most: float) -> dict[str, Any]:
    """The ticks of an axis of whole numbers."""
    return {"dtick": 1} if most - least < _FEW else {}


def log_axis(least: float, most: float, *, integers: bool = False) -> dict[str, Any]:
    """A logarithmic axis for values from ``least`` to ``most``, which may all be ``integers``.
    Plotly's own ticks would write 2 and 5 for 0.02, 0.05, 0.2 and 0.5."""
    if most / least >= 10**_DECADES:
        return {"type": "log", "dtick": 1}
    return {"type": "log", **round_ticks(least, most, integers=integers)}


def round_ticks(least: float, most: float, *, integers: bool = False) -> dict[str, Any]:
    """Ticks at round numbers from about ``least`` to about ``most`` for a logarithmic axis, or at
    ``least`` if there are none."""
    low, high = least / _MARGIN, most * _MARGIN
    tens = [10.0**n for n in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    ticks: list[float] = []
    for digits in _DIGITS:
        ticks = [ten * d for ten in tens for d in digits if low <= ten * d <= high]
        ticks = [tick for tick in ticks if not integers or tick.is_integer()]
        if len(ticks) >= _LEAST_TICKS:
            break
    ticks = ticks or [least]
    return {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def score_range(
    values: Sequence[float], mode: Mode, inside: Sequence[float] = ()
) -> tuple[float, float]:
    """The bounds of an axis for ``values``. Outliers on the bad side are left out, but the values
    ``inside`` are always included. (0, 1) if there are no values. If half of the values are equal,
    nothing tells what an outlier is, and all are included."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, middle_low, middle_high, high = np.quantile(finite, (0, 0.25, 0.75, 1)).tolist()
    fence = FENCE * (middle_high - middle_low) or math.inf
    if mode == "max":
        low = max(low, middle_low - fence)
    else:
        high = min(high, middle_high + fence)
    low, high = min([low, *inside]), max([high, *inside])
    padding = _PADDING * (high - low) or 0.05 * abs(high) or 0.05
    return low - padding, high + padding


def clamp(values: Sequence[float], bounds: tuple[float, float]) -> list[float]:
    """``values``, with a value outside the bounds moved to the edge."""
    return [min(max(value, bounds[0]), bounds[1]) for value in values]


def thin(items: Sequence[T], most: int) -> list[T]:
    """``most`` of the items, equally far apart, including the first and the last; all items if
    there are no more than that."""
    if len(items) <= most:
        return list(items)
    places = np.unique(np.linspace(0, len(items) - 1, most).round().astype(int))
    return [items[place] for place in places]


def compact(values: Sequence[float | None] | np.ndarray) -> np.ndarray:
    """``values`` in single precision, which takes half the room; in double precision if one of them
    is too large or too small for that."""
    array = np.asarray(values, np.float64)
    sizes, single = np.abs(array[np.isfinite(array) & (array != 0)]), np.finfo(np.float32)
    fits = bool(np.all((sizes >= single.tiny) & (sizes <= single.max)))
    return array.astype(np.float32) if fits else array


def in_order(domain: Choice) -> list[Value]:
    """The options in their order on an axis: numbers from the smallest to the largest, others in
    the order of the domain."""
    options = list(domain.options)
    if all(isinstance(option, int | float) and not isinstance(option, bool) for option in options):
        return sorted(options)
    return options


def position(domain: Domain, value: Value) -> float:
    """Where ``value`` lies in its domain, from 0 to 1; for a choice, its place :func:`in_order`."""
    if isinstance(domain, Choice):
        place = [str(option) for option in in_order(domain)].index(str(value))
        return place / max(1, len(domain.options) - 1)
    assert not isinstance(value, str)
    if domain.single:
        return 0.5
    if domain.log:
        return math.log(value / domain.low) / math.log(domain.high / domain.low)
    return (value - domain.low) / (domain.high - domain.low)
