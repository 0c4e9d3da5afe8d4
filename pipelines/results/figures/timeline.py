"""When and where each trial ran, and how long the places were idle."""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import plotly.graph_objects as go

from pipelines.record.trials import FinishedTrial
from pipelines.results.fates import COLOURS, Fate, fate
from pipelines.results.figures.axes import figure
from pipelines.results.figures.labels import label
from pipelines.results.wording import duration, time_unit
from pipelines.results.working_time import Gap

MOST_BARS = 2000
_MOST_EDGES = 300  # bars with white edges, which tell neighbours apart
_SLACK = 1e-3  # seconds
_THICK = 0.85  # of the distance between two places
Held: TypeAlias = list[tuple[float, float]]
"""When trials held a place: (start, end) of each, in order."""


class Bar(NamedTuple):
    """One trial, in minutes since the first started. ``place`` counts over all nodes."""

    number: int
    fate: Fate
    place: int
    start: float
    end: float


class Timeline(NamedTuple):
    """``places`` names each place by its node; ``busy`` is the share of the time of all places in
    which a trial held them. ``gaps`` are the points at which a search was resumed, in minutes; the
    time before them in which no driver worked on the search is left out."""

    bars: list[Bar]
    places: list[str]
    minutes: float
    busy: float
    gaps: Sequence[float] = ()


def timeline_data(trials: Sequence[FinishedTrial], gaps: Sequence[Gap] = ()) -> Timeline:
    """Each trial in the first place of its node that was free while it ran. The node of a trial is
    known from its first epoch on. Before that the trial is in any known place that is free, or is
    not shown. All times are working time."""
    rows = [
        (number, trial)
        for number, trial in enumerate(trials)
        if trial.started and not trial.untrained
    ]
    rows.sort(key=lambda row: row[1].started)
    zero = rows[0][1].started if rows else 0.0
    some_known = any(trial.node for _, trial in rows)
    held: dict[str, list[Held]] = {}
    found = []
    for number, trial in sorted(rows, key=lambda row: not row[1].node):
        start, end = trial.started - zero, trial.started - zero + trial.seconds
        nodes = [trial.node] if trial.node else list(held)
        spots = [(node, place) for node in nodes for place in range(len(held.get(node, [])))]
        spot = next((at for at in spots if _is_free(held[at[0]][at[1]], start, end)), None)
        if spot is None:
            if not trial.node and some_known and fate(trial) is Fate.RUNNING:
                continue
            node = trial.node or "not known"
            spot = node, len(held.setdefault(node, []))
            held[node].append([])
        insort(held[spot[0]][spot[1]], (start, end))
        found.append((number, fate(trial), spot, start / 60, end / 60))
    places = [(node, place) for node, own in held.items() for place in range(len(own))]
    at = {spot: place for place, spot in enumerate(places)}
    bars = [Bar(number, kind, at[spot], *when) for number, kind, spot, *when in found]
    bars.sort(key=lambda bar: bar.start)
    minutes = max((bar.end for bar in bars), default=0.0)
    taken = sum(bar.end - bar.start for bar in bars)
    marks = [(gap.at - zero) / 60 for gap in gaps]
    busy = taken / (minutes * len(places)) if minutes else 0.0
    return Timeline(bars, [node for node, _ in places], minutes, busy, marks)


def _is_free(place: Held, start: float, end: float) -> bool:
    """Whether no trial of the place ran between ``start`` and ``end``."""
    row = bisect(place, (start, end))
    after_others = row == 0 or place[row - 1][1] <= start + _SLACK
    return after_others and (row == len(place) or end <= place[row][0] + _SLACK)


def timeline_figure(data: Timeline) -> go.Figure:
    """A bar for each trial, coloured by fate; if there are very many, only the longest."""
    bars = sorted(data.bars, key=lambda bar: bar.start - bar.end)[:MOST_BARS]
    unit, seconds = time_unit(60 * data.minutes)
    scale = 60 / seconds
    edge = 0.5 if len(bars) <= _MOST_EDGES else 0.0  # else the edges would cover thin bars
    drawn = figure(unit, "", xaxis={"rangemode": "tozero"}, barmode="overlay")
    for kind in Fate:
        rows = [bar for bar in bars if bar.fate is kind]
        if not rows:
            continue
        drawn.add_bar(
            orientation="h",
            base=np.array([scale * bar.start for bar in rows]),
            x=np.array([scale * (bar.end - bar.start) for bar in rows]),
            y=np.array([bar.place for bar in rows]),
            width=_THICK,  # else Plotly makes the bars of a trace as thick as its gaps allow
            customdata=np.array([bar.number for bar in rows]),
            text=[
                f"{duration(60 * (bar.end - bar.start))}, from {duration(60 * bar.start)} on"
                for bar in rows
            ],
            textposition="none",
            hovertemplate="trial %{customdata}: %{text}<extra></extra>",
            marker={"color": COLOURS[kind], "line": {"width": edge, "color": "white"}},
            name=kind.value,
        )
    for minute in data.gaps:
        drawn.add_vline(scale * minute, line={"color": "#8c8c8c", "dash": "dot", "width": 1})
    names = [f"{label(node)} · {i + 1}" for i, node in enumerate(data.places)]
    return drawn.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, autorange="reversed"
    )
