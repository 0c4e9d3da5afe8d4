"""The layers of a multi-layer perceptron: how many, how wide, and with which score."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results.fates import is_sound
from pipelines.results.figures.axes import NUMBERS, clamp, figure, round_ticks, score_range, thin
from search_spaces import Config
from trainables.training.metrics import Metric

MOST_POINTS = 1000
_BEST = 20  # the best trials, which are always drawn
_SPREAD = 0.25  # points with the same number of layers lie side by side


class Layers(NamedTuple):
    """A row for each sound trial, the worst first."""

    number: list[int]
    layers: list[int]
    width: list[float]  # the geometric mean over the layers
    widths: list[str]
    value: list[float]


def layers_data(trials: Sequence[FinishedTrial], metric: Metric) -> Layers | None:
    """The sound trials; None if the configs have no layers with widths."""
    rows = []
    for number, trial in enumerate(trials):
        widths = _widths(trial.config)
        if not widths or not is_sound(trial):
            continue
        assert trial.value is not None
        mean = statistics.geometric_mean(widths)
        rows.append((number, len(widths), mean, " x ".join(map(str, widths)), trial.value))
    if not rows:
        return None
    rows.sort(key=lambda row: row[-1], reverse=metric.mode == "min")
    return Layers(*map(list, zip(*rows, strict=True)))


def _widths(config: Config) -> list[float]:
    """The width of each layer; empty if a user's own space gives these names another meaning."""
    n = config.get("n_layers")
    if type(n) is not int:
        return []
    widths = [config.get(f"width_{layer}") for layer in range(1, n + 1)]
    numbers = [width for width in widths if isinstance(width, int | float) and width > 0]
    return numbers if len(numbers) == n else []


def layers_figure(data: Layers, score: str, metric: Metric) -> go.Figure:
    """A point for each trial, coloured by its score; if there are very many, the best and some
    others."""
    every = range(len(data.number))
    rows = [*thin(every[:-_BEST], MOST_POINTS - _BEST), *every[-_BEST:]]
    bounds = score_range(data.value, metric.mode)
    shift = np.random.default_rng(0).uniform(-_SPREAD, _SPREAD, len(rows))
    drawn = figure("layers", "mean width of a layer", showlegend=False)
    drawn.add_scatter(
        x=np.array([data.layers[row] for row in rows]) + shift,
        y=np.array([data.width[row] for row in rows]),
        customdata=np.array([data.number[row] for row in rows]),
        text=[f"{data.widths[row]}: {shown_score(data.value[row])}" for row in rows],
        hovertemplate="trial %{customdata}: %{text}<extra></extra>",
        mode="markers",
        marker={
            "size": 9,
            "color": np.array(clamp([data.value[row] for row in rows], bounds)),
            "colorscale": "Viridis",
            "reversescale": metric.mode == "min",
            "colorbar": {"title": {"text": score, "side": "right"}, **NUMBERS},
            "line": {"color": "rgba(128,128,128,0.6)", "width": 0.5},
        },
    )
    drawn.update_xaxes(dtick=1)
    drawn.update_yaxes(type="log", **round_ticks(min(data.width), max(data.width)))
    return drawn
