"""Learning rate and momentum of one trial, beside its curve."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from pipelines.record.trials import FinishedTrial
from pipelines.results.figures.axes import NUMBERS, figure, score_range, whole
from pipelines.results.figures.labels import label
from pipelines.results.figures.schedule import Plan, schedule_data
from trainables.networks import NETWORKS
from trainables.training.optimizers import OPTIMIZERS

_FLAT = 1e-9  # relative: by default the axis of a flatter line would show rounding errors
_MOMENTUM_MARGIN = 0.02  # by default the axis of a constant momentum goes beyond 1


class Rates(NamedTuple):
    """The rates at ``steps`` (the epochs trained before each), and the metric after ``epochs``.
    ``momentum`` may be empty."""

    steps: list[float]
    lr: list[float]
    momentum: list[float]
    epochs: list[int]
    values: list[float]
    trained: int  # number of steps that were trained; the steps after them were only planned
    momentum_name: str = "momentum"
    each_step: bool = True  # False: the rates are those of the last step of each epoch


def rates_data(
    trial: FinishedTrial, model: str | None, n_train: int, plans: Sequence[Plan]
) -> Rates | None:
    """For a ``model`` of ours, the rates of every step, as the config says. Otherwise, and if the
    config changed in mid-training (what it was before is not recorded), the rates that the trial
    reported after each epoch; None if it reported none."""
    epochs = sorted(trial.curve)
    values = [trial.curve[epoch] for epoch in epochs]
    name = "momentum"
    if model is not None:
        config = NETWORKS[model].config.from_dict(trial.config)
        name = OPTIMIZERS[config.optimizer].momentum
        if not trial.changes:
            data = schedule_data(config, n_train, plans)
            trained = bisect_left(data.epochs, trial.epochs)
            return Rates(data.epochs, data.lr, data.momentum, epochs, values, trained, name)
    lr = [value for value in trial.curves.get("lr", ()) if value is not None]
    momentum = [value for value in trial.curves.get("momentum", ()) if value is not None]
    if len(lr) != len(epochs):
        return None
    steps = [float(epoch) for epoch in epochs]
    momentum = momentum if len(momentum) == len(lr) else []
    return Rates(steps, lr, momentum, epochs, values, len(lr), name, each_step=False)


def rates_figure(data: Rates, score: str, best_epoch: int | None) -> go.Figure:
    """Up to three rows over the same epochs, with a line at the best epoch."""
    rows = [("learning rate", data.steps, data.lr), (score, data.epochs, data.values)]
    if data.momentum:
        rows.insert(1, (data.momentum_name, data.steps, data.momentum))
    base = figure("", "", showlegend=False)  # Plotly's default would contain a large template
    drawn = make_subplots(rows=len(rows), shared_xaxes=True, vertical_spacing=0.06, figure=base)
    for row, (name, x, y) in enumerate(rows, start=1):
        points = len(y) == 1 or (not data.each_step and y is not data.values)
        drawn.add_scatter(
            x=np.array(x),
            y=np.array(y),
            name=name,
            mode="lines+markers" if points else "lines",
            line={"color": qualitative.D3[row - 1]},
            hovertemplate="%{y:.5~g}",
            row=row,
            col=1,
        )
        axis: dict[str, Any] = {}
        if y is data.lr:
            axis = {"rangemode": "tozero"}
        elif y is data.momentum:
            axis = {"range": (min(y) - _MOMENTUM_MARGIN, max(y) + _MOMENTUM_MARGIN)}
        elif max(y) - min(y) <= _FLAT * max(map(abs, y)):
            axis = {"range": score_range([max(y)], "max")}
        drawn.update_yaxes(title_text=label(name), row=row, col=1, **NUMBERS, **axis)
    drawn.update_xaxes(**whole(0, max([*data.steps, *data.epochs], default=0)))
    drawn.update_xaxes(title_text="epoch", row=len(rows), col=1)
    if best_epoch is not None:
        drawn.add_vline(x=best_epoch, line={"color": "grey", "dash": "dot"}, row="all", col=1)
    return drawn
