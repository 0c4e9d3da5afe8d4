"""Algorithms compared: best value against epochs spent."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.colors import hex_to_rgb

from pipelines.results.figures.axes import figure, line_style
from pipelines.results.figures.labels import label
from pipelines.study.comparing.comparison import Curve

_BAND = 0.15  # opacity of a band


def best_so_far_figure(curves: Sequence[Curve], metric: str) -> go.Figure:
    """Best value against epochs spent, with a band of one standard error if there is one."""
    drawn = figure("epochs spent", f"best {metric} so far", xaxis={"rangemode": "tozero"})
    for place, curve in enumerate(curves):
        style = line_style(place)
        shared = {"x": curve.epochs, "legendgroup": curve.algo, "mode": "lines"}
        signs = (-1, 1) if curve.error else ()
        for sign in signs:  # two step lines, with the area between them filled
            drawn.add_scatter(
                **shared,
                y=[m + sign * e for m, e in zip(curve.mean, curve.error, strict=True)],
                line={"width": 0, "shape": "hv"},
                fill="tonexty" if sign > 0 else None,
                fillcolor=f"rgba{(*hex_to_rgb(style['color']), _BAND)}",
                hoverinfo="skip",
                showlegend=False,
            )
        drawn.add_scatter(
            **shared,
            y=curve.mean,
            name=label(curve.algo),
            line={**style, "shape": "hv", "width": 2},
            hovertemplate="%{x} epochs: %{y:.5~g}",
        )
    return drawn
