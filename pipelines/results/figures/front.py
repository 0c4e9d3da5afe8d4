"""The Pareto front of several objectives: every trial by two of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.front import pareto_front
from pipelines.record.goals import Aim, Goals, reached
from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results import wording
from pipelines.results.fates import BEST, COLOURS, SYMBOLS, Fate, fate
from pipelines.results.figures.axes import clamp, figure, score_range, thin
from pipelines.results.figures.labels import label

MOST_POINTS = 1500
_WIDE = 30.0  # largest over smallest value: beyond it an axis of positive numbers is logarithmic


class Front(NamedTuple):
    """A row for each trial that has both objectives and did not diverge."""

    aims: tuple[Aim, Aim]  # of x, and of y
    number: list[int]
    x: list[float]
    y: list[float]
    fate: list[Fate]
    on_front: list[bool]  # on the front of all objectives, not only of these two


def front_data(trials: Sequence[FinishedTrial], goals: Goals, x: Aim) -> Front:
    """The first objective against another one, ``x``."""
    y = goals.first
    best = {id(trial) for trial in pareto_front(trials, goals)}
    rows = [
        (number, across, up, fate(trial), id(trial) in best)
        for number, trial in enumerate(trials)
        if fate(trial) not in (Fate.DIVERGED, Fate.FAILED)
        and (across := reached(trial, x.name)) is not None
        and (up := reached(trial, y.name)) is not None
    ]
    return Front(
        (x, y),
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[2] for row in rows],
        [row[3] for row in rows],
        [row[4] for row in rows],
    )


def front_figure(data: Front, *, joined: bool = True) -> go.Figure:
    """The trials by fate, and those on the front: ``joined`` by a line if there are no objectives
    beside these two."""
    x_aim, y_aim = data.aims
    bounds = score_range(data.y, y_aim.mode)
    drawn = figure(label(x_aim.name), label(y_aim.name))
    rows = thin(range(len(data.number)), MOST_POINTS)
    for kind in Fate:
        of_kind = [row for row in rows if data.fate[row] is kind and not data.on_front[row]]
        if of_kind:
            _add(drawn, data, of_kind, bounds, kind.value, COLOURS[kind], SYMBOLS[kind])
    best = sorted((n for n, on in enumerate(data.on_front) if on), key=lambda n: data.x[n])
    _add(drawn, data, best, bounds, "on the front", BEST, "star")
    drawn.data[-1].update(marker={"size": 11})
    if joined:
        line = {
            "color": BEST,
            "width": 1,
            "dash": "dot",
            "shape": "hv" if x_aim.mode == "min" else "vh",
        }
        drawn.data[-1].update(mode="lines+markers", line=line)
    drawn.update_yaxes(range=bounds)
    if data.x and min(data.x) > 0 and max(data.x) > _WIDE * min(data.x):
        drawn.update_xaxes(type="log")
    return drawn


def _add(
    drawn: go.Figure,
    data: Front,
    rows: Sequence[int],
    bounds: tuple[float, float],
    name: str,
    colour: str,
    symbol: str,
) -> None:
    is_count = wording.counts(data.aims[0].name, data.x)
    drawn.add_scatter(
        x=np.array([data.x[row] for row in rows]),
        y=np.array(clamp([data.y[row] for row in rows], bounds)),
        customdata=np.array([data.number[row] for row in rows]),
        text=[
            f"{wording.objective(data.x[row], is_count=is_count)}, {shown_score(data.y[row])}"
            for row in rows
        ],
        hovertemplate="trial %{customdata}: %{text}<extra></extra>",
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 7},
        cliponaxis=False,
        name=name,
    )
