"""What the test set showed: true and predicted classes, or the errors of a regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pipelines.record.looks import Look
from pipelines.results.fates import BEST
from pipelines.results.figures.axes import figure
from pipelines.results.figures.labels import labels

_LONGEST_NAME = 40  # of a class
_ERRORS = ((0, "rgba(213,94,0,0)"), (1e-6, "rgba(213,94,0,0.25)"), (1, "rgba(213,94,0,0.85)"))
_MOST_NUMBERS = 20  # classes: in a larger matrix, numbers would be too small to read


def confusion_figure(look: Look, classes: Sequence[str]) -> go.Figure:
    """A cell for each true class and predicted class. Errors are coloured: the larger their share
    of the true class, the stronger."""
    counts = np.array(look.confusion)
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    errors = np.where(np.eye(len(counts), dtype=bool), 0, shares)
    names = labels(classes, _LONGEST_NAME)
    yaxis = {"title": {"text": "true class"}, "autorange": "reversed", "showgrid": False}
    drawn = figure("predicted class", "", xaxis={"showgrid": False}, yaxis=yaxis)
    drawn.add_heatmap(
        x=names,
        y=names,
        z=errors.tolist(),
        zmin=0,
        zmax=1,
        text=[[_samples(count) for count in row] for row in counts],
        hovertext=[[f"{share:.1%}" for share in row] for row in shares],
        colorscale=_ERRORS,
        xgap=1,
        ygap=1,
        hovertemplate="%{y} predicted as %{x}: %{text} samples, %{hovertext}<extra></extra>",
        texttemplate="%{text}" if len(classes) <= _MOST_NUMBERS else None,
        showscale=False,
    )
    return drawn.update_xaxes(type="category").update_yaxes(type="category")


def _samples(count: float) -> str:
    """Such as 12,345. A mean over seeds need not be whole, such as 12.3."""
    if not count:
        return ""
    return f"{count:,.0f}" if count >= 100 else f"{count:.3g}"


def residuals_figure(look: Look) -> go.Figure:
    """Predictions minus targets, against the targets."""
    targets, predictions = np.array(look.predicted).T
    drawn = figure("target", "prediction - target")
    drawn.add_scatter(
        x=targets,
        y=predictions - targets,
        mode="markers",
        marker={"color": BEST, "size": 5, "opacity": 0.6},
        hovertemplate="target %{x:.4g}: %{y:+.4g}<extra></extra>",
        showlegend=False,
    )
    return drawn.add_hline(y=0, line={"color": "rgba(128,128,128,0.6)", "width": 1})
