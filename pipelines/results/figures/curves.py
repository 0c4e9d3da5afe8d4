"""The learning curves of all trials: the best in colour, the others grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.colors import qualitative

from pipelines.record.trials import FinishedTrial, ranked
from pipelines.results.fates import COLOURS, Fate, fate
from pipelines.results.figures.axes import config_label, figure, label, score_range, thin
from search_spaces import Config
from trainables.training.metrics import Metric

TOP = 5
MOST_CURVES = 300  # beside those: more are one grey surface
_HOVER = "trial %{customdata}, epoch %{x}: %{y:.4f}"
_GREY = {
    Fate.STOPPED: "rgba(140,140,140,0.35)",
    Fate.COMPLETE: "rgba(90,125,160,0.55)",
    Fate.RUNNING: COLOURS[Fate.RUNNING],
}


class Curve(NamedTuple):
    """The metric of one trial, epoch by epoch."""

    number: int
    fate: Fate
    value: float
    epochs: list[int]
    values: list[float]
    config: Config


class Curves(NamedTuple):
    """Sound trials alone. ``top`` has the best first."""

    top: list[Curve]
    others: list[Curve]
    left_out: int


def curves_data(
    trials: Sequence[FinishedTrial], metric: Metric, top: int = TOP, most: int = MOST_CURVES
) -> Curves:
    """The curves of the ``top`` best trials, and of ``most`` others, from the best to the worst."""
    numbers = {id(trial): number for number, trial in enumerate(trials)}
    curves = [
        Curve(
            numbers[id(trial)],
            fate(trial),
            trial.value,
            sorted(trial.curve),
            [trial.curve[epoch] for epoch in sorted(trial.curve)],
            trial.config,
        )
        for trial in ranked(trials, metric)
        if trial.value is not None and trial.curve
    ]
    others = thin(curves[top:], most)
    return Curves(curves[:top], others, len(curves) - len(curves[:top]) - len(others))


def curves_figure(data: Curves, name: str, metric: Metric, rungs: Sequence[int] = ()) -> go.Figure:
    """Grey curves that a click on the legend hides, the best on top, a line at each rung."""
    shown = [value for curve in (*data.top, *data.others) for value in curve.values]
    axis = {"title": {"text": name}, "range": score_range(shown, metric.mode)}
    drawn = figure("epoch", name, yaxis=axis)
    for kinds, words, colour in (
        ((Fate.STOPPED, Fate.CUT_SHORT), "stopped early or cut short", _GREY[Fate.STOPPED]),
        ((Fate.COMPLETE,), "trained to the end", _GREY[Fate.COMPLETE]),
        ((Fate.RUNNING,), "running", _GREY[Fate.RUNNING]),
    ):
        if some := [curve for curve in data.others if curve.fate in kinds]:
            _add_all(drawn, some, words, colour)
    for place, curve in reversed(list(enumerate(data.top))):
        drawn.add_scatter(
            x=curve.epochs,
            y=curve.values,
            customdata=np.full(len(curve.epochs), curve.number),
            hovertext=config_label(curve.config),
            hovertemplate=_HOVER + "<br>%{hovertext}<extra></extra>",
            mode="lines+markers" if len(curve.epochs) == 1 else "lines",
            line={"color": qualitative.D3[place % 10], "width": 2.5},
            name=f"#{curve.number} {label(curve.value)}",
            legendrank=place,
        )
    for rung in rungs[:-1]:
        drawn.add_vline(x=rung, line={"color": "rgba(128,128,128,0.6)", "dash": "dot", "width": 1})
    return drawn


def _add_all(drawn: go.Figure, curves: Sequence[Curve], words: str, colour: str) -> None:
    """As one trace with gaps."""
    x = [epoch for curve in curves for epoch in (*curve.epochs, np.nan)]
    y = [value for curve in curves for value in (*curve.values, np.nan)]
    numbers = [curve.number for curve in curves for _ in range(len(curve.epochs) + 1)]
    single = any(len(curve.epochs) == 1 for curve in curves)
    drawn.add_scatter(
        x=np.array(x, np.float32),
        y=np.array(y, np.float32),
        customdata=np.array(numbers, np.int32),
        hovertemplate=_HOVER + "<extra></extra>",
        mode="lines+markers" if single else "lines",
        line={"color": colour, "width": 1},
        marker={"size": 3},
        connectgaps=False,
        name=f"{words} ({len(curves)})",
        legendrank=1001,
    )
