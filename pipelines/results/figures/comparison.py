"""Algorithms compared: best value against epochs spent."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.colors import qualitative

from pipelines.study.comparison import Curve

_COLOURS = qualitative.D3


def best_so_far_figure(curves: Sequence[Curve], metric: str) -> go.Figure:
    """Best value against epochs spent, with a band of one standard error."""
    figure = go.Figure()
    for i, curve in enumerate(curves):
        colour = _COLOURS[i % len(_COLOURS)]
        upper = [m + e for m, e in zip(curve.mean, curve.error, strict=True)]
        lower = [m - e for m, e in zip(curve.mean, curve.error, strict=True)]
        figure.add_scatter(
            x=[*curve.epochs, *reversed(curve.epochs)],
            y=[*upper, *reversed(lower)],
            fill="toself",
            fillcolor=colour,
            opacity=0.15,
            line={"width": 0, "shape": "hv"},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=curve.algo,
        )
        figure.add_scatter(
            x=curve.epochs,
            y=curve.mean,
            name=curve.algo,
            legendgroup=curve.algo,
            mode="lines",
            line={"color": colour, "shape": "hv"},
        )
    figure.update_layout(
        template="plotly_white",
        xaxis_title="epochs spent",
        yaxis_title=f"best {metric} so far, mean over seeds ± standard error",
    )
    return figure
