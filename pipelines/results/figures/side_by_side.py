"""The best so far of several runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.colors import qualitative

from pipelines.results.figures.axes import figure, label, score_range
from pipelines.results.figures.best_so_far import Against, BestSoFar
from trainables.training.metrics import Metric


def side_by_side_figure(
    runs: Mapping[str, BestSoFar], score: str, metric: Metric, against: Against
) -> go.Figure:
    """A line for each run, by its name; it begins with the first trial that has a value."""
    bests = [best for data in runs.values() for best in data.best if best is not None]
    axis = {"title": {"text": score}, "range": score_range(bests, metric.mode)}
    drawn = figure(against, score, yaxis=axis)
    for place, (name, data) in enumerate(runs.items()):
        rows = [row for row, best in enumerate(data.best) if best is not None]
        rows = [row for row in rows if row in rows[:1] + rows[-1:] or _is_new(data, row)]
        places = data._asdict()[against]
        drawn.add_scatter(
            x=np.array([places[row] for row in rows]),
            y=np.array([data.best[row] for row in rows], float),
            mode="lines+markers",
            marker={"size": 5},
            line={"color": qualitative.D3[place % 10], "shape": "hv", "width": 2},
            name=label(name),
            hovertemplate="%{x:.4g}: %{y:.4f}",
        )
    return drawn


def _is_new(data: BestSoFar, row: int) -> bool:
    return data.best[row] != data.best[row - 1]
