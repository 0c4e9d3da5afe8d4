"""Parallel coordinates: each trial a line through its parameters.

The lines are drawn on ordinary axes, not with Plotly's ``parcoords``: it cannot show that a trial
does not have a parameter, and its lines cannot be clicked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from pipelines.record.trials import FinishedTrial
from pipelines.results.figures.axes import figure, in_order, position, thin
from pipelines.results.figures.labels import label, labels
from search_spaces import Choice, SearchSpace
from search_spaces.domains import Domain

MOST_AXES = 12
MOST_LINES = 200
_LONGEST_NAME, _LONGEST_OPTION = 16, 12  # letters
_INACTIVE = -0.12  # where a line passes the axis of a parameter that the trial does not have
_COLOURS = ["#9aa5b1", "#56b4e9", "#009e73"]  # worst to best; visible on white and on black
_BANDS = 8  # of colour, from the worst trials to the best


class Line(NamedTuple):
    """One trial: a position from 0 to 1 on each axis; None if it does not have the parameter."""

    number: int
    rank: float  # 0 for the worst trial, 1 for the best; equal trials have the same
    positions: list[float | None]


class Parallel(NamedTuple):
    """The axes, and the lines from the worst to the best."""

    names: list[str]
    lines: list[Line]
    varied: int  # number of parameters that could have an axis


def parallel_data(
    trials: Sequence[FinishedTrial],
    space: SearchSpace,
    ranked: Sequence[FinishedTrial],
    names: Sequence[str] = (),
) -> Parallel:
    """The lines of the ``ranked`` trials. The axes are the parameters that vary, in the order of
    ``names``, at most ``MOST_AXES``."""
    varied = [name for name in space.domains if _varies(name, trials)]
    every = [name for name in names if name in varied] or varied
    axes = every[:MOST_AXES]
    numbers = {id(trial): number for number, trial in enumerate(trials)}
    best = [trial for trial in ranked if id(trial) in numbers]
    firsts = {trial.value: place for place, trial in reversed(list(enumerate(best)))}
    lines = []
    for trial in best:
        places = [
            position(space.domains[name], trial.config[name]) if name in trial.config else None
            for name in axes
        ]
        rank = 1 - firsts[trial.value] / max(1, len(best) - 1)
        lines.append(Line(numbers[id(trial)], rank, places))
    return Parallel(axes, thin(lines, MOST_LINES)[::-1], len(every))


def _varies(name: str, trials: Sequence[FinishedTrial]) -> bool:
    return len({trial.config.get(name) for trial in trials}) > 1


def parallel_figure(data: Parallel, space: SearchSpace) -> go.Figure:
    """Better trials are greener and drawn later. A line passes below the axis of a parameter that
    its trial does not have."""
    drawn = figure("", "", showlegend=False, margin={"l": 16, "r": 90, "t": 28, "b": 70})
    colours = sample_colorscale(_COLOURS, np.linspace(0, 1, _BANDS).tolist())
    for band, colour in enumerate(colours):
        lines = [line for line in data.lines if min(int(line.rank * _BANDS), _BANDS - 1) == band]
        if not lines:
            continue
        width = len(data.names) + 1
        y = [_INACTIVE if p is None else p for line in lines for p in (*line.positions, np.nan)]
        drawn.add_scatter(
            x=np.array([*range(width - 1), np.nan] * len(lines), np.float32),
            y=np.array(y, np.float32),
            customdata=np.array([line.number for line in lines for _ in range(width)], np.int32),
            hovertemplate="trial %{customdata}<extra></extra>",
            mode="lines",
            line={"color": colour, "width": 0.8 + 1.6 * band / _BANDS},
            opacity=0.25 + 0.6 * band / _BANDS,
        )
    line = {"type": "line", "y0": 0, "y1": 1, "yref": "y domain"}
    line["line"] = {"color": "rgba(128,128,128,0.8)", "width": 1}
    text = {"showarrow": False, "font": {"size": 10}, "xanchor": "left"}
    drawn.update_layout(  # all at once: with each one that is added, Plotly copies the others
        shapes=[{**line, "x0": place, "x1": place} for place in range(len(data.names))],
        annotations=[
            {**text, "x": place, "y": at, "text": words, "hovertext": whole}
            for place, name in enumerate(data.names)
            for at, words, whole in _ticks(name, space.domains[name])
        ],
    )
    names = labels(data.names, _LONGEST_NAME)
    ticks = {"tickvals": list(range(len(names))), "ticktext": names}
    drawn.update_xaxes(**ticks, range=[-0.2, len(data.names) - 0.4], showgrid=False, tickangle=30)
    drawn.update_yaxes(
        range=[_INACTIVE - 0.05, 1.08], tickvals=[_INACTIVE], ticktext=[""], showgrid=False
    )
    return drawn.update_yaxes(zeroline=False).update_xaxes(zeroline=False)


def _ticks(name: str, domain: Domain) -> list[tuple[float, str, str]]:
    """The ticks of an axis: the place, a short text, and the full text for hovering."""
    options = in_order(domain) if isinstance(domain, Choice) else [domain.low, domain.high]
    return [
        (position(domain, option), words, f"{label(name, 100)}: {label(option, 100)}")
        for option, words in zip(options, labels(options, _LONGEST_OPTION), strict=True)
    ]
