"""When each trial ran, and where; and how long the places stood empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.trials import FinishedTrial
from pipelines.results.fates import COLOURS, Fate, fate
from pipelines.results.figures.axes import figure, label
from pipelines.results.wording import duration
from pipelines.results.working_time import Gap

MOST_BARS = 2000


class Bar(NamedTuple):
    """One trial, in minutes since the first started. ``place`` counts over all nodes."""

    number: int
    fate: Fate
    place: int
    start: float
    end: float


class Timeline(NamedTuple):
    """``places`` names each place by its node; ``busy`` is the share of all places' time in which a
    trial held them. ``gaps`` are where a search went on, each with how long nobody had worked on
    it, which is left out."""

    bars: list[Bar]
    places: list[str]
    minutes: float
    busy: float
    gaps: list[tuple[float, str]] = []  # noqa: RUF012  # of a tuple


def timeline_data(trials: Sequence[FinishedTrial], gaps: Sequence[Gap] = ()) -> Timeline:
    """Each trial in the first place of its node that was free when it started. All are in working
    time."""
    rows = [
        (number, trial)
        for number, trial in enumerate(trials)
        if trial.started and not trial.untrained
    ]
    rows.sort(key=lambda row: row[1].started)
    zero = rows[0][1].started if rows else 0.0
    free_at: dict[str, list[float]] = {}
    found = []
    for number, trial in rows:
        ends = free_at.setdefault(trial.node or "not known", [])
        start, end = trial.started - zero, trial.started - zero + trial.seconds
        free = next((i for i, free in enumerate(ends) if free <= start + 1e-3), len(ends))
        ends[free : free + 1] = [end]
        found.append((number, trial, free, start / 60, end / 60))
    first = {node: sum(map(len, list(free_at.values())[:i])) for i, node in enumerate(free_at)}
    bars = [
        Bar(number, fate(trial), first[trial.node or "not known"] + place, start, end)
        for number, trial, place, start, end in found
    ]
    minutes = max((bar.end for bar in bars), default=0.0)
    places = [node for node, ends in free_at.items() for _ in ends]
    held = sum(bar.end - bar.start for bar in bars)
    marks = [((gap.at - zero) / 60, duration(gap.seconds)) for gap in gaps]
    busy = held / (minutes * len(places)) if minutes else 0.0
    return Timeline(bars, places, minutes, busy, marks)


def timeline_figure(data: Timeline) -> go.Figure:
    """A bar for each trial, coloured by fate; of very many the longest."""
    bars = sorted(data.bars, key=lambda bar: bar.start - bar.end)[:MOST_BARS]
    drawn = figure("minutes", "", barmode="overlay", bargap=0.15)
    for kind in Fate:
        rows = [bar for bar in bars if bar.fate is kind]
        if not rows:
            continue
        drawn.add_bar(
            orientation="h",
            base=np.array([bar.start for bar in rows]),
            x=np.array([bar.end - bar.start for bar in rows]),
            y=np.array([bar.place for bar in rows]),
            customdata=np.array([bar.number for bar in rows]),
            hovertemplate="trial %{customdata}: %{base:.2f} + %{x:.2f} min<extra></extra>",
            marker={"color": COLOURS[kind], "line": {"width": 0.5, "color": "white"}},
            name=kind.value,
        )
    for minute, length in data.gaps:
        drawn.add_vline(minute, line={"dash": "dot", "width": 1}, annotation_text=f"{length} gap")
    names = [f"{label(node)} · {i + 1}" for i, node in enumerate(data.places)]
    drawn.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed")
    return drawn.update_layout(margin={"l": 110})
