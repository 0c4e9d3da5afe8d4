"""One parameter against the score: where the best trials lie, whether the best lies at an edge, and
where trials diverge."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.advice import LEAST_TRIALS, threshold
from pipelines.results.fates import BEST, COLOURS, SYMBOLS, Fate, fate, is_sound
from pipelines.results.figures.axes import clamp, figure, in_order, log_axis, position, thin, whole
from pipelines.results.figures.labels import label, labels
from pipelines.study.zoom import EDGE
from search_spaces import Choice, Int, Value
from search_spaces.domains import Domain
from search_spaces.limits import LIMITS
from trainables.training.metrics import Metric

MOST_POINTS = 600  # of more trials, about this many are drawn
_LEAST_POINTS = 20  # so many of the best trials and of each fate are drawn in any case
_LONGEST_NAME, _LONGEST_OPTION = 36, 14  # letters that a small figure has room for
_ANGLES = (0, -45, -90)  # of options: by default, a long last one goes beyond the edge and is lost
_TOP = 0.25
_LEAST_TOP = 5
_WHOLE = 0.8  # of the range: a best range that is this wide says nothing


class Slice(NamedTuple):
    """The trials in which the parameter is active."""

    name: str
    number: list[int]
    x: list[Value]
    y: list[float | None]  # None for a trial that diverged or failed
    fate: list[Fate]
    best: Value | None  # the value in the best of these trials
    best_range: tuple[Value, Value] | None
    """The range of the best quarter of the trials, and of those as good as its last, without a
    tenth on either side. None for a choice, for too few trials, if all are equal, and if it is
    nearly the whole range."""
    edge: str
    """"lower" or "upper" if the best trial of all lies at that edge, and so do those with the same
    score; else ""."""
    diverges_above: float | None


def slice_data(
    name: str, domain: Domain, trials: Sequence[FinishedTrial], ranked: Sequence[FinishedTrial]
) -> Slice:
    """``name`` against the best value of each trial; ``ranked`` has the best trials first."""
    rows = [(number, trial) for number, trial in enumerate(trials) if name in trial.config]
    known = {id(trial) for trial in trials}
    among = [trial for trial in ranked if id(trial) in known]
    sound = [trial for trial in among if name in trial.config]
    best = sound[0].config[name] if sound else None
    return Slice(
        name,
        [number for number, _ in rows],
        [trial.config[name] for _, trial in rows],
        [trial.value if is_sound(trial) else None for _, trial in rows],
        [fate(trial) for _, trial in rows],
        best,
        _best_range(name, domain, sound),
        _edge(name, domain, among),
        _diverges_above(name, domain, [trial for _, trial in rows]),
    )


def _best_range(
    name: str, domain: Domain, sound: Sequence[FinishedTrial]
) -> tuple[Value, Value] | None:
    if isinstance(domain, Choice) or len(sound) < 2 * _LEAST_TOP:
        return None
    worst = sound[max(_LEAST_TOP, math.ceil(_TOP * len(sound))) - 1].value
    count = max(n for n, trial in enumerate(sound, start=1) if trial.value == worst)
    if count == len(sound):
        return None
    top = sorted(trial.config[name] for trial in sound[:count])
    ends = len(top) // 10
    low, high = top[ends], top[-1 - ends]
    return (low, high) if position(domain, high) - position(domain, low) < _WHOLE else None


def _edge(name: str, domain: Domain, best: Sequence[FinishedTrial]) -> str:
    equal = [trial for trial in best if trial.value == best[0].value]
    if isinstance(domain, Choice) or domain.single or not equal:
        return ""
    if any(name not in trial.config for trial in equal):
        return ""
    places = [position(domain, trial.config[name]) for trial in equal]
    least, most = LIMITS.get(name, (-math.inf, math.inf))
    if max(places) <= EDGE:
        return "lower" if domain.low > least else ""  # beyond its limit a value makes no sense
    return "upper" if min(places) >= 1 - EDGE and domain.high < most else ""


def _diverges_above(name: str, domain: Domain, trials: Sequence[FinishedTrial]) -> float | None:
    if isinstance(domain, Choice) or sum(trial.diverged for trial in trials) < LEAST_TRIALS:
        return None
    return threshold(trials, lambda trial: trial.diverged, "above", name)


def slice_figure(
    data: Slice, domain: Domain, score: str, metric: Metric, bounds: tuple[float, float]
) -> go.Figure:
    """Points by fate; a trial without a value lies on the bad edge of ``bounds``. The range of the
    best quarter is green, the range in which trials diverge is red. If there are very many trials,
    the best and some of each fate are drawn."""
    bad = bounds[metric.mode == "min"]
    drawn = figure(label(data.name, _LONGEST_NAME), label(score), showlegend=False)
    drawn.update_yaxes(range=bounds)
    _scale(drawn, domain)
    best = _best_rows(data, metric)
    for kind in Fate:
        rows = _drawn(data, kind, best)
        if not rows:
            continue
        shown = [bad if (value := data.y[row]) is None else value for row in rows]
        drawn.add_scatter(
            x=[_place(domain, data.x[row]) for row in rows],
            y=np.array(clamp(shown, bounds)),
            customdata=np.array([data.number[row] for row in rows]),
            text=[f"{label(data.x[row], 100)}, {wording.score(data.y[row])}" for row in rows],
            hovertemplate="trial %{customdata}: %{text}<extra>" + kind.value + "</extra>",
            mode="markers",
            marker={"color": COLOURS[kind], "symbol": SYMBOLS[kind], "size": 6},
            cliponaxis=False,
        )
    if data.best_range is not None:
        left, right = data.best_range
        drawn.add_vrect(x0=left, x1=right, fillcolor=BEST, opacity=0.13, line_width=0)
    if data.diverges_above is not None and not isinstance(domain, Choice):
        drawn.add_vrect(
            x0=data.diverges_above,
            x1=domain.high,
            fillcolor=COLOURS[Fate.DIVERGED],
            opacity=0.13,
            line_width=0,
        )
    return drawn


def _place(domain: Domain, value: Value) -> Value:
    """The place of ``value`` on the axis. Options have numbers: two long ones may look the same."""
    if not isinstance(domain, Choice):
        return value
    return [str(option) for option in in_order(domain)].index(str(value))


def _best_rows(data: Slice, metric: Metric) -> set[int]:
    valued = [(value, row) for row, value in enumerate(data.y) if value is not None]
    valued.sort(reverse=metric.mode == "max")
    return {row for _, row in valued[:_LEAST_POINTS]}


def _drawn(data: Slice, kind: Fate, best: set[int]) -> list[int]:
    """The rows of one fate that are drawn: its share of the points, and all of its best trials."""
    rows = [row for row, ended in enumerate(data.fate) if ended is kind]
    share = MOST_POINTS * len(rows) // max(1, len(data.x))
    return sorted({*thin(rows, max(_LEAST_POINTS, share)), *best.intersection(rows)})


def _scale(drawn: go.Figure, domain: Domain) -> None:
    if isinstance(domain, Choice):
        options = labels(in_order(domain), _LONGEST_OPTION)
        places = list(range(len(options)))
        drawn.update_xaxes(tickvals=places, ticktext=options, range=[-0.5, len(options) - 0.5])
        drawn.update_xaxes(autotickangles=_ANGLES)
    elif domain.log:
        low, high = math.log10(domain.low), math.log10(domain.high)
        margin = 0.03 * (high - low) or 0.1
        drawn.update_xaxes(range=[low - margin, high + margin])
        drawn.update_xaxes(**log_axis(domain.low, domain.high, integers=isinstance(domain, Int)))
    else:
        margin = 0.03 * (domain.high - domain.low) or 0.1
        drawn.update_xaxes(range=[domain.low - margin, domain.high + margin])
        if isinstance(domain, Int):
            drawn.update_xaxes(**whole(domain.low, domain.high))


def key_figure(fates: Collection[Fate]) -> go.Figure:
    """The legend for the points of all slices, as a figure of its own."""
    hidden = {"visible": False, "fixedrange": True}
    legend = {"orientation": "h", "x": 0, "y": 0.5, "yanchor": "middle"}
    margin = dict.fromkeys("lrtb", 0)
    drawn = figure("", "", xaxis=hidden, yaxis=hidden, legend=legend, margin=margin)
    for kind in [kind for kind in Fate if kind in fates]:
        marker = {"color": COLOURS[kind], "symbol": SYMBOLS[kind], "size": 7}
        drawn.add_scatter(x=[None], y=[None], mode="markers", marker=marker, name=kind.value)
    return drawn
