"""Of a multi-layer perceptron: how many layers, how wide, and what came of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.trials import FinishedTrial
from pipelines.results.fates import is_sound
from pipelines.results.figures.axes import clamp, figure, score_range, thin
from trainables.training.metrics import Metric

MOST_POINTS = 1000
_SPREAD = 0.25  # points of one number of layers lie side by side


class Layers(NamedTuple):
    """A row for each sound trial, the worst first."""

    number: list[int]
    layers: list[int]
    width: list[float]  # the geometric mean over the layers
    widths: list[str]
    value: list[float]


def layers_data(trials: Sequence[FinishedTrial], metric: Metric) -> Layers | None:
    """None where the configs have no layers with widths."""
    rows = []
    for number, trial in enumerate(trials):
        n = trial.config.get("n_layers")
        widths = [trial.config.get(f"width_{i}") for i in range(1, int(n or 0) + 1)]
        if not isinstance(n, int) or not is_sound(trial) or not all(widths):
            continue
        assert trial.value is not None
        numbers = [float(width or 0) for width in widths]
        mean = statistics.geometric_mean(numbers)
        rows.append((number, n, mean, " x ".join(map(str, widths)), trial.value))
    if not rows:
        return None
    rows.sort(key=lambda row: row[-1], reverse=metric.mode == "min")
    return Layers(*map(list, zip(*rows, strict=True)))


def layers_figure(data: Layers, score: str, metric: Metric) -> go.Figure:
    """A point for each trial, its colour the score."""
    rows = thin(range(len(data.number)), MOST_POINTS)
    bounds = score_range(data.value, metric.mode)
    shift = np.random.default_rng(0).uniform(-_SPREAD, _SPREAD, len(rows))
    drawn = figure("layers", "mean width of a layer", showlegend=False)
    drawn.add_scatter(
        x=np.array([data.layers[row] for row in rows]) + shift,
        y=np.array([data.width[row] for row in rows]),
        customdata=np.array([data.number[row] for row in rows]),
        text=[f"{data.widths[row]}: {data.value[row]:.4f}" for row in rows],
        hovertemplate="trial %{customdata}: %{text}<extra></extra>",
        mode="markers",
        marker={
            "size": 9,
            "color": np.array(clamp([data.value[row] for row in rows], bounds)),
            "colorscale": "Viridis",
            "reversescale": metric.mode == "min",
            "colorbar": {"title": {"text": score, "side": "right"}},
            "line": {"color": "rgba(128,128,128,0.6)", "width": 0.5},
        },
    )
    drawn.update_xaxes(dtick=1)
    drawn.update_yaxes(type="log", exponentformat="none", dtick="D2")
    return drawn
