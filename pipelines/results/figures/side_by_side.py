"""The best so far of several runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from pipelines.record.scores import shown_score
from pipelines.results.figures.axes import figure, line_style, score_range
from pipelines.results.figures.best_so_far import Against, BestSoFar, places_axis
from pipelines.results.figures.labels import label, labels
from trainables.training.metrics import Metric

_LONGEST_NAME = 40  # of a run


def side_by_side_figure(
    runs: Mapping[str, BestSoFar], score: str, metric: Metric, against: Against
) -> go.Figure:
    """A line for each run, by its name; it begins with the first trial that has a value."""
    found = {name: [b for b in data.best if b is not None] for name, data in runs.items()}
    every = [best for bests in found.values() for best in bests]
    lasts = [bests[-1] for bests in found.values() if bests]
    xaxis, per_unit = places_axis(against, runs.values())
    yaxis = {"range": score_range(every, metric.mode, inside=lasts)}
    drawn = figure("", label(score), xaxis=xaxis, yaxis=yaxis)
    names = labels(runs, _LONGEST_NAME)
    for place, (name, data) in enumerate(zip(names, runs.values(), strict=True)):
        rows = [row for row, best in enumerate(data.best) if best is not None]
        rows = [row for row in rows if row in rows[:1] + rows[-1:] or _is_new(data, row)]
        places = data._asdict()[against]
        drawn.add_scatter(
            x=np.array([places[row] / per_unit for row in rows]),
            y=np.array([data.best[row] for row in rows], float),
            mode="lines+markers",
            marker={"size": 5},
            line={**line_style(place), "shape": "hv", "width": 2},
            name=name,
            text=[shown_score(data.best[row]) for row in rows],
            hovertemplate="%{x:.6~g}: %{text}",
        )
    return drawn


def _is_new(data: BestSoFar, row: int) -> bool:
    return data.best[row] != data.best[row - 1]
