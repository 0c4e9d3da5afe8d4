"""Learning rate and momentum of one trial, beside its curve."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from pipelines.record.trials import FinishedTrial
from pipelines.results.figures.axes import NUMBERS, figure, whole
from pipelines.results.figures.labels import label
from pipelines.results.figures.schedule import schedule_data

_FLAT = 1e-9  # relative: by default the axis of a flatter line would show rounding errors


class Rates(NamedTuple):
    """The rates at ``steps`` (the epochs trained before each), and the metric after ``epochs``.
    ``momentum`` may be empty."""

    steps: list[float]
    lr: list[float]
    momentum: list[float]
    epochs: list[int]
    values: list[float]
    trained: int  # number of steps that were trained; the steps after them were only planned


def rates_data(
    trial: FinishedTrial,
    model: str | None,
    n_train: int,
    max_epochs: int,
    cycle_ends: Sequence[int] = (),
) -> Rates | None:
    """For a ``model`` of ours, the rates of every step, as the config says. Otherwise, and if the
    config or the length changed in mid-training, the rates that the trial reported; None if it
    reported none."""
    epochs = sorted(trial.curve)
    values = [trial.curve[epoch] for epoch in epochs]
    if model is not None and not trial.changes and not trial.planned:
        from trainables.networks import NETWORKS

        config = NETWORKS[model].config.from_dict(trial.config)
        data = schedule_data(config, n_train, max_epochs, cycle_ends)
        trained = bisect_left(data.epochs, trial.epochs)
        return Rates(data.epochs, data.lr, data.momentum, epochs, values, trained)
    lr = [value for value in trial.curves.get("lr", ()) if value is not None]
    momentum = [value for value in trial.curves.get("momentum", ()) if value is not None]
    if len(lr) != len(epochs):
        return None
    steps = [float(epoch) for epoch in epochs]
    momentum = momentum if len(momentum) == len(lr) else []
    return Rates(steps, lr, momentum, epochs, values, len(lr))


def rates_figure(data: Rates, score: str, best_epoch: int | None) -> go.Figure:
    """Up to three rows over the same epochs, with a line at the best epoch."""
    rows = [("learning rate", data.steps, data.lr), (score, data.epochs, data.values)]
    if data.momentum:
        rows.insert(1, ("momentum", data.steps, data.momentum))
    base = figure("", "", showlegend=False)  # Plotly's default would contain a large template
    drawn = make_subplots(rows=len(rows), shared_xaxes=True, vertical_spacing=0.06, figure=base)
    for row, (name, x, y) in enumerate(rows, start=1):
        single = len(y) == 1
        drawn.add_scatter(
            x=np.array(x),
            y=np.array(y),
            name=name,
            mode="markers" if single else "lines",
            line={"color": qualitative.D3[row - 1]},
            hovertemplate="%{y:.5~g}",
            row=row,
            col=1,
        )
        drawn.update_yaxes(title_text=label(name), row=row, col=1, **NUMBERS)
        if max(y) - min(y) <= _FLAT * max(map(abs, y)):
            drawn.update_yaxes(range=sorted((0, 2 * max(y) or 1)), row=row, col=1)
    drawn.update_xaxes(**whole(0, max([*data.steps, *data.epochs], default=0)))
    drawn.update_xaxes(title_text="epoch", row=len(rows), col=1)
    if best_epoch is not None:
        drawn.add_vline(x=best_epoch, line={"color": "grey", "dash": "dot"}, row="all", col=1)
    return drawn
