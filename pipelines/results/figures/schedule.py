"""Learning rate and momentum over a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from trainables.training.batches import batch_bounds
from trainables.training.config import TrainingConfig
from trainables.training.optimizers import OPTIMIZERS
from trainables.training.schedules import make_schedule

_LR, _MOMENTUM = qualitative.D3[:2]
_MARGIN = 0.02  # of momentum: by default the axis of a constant momentum goes beyond 1


_MOST_POINTS = 5000  # more cannot be told apart on a screen


class ScheduleData(NamedTuple):
    """The rates at some optimiser steps, which are equally far apart."""

    epochs: list[float]  # trained before the step; 0 for the first
    lr: list[float]
    momentum: list[float]  # betas[0] of AdamW


def schedule_data(
    config: TrainingConfig, n_train: int, max_epochs: int, cycle_ends: Sequence[int] = ()
) -> ScheduleData:
    """The rates with which ``config`` trains on ``n_train`` samples, from its first step to its
    last; for a very long training, not at every step. For ``cycle_ends`` see
    :func:`trainables.training.schedules.make_schedule`."""
    steps_per_epoch = len(batch_bounds(n_train, config.batch_size))
    total = max_epochs * steps_per_epoch
    schedule = make_schedule(config, steps_per_epoch, total, cycle_ends)
    steps = np.linspace(0, total - 1, min(total, _MOST_POINTS)).round().astype(int).tolist()
    rates = [schedule(step) for step in steps]
    return ScheduleData(
        [step / steps_per_epoch for step in steps],
        [lr for lr, _ in rates],
        [momentum for _, momentum in rates],
    )


def schedule_figure(
    data: ScheduleData, config: TrainingConfig, best_epoch: int | None = None
) -> go.Figure:
    """The learning rate above the momentum, over the same epochs; a line at the best epoch."""
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.06)
    for row, (values, colour) in enumerate(((data.lr, _LR), (data.momentum, _MOMENTUM)), start=1):
        figure.add_scatter(
            x=data.epochs, y=values, mode="lines", line={"color": colour}, row=row, col=1
        )
    momentum = OPTIMIZERS[config.optimizer].momentum
    figure.update_yaxes(title_text="learning rate", rangemode="tozero", row=1, col=1)
    margin = (min(data.momentum) - _MARGIN, max(data.momentum) + _MARGIN)
    figure.update_yaxes(title_text=momentum, range=margin, row=2, col=1)
    figure.update_xaxes(title_text="epoch", row=2, col=1)
    if best_epoch is not None:
        figure.add_vline(x=best_epoch, line={"color": "grey", "dash": "dot"}, row="all", col=1)
        figure.add_annotation(
            x=best_epoch, y=1, yref="paper", yanchor="bottom", text="best epoch", showarrow=False
        )
    figure.update_layout(
        template="plotly_white",
        showlegend=False,
        title=f"{config.policy}, {config.optimizer}, weight decay {config.weight_decay:.3g}",
    )
    return figure
