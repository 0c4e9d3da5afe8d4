"""The curve of an LR range test: losses against the learning rate, and the bounds read off it."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.colors import qualitative

from pipelines.results.figures.axes import NARROW_MARGINS, log_axis
from trainables.smith.lr_range_rule import Bounds, Smoothed, smooth
from trainables.smith.lr_range_test import RangeTest

_TRAIN, _VAL, _QUALITY, _BAND = (qualitative.D3[i] for i in (0, 1, 2, 4))
_MARGIN = 1.3  # the axis goes beyond the learning rates by this factor
_HEADROOM = 1.3  # times the first smoothed loss: exploding losses are cut off
_NAMES = {"accuracy": "validation accuracy", "r2": "validation R²"}
_QUALITY_RANGES = {"accuracy": [0, 1.02], "r2": [-0.2, 1.02]}


def range_figure(test: RangeTest, bounds: Bounds) -> go.Figure:
    """Training loss, raw and smoothed, and validation loss on the left axis, accuracy or R² on the
    right; the band from base_lr to max_lr is shaded."""
    curve = _smoothed(test, bounds)
    val_lrs = [point.lr for point in test.validations]
    figure = go.Figure()
    figure.add_scatter(
        x=test.lrs,
        y=test.train_losses,
        name="training loss of each batch",
        mode="markers",
        marker={"color": _TRAIN, "size": 4, "opacity": 0.7},
    )
    figure.add_scatter(
        x=curve.lrs,
        y=curve.losses,
        name="smoothed",
        mode="lines",
        line={"color": _TRAIN if bounds.curve == "training" else _VAL},
    )
    figure.add_scatter(
        x=val_lrs,
        y=[point.loss for point in test.validations],
        name="validation loss",
        mode="lines+markers",
        line={"color": _VAL},
    )
    figure.add_scatter(
        x=val_lrs,
        y=[point.quality for point in test.validations],
        name=_NAMES[test.quality_name],
        mode="lines+markers",
        line={"color": _QUALITY, "dash": "dot"},
        yaxis="y2",
    )
    _mark(figure, bounds)
    low, high = min(test.lrs), max(test.lrs)
    top = _HEADROOM * max(curve.losses[0], curve.losses.min())
    figure.update_layout(
        template="plotly_white",
        xaxis={
            "title": "learning rate",
            "exponentformat": "power",
            **log_axis(low, high),
            # By itself it would make room for the names of the bounds: on a phone, decades.
            "range": [math.log10(low / _MARGIN), math.log10(high * _MARGIN)],
        },
        yaxis={"title": "loss", "range": [0, top]},
        yaxis2={
            "title": _NAMES[test.quality_name],
            "range": _QUALITY_RANGES[test.quality_name],
            "tickmode": "linear",  # else Plotly sets as many as on the other axis, at odd numbers
            "dtick": 0.2,
            "overlaying": "y",
            "side": "right",
            "showgrid": False,
        },
        legend={"orientation": "h", "y": 1.08, "yanchor": "bottom"},
        margin=NARROW_MARGINS,
    )
    return figure


def _smoothed(test: RangeTest, bounds: Bounds) -> Smoothed:
    """The curve that the bounds were read off."""
    if bounds.curve == "training":
        return smooth(test.lrs, test.train_losses, bounds.width)
    points = test.validations
    return smooth([p.lr for p in points], [p.loss for p in points], bounds.width)


def _mark(figure: go.Figure, bounds: Bounds) -> None:
    figure.add_vrect(
        x0=bounds.base_lr, x1=bounds.max_lr, fillcolor=_BAND, opacity=0.12, line_width=0
    )
    for name, lr, side in (
        ("base_lr", bounds.base_lr, "left"),
        ("max_lr", bounds.max_lr, "right"),
    ):
        figure.add_vline(x=lr, line={"color": _BAND, "dash": "dash"})
        figure.add_annotation(  # on a logarithmic axis its place is the logarithm
            x=math.log10(lr),
            y=1,
            yref="paper",
            yanchor="bottom",
            xanchor="right" if side == "left" else "left",
            text=f"{name} {lr:.3g}",
            showarrow=False,
            font={"color": _BAND},
        )
