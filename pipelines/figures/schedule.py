"""Learning rate and momentum over a training."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from pipelines.schedule_plot import ScheduleData
from trainables.training.config import TrainingConfig
from trainables.training.optimizers import OPTIMIZERS

_LR, _MOMENTUM = qualitative.D3[:2]
_MARGIN = 0.02  # of momentum: left to itself the axis of a constant one goes beyond 1


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
