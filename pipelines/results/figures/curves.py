"""The learning curves of all trials: the best in colour, the others grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from pipelines.record.scores import shown_score
from pipelines.record.trials import FinishedTrial
from pipelines.results.fates import COLOURS, Fate, fate
from pipelines.results.figures.axes import compact, figure, line_style, score_range, thin, whole
from pipelines.results.figures.labels import config_label, label
from search_spaces import Config
from trainables.training.metrics import Metric

TOP = 5
MOST_CURVES = 300  # beside the top curves: more would merge into one grey area
_HOVER = "trial %{customdata}, epoch %{x}: %{y:.5~g}"
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
    """The curves of sound trials only. ``top`` has the best first."""

    top: list[Curve]
    others: list[Curve]
    left_out: int

    @property
    def every(self) -> list[Curve]:
        return [*self.top, *self.others]


def curves_data(
    trials: Sequence[FinishedTrial],
    ranked: Sequence[FinishedTrial],
    top: int = TOP,
    most: int = MOST_CURVES,
) -> Curves:
    """The curves of the ``top`` best trials and of ``most`` others, from the best to the worst, in
    the order of ``ranked``."""
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
        for trial in ranked
        if trial.value is not None and trial.curve
    ]
    others = thin(curves[top:], most)
    return Curves(curves[:top], others, len(curves) - len(curves[:top]) - len(others))


def curves_range(data: Curves, metric: Metric) -> tuple[float, float]:
    """The bounds of the axis: both the range of the values of all epochs and that of the best
    values of all trials fit in. With the first range alone, the many epochs of the good trials
    would leave the other trials out."""
    epochs = score_range([v for curve in data.every for v in curve.values], metric.mode)
    bests = score_range([curve.value for curve in data.every], metric.mode)
    return min(epochs[0], bests[0]), max(epochs[1], bests[1])


def outside(data: Curves, metric: Metric) -> int:
    """How many curves leave the axis, wholly or in part."""
    low, high = curves_range(data, metric)
    return sum(not all(low <= v <= high for v in curve.values) for curve in data.every)


def curves_figure(data: Curves, name: str, metric: Metric, rungs: Sequence[int] = ()) -> go.Figure:
    """Grey curves, which a click on the legend hides, the best curves on top, and a line at each
    rung."""
    last = max((epoch for curve in data.every for epoch in curve.epochs), default=0)
    axis = {"range": curves_range(data, metric)}
    drawn = figure("epoch", label(name), xaxis=whole(0, last), yaxis=axis)
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
            line={**line_style(place), "width": 2.5},
            name=f"#{curve.number} {shown_score(curve.value)}",
            legendrank=place,
        )
    for rung in rungs[:-1]:
        line = {"color": "rgba(128,128,128,0.6)", "dash": "dot", "width": 1}
        drawn.add_vline(x=rung, line=line, layer="above")  # a grid line would hide it
    return drawn


def _add_all(drawn: go.Figure, curves: Sequence[Curve], words: str, colour: str) -> None:
    """Add all curves as one trace with gaps."""
    x = [epoch for curve in curves for epoch in (*curve.epochs, np.nan)]
    y = [value for curve in curves for value in (*curve.values, np.nan)]
    numbers = [curve.number for curve in curves for _ in range(len(curve.epochs) + 1)]
    single = any(len(curve.epochs) == 1 for curve in curves)
    drawn.add_scatter(
        x=np.array(x, np.float32),
        y=compact(y),
        customdata=np.array(numbers, np.int32),
        hovertemplate=_HOVER + "<extra></extra>",
        mode="lines+markers" if single else "lines",
        line={"color": colour, "width": 1},
        marker={"size": 5},
        connectgaps=False,
        name=f"{words} ({len(curves)})",
        legendrank=1001,
    )
