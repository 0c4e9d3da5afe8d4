"""Short trainings with several values of a hyperparameter: their losses per epoch."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.colors import qualitative

from pipelines.results.figures.axes import NARROW_MARGINS
from trainables.smith.short_runs import ValueTest

_COLOURS = qualitative.D3
_HEADROOM = 1.1


def short_runs_figure(test: ValueTest) -> go.Figure:
    """Validation loss as lines and training loss dotted, a colour for each value; the chosen one is
    thicker. A training that diverged has no line, only a name in the legend."""
    figure = go.Figure()
    for colour, run in zip(_COLOURS, test.runs, strict=False):
        chosen = run.value == test.chosen
        name = f"{run.value:g}" + (" chosen" if chosen else " diverged" if run.diverged else "")
        for losses, dash, shown in (
            (run.val_losses, "solid", True),
            (run.train_losses, "dot", False),
        ):
            figure.add_scatter(
                x=list(range(1, len(losses) + 1)),
                y=[None] * len(losses) if run.diverged else losses,
                name=name,
                legendgroup=name,
                showlegend=shown,
                mode="lines",
                line={"color": colour, "dash": dash, "width": 4 if chosen else 2},
            )
    figure.update_layout(
        template="plotly_white",
        xaxis={"title": "epoch", "dtick": max(1, len(test.runs[0].val_losses) // 10)},
        yaxis={"title": "loss (validation; training dotted)", "type": "log", "range": _range(test)},
        legend={"title": test.name, "orientation": "h", "y": 1.02, "yanchor": "bottom"},
        margin=NARROW_MARGINS,
    )
    return figure


def _range(test: ValueTest) -> list[float]:
    """Logarithms of the bounds of the axis: from the lowest validation loss, so that a training
    loss near 0 does not squeeze the rest, to the highest loss of all."""
    sound = [run for run in test.runs if not run.diverged]
    lowest = min(min(run.val_losses) for run in sound)
    highest = max(max(run.val_losses + run.train_losses) for run in sound)
    return [math.log10(max(lowest, 1e-9) / _HEADROOM / 2), math.log10(highest * _HEADROOM)]
