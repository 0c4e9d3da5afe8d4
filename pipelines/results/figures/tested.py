"""What the test set showed: true and predicted classes, or the errors of a regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from pipelines.record.looks import Look
from pipelines.results.fates import BEST
from pipelines.results.figures.axes import figure
from pipelines.results.figures.labels import label, labels

_LONGEST_NAME = 24  # letters of a class
_LETTER = 6.5  # pixels
_CELL, _SMALL_CELL = 26, 10  # pixels; a small one has no number
_ERRORS = ((0, "rgba(213,94,0,0)"), (1e-6, "rgba(213,94,0,0.25)"), (1, "rgba(213,94,0,0.85)"))
_MOST_NUMBERS = 20  # classes: in a larger matrix, numbers would be too small to read


def confusion_figure(look: Look, classes: Sequence[str]) -> go.Figure:
    """A cell for each true class and predicted class. Errors are coloured: the larger their share
    of the true class, the stronger."""
    counts = np.array(look.confusion)
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    errors = np.where(np.eye(len(counts), dtype=bool), 0, shares)
    names = labels(classes, _LONGEST_NAME)
    yaxis = {"autorange": "reversed", "showgrid": False}
    drawn = figure("predicted class", "true class", xaxis={"showgrid": False}, yaxis=yaxis)
    drawn.add_heatmap(
        x=names,
        y=names,
        z=errors.tolist(),
        zmin=0,
        zmax=1,
        text=[[_samples(count) for count in row] for row in counts],
        hovertext=_hovers(counts, shares, classes),
        colorscale=_ERRORS,
        xgap=1,
        ygap=1,
        hovertemplate="%{hovertext}<extra></extra>",
        texttemplate="%{text}" if len(classes) <= _MOST_NUMBERS else None,
        showscale=False,
    )
    return drawn.update_xaxes(type="category").update_yaxes(type="category")


def _hovers(counts: np.ndarray, shares: np.ndarray, classes: Sequence[str]) -> list[list[str]]:
    """The classes of a cell with their whole names, and its samples."""
    names = labels(classes, 100)

    def hover(row: int, column: int) -> str:
        if not counts[row, column]:
            return "no sample"
        count = counts[row, column]
        samples = f"{_samples(count)} sample{'s' * bool(count != 1)}"
        return f"{names[row]} predicted as {names[column]}: {samples}, {shares[row, column]:.1%}"

    n = len(names)
    return [[hover(row, column) for column in range(n)] for row in range(n)]


def confusion_size(classes: Sequence[str]) -> tuple[int, int]:
    """The least width and the height in pixels at which the names leave room for the cells."""
    n, names = len(classes), labels(classes, _LONGEST_NAME)
    name = round(_LETTER * max(map(len, names)))
    cell = _CELL if n <= _MOST_NUMBERS else _SMALL_CELL
    return 80 + name + cell * n, min(700, 200 + _CELL * n) + name


def _samples(count: float) -> str:
    """Such as 12,345. A mean over seeds need not be whole, such as 12.3."""
    if not count:
        return ""
    return f"{count:,.0f}" if count >= 100 else f"{count:.3g}"


def residuals_figure(look: Look, name: str = "") -> go.Figure:
    """Predictions minus targets, against the targets. ``name`` is that of the column, if known."""
    targets, predictions = np.array(look.predicted).T
    target = f"target: {label(name, _LONGEST_NAME)}" if name else "target"
    drawn = figure(target, "prediction - target")
    drawn.add_scatter(
        x=targets,
        y=predictions - targets,
        mode="markers",
        marker={"color": BEST, "size": 5, "opacity": 0.6},
        hovertemplate="target %{x:.4g}: %{y:+.4g}<extra></extra>",
        showlegend=False,
    )
    return drawn.add_hline(y=0, line={"color": "rgba(128,128,128,0.6)", "width": 1})
